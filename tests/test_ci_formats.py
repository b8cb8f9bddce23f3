"""What CI systems read: each form is read back by the parser of those who read it."""

import csv
import io
import json
import math
import re
import shlex
from dataclasses import replace

import junitparser
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from model import plugins
from reports import gate_words
from reports.ci import complete, github_annotations, github_benchmark, github_summary, gitlab_metrics, junit, otava
from tests import comparisons
from tests.comparisons import comparison, exact, finding, gone, incomparable, slower, undecided

#: Any text at all, halves of surrogate pairs among it: names come from users.
TEXT = st.text(st.characters())
NAMES = plugins.names("reports.ci")
REFUSED = comparison(refused="the hosts differ: torch 2.12.1 and 2.13.0", findings=())


def named(name: str):
    """Every kind of finding, all of one benchmark, and both sides of that name too."""
    made = comparison()
    side = replace(made.base, label=name, commit=name)
    return replace(made, base=side, new=side, findings=tuple(replace(each, benchmark=name) for each in made.findings))


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=40)
@given(text=TEXT)
def test_any_name_gives_one_and_the_same_text_that_can_be_written(name, text):
    render = plugins.load("reports.ci", name).render
    assert render(named(text)) == render(named(text))
    assert render(named(text)).encode().endswith(b"\n")


# JUnit


def cases(given_comparison):
    (suite,) = junitparser.JUnitXml.fromstring(junit.render(given_comparison).encode())
    return suite, list(suite)


def test_junit_counts_what_became_of_each_case():
    suite, found = cases(comparison())
    results = [each.result[0] if each.result else None for each in found]
    assert suite.tests == len(found) == 12
    assert suite.failures == sum(isinstance(each, junitparser.Failure) for each in results) == 5
    assert suite.errors == sum(isinstance(each, junitparser.Error) for each in results) == 1
    assert suite.skipped == sum(isinstance(each, junitparser.Skipped) for each in results) == 2
    assert suite.time == pytest.approx(93.4)


@pytest.mark.parametrize(
    ("made", "kind", "code"),
    [
        (slower(), junitparser.Failure, "above_margin"),
        (gone(), junitparser.Failure, "only_in_base"),
        (gone(code="new_fails"), junitparser.Error, "new_fails"),
        (undecided(), junitparser.Skipped, "time_cap"),
        (incomparable(), junitparser.Skipped, "no_reading"),
    ],
    ids=lambda value: getattr(value, "code", None),
)
def test_junit_tells_failures_errors_and_what_is_unknown_apart(made, kind, code):
    _, (case,) = cases(comparison(made))
    (result,) = case.result
    assert isinstance(result, kind)
    assert result.type == code
    assert gate_words.reason(made) in result.message


@pytest.mark.parametrize("empty", [REFUSED, comparison(refused=None, findings=())], ids=["refused", "nothing"])
def test_a_junit_report_of_nothing_is_skipped_and_never_a_success(empty):
    suite, (case,) = cases(empty)
    assert suite.skipped == 1
    assert gate_words.answer(empty) == case.result[0].message


@given(text=TEXT)
def test_any_name_is_well_formed_xml(text):
    _, found = cases(named(text))
    assert {case.classname for case in found} == {gate_words.benchmark(finding(text))}


# GitHub


def cells(line: str) -> int:
    return len(re.findall(r"(?<!\\)\|", line)) - 1


@given(text=TEXT)
def test_any_name_leaves_the_tables_of_the_summary_whole(text):
    lines = github_summary.render(named(text)).splitlines()
    assert {cells(line) for line in lines if line.startswith("|")} == {8}
    assert [line for line in lines if line.startswith("<")] == [
        "<details>", "<summary>Everything that was compared</summary>", "</details>"
    ]  # fmt: skip


def test_the_summary_begins_with_the_answer_and_what_to_do_and_the_worst():
    text = github_summary.render(comparison())
    first, *_ = [line for line in text.splitlines() if line.startswith("| test")]
    assert text.startswith("## pinchpoint: regression\n\nRegression: 2 of 6 benchmarks got worse")
    assert "fails on the new side" in first
    assert text.index("--bisect") < text.index("<details>") < text.index("test\\_decode | power")


@pytest.mark.parametrize(
    ("made", "head"),
    [
        (comparison(finding()), "no regression"),
        (comparison(undecided()), "cannot tell"),
        (comparison(finding(limit=None, outcome="ungated")), "compared"),
        (REFUSED, "not compared"),
    ],
)
def test_the_summary_of_each_outcome_says_so_first(made, head):
    assert github_summary.render(made).startswith(f"## pinchpoint: {head}\n")


def test_a_summary_of_thousands_of_benchmarks_stays_below_what_github_takes():
    text = github_summary.render(comparisons.many(1500))
    assert len(text.encode()) < 2**20
    assert "more are left out here" in text


COMMAND = re.compile(r"::(error|warning|notice) (?:file=([^,:]*),)?title=([^,:]*)::(.*)")


def decoded(text: str) -> str:
    return re.sub("%(25|0D|0A|3A|2C)", lambda found: chr(int(found[1], 16)), text)


@given(text=TEXT)
def test_any_name_stays_within_its_own_annotation(text):
    lines = github_annotations.render(named(text)).split("\n")[:-1]
    read = [COMMAND.fullmatch(line) for line in lines]
    assert len(lines) == 9
    assert all(read)
    assert {decoded(found[3]) for found in read[1:]} == {gate_words.benchmark(finding(text))}


@given(title=TEXT, message=TEXT)
def test_a_command_carries_any_title_and_message_unchanged(title, message):
    line = github_annotations.command("error", f"t{title}", message)
    found = COMMAND.fullmatch(line)
    assert found is not None
    assert (decoded(found[3]), decoded(found[4])) == (f"t{title}", message)


def test_what_fails_is_an_error_on_the_file_of_the_test_and_what_is_open_a_warning():
    made = comparison(slower("tests/bench/test_x.py::test_y"), undecided("plain name"))
    _, error, warning = github_annotations.render(made).splitlines()
    assert error.startswith(
        "::error file=tests/bench/test_x.py,title=tests/bench/test_x.py%3A%3Atest_y::latency slower"
    )
    assert warning.startswith("::warning title=plain name::latency inconclusive")


def test_no_more_annotations_of_a_kind_than_github_shows_and_the_last_counts_the_rest():
    lines = github_annotations.render(comparison(*(slower(f"test_{n}") for n in range(25)))).splitlines()
    assert len(lines) == 1 + 10
    assert lines[-1] == "::error title=pinchpoint::16 more; the summary of the job has them all."


def test_smaller_is_better_in_all_that_github_action_benchmark_is_given():
    rate = finding("rate", 0.5, metric="throughput_tokens_per_s", unit="tokens/s", direction=1)
    neither = finding("neither", direction=0)
    unread = finding("unread", None, new=math.nan)
    entry, time = json.loads(github_benchmark.render(comparison(rate, finding("time"), neither, unread, gone())))
    assert (entry["name"], entry["unit"], entry["value"]) == ("rate: throughput, inverse", "1/(tokens/s)", 1 / 4500)
    assert "inverse" in entry["extra"]
    assert (time["name"], time["unit"], time["value"]) == ("time: latency", "s", 0.0021)


@given(text=TEXT)
def test_github_action_benchmark_gets_a_list_of_what_it_documents(text):
    for entry in json.loads(github_benchmark.render(named(text))):
        assert set(entry) - {"range"} == {"name", "unit", "value", "extra"}
        assert isinstance(entry["value"], float)
        assert all(isinstance(value, str) for key, value in entry.items() if key != "value")


# GitLab


@given(text=TEXT)
def test_any_name_is_open_metrics_for_its_own_parser_and_for_that_of_gitlab(text):
    rendered = gitlab_metrics.render(named(text))
    families = list(text_string_to_metric_families(rendered))
    told = {sample.labels["benchmark"] for family in families for sample in family.samples}
    assert told == {gate_words.benchmark(finding(text)).replace("#", "＃")}
    for line in rendered.splitlines():  # as GitLab does: cut at the first #, then split as a shell does
        parts = shlex.split(re.sub("#.*$", "", line))
        assert parts == [] or (len(parts) == 2 and math.isfinite(float(parts[1])))


@pytest.mark.parametrize("metric", ["operators_total", "cache_count", "p99/p50", "9lives", "größe"])
def test_any_metric_has_a_name_that_open_metrics_allows(metric):
    (family, _) = text_string_to_metric_families(gitlab_metrics.render(comparison(finding(metric=metric))))
    assert family.type == "gauge"
    assert family.samples[0].value == pytest.approx(0.4)


# otava, and everything


@given(text=TEXT)
def test_otava_gets_a_number_in_every_column_of_a_metric(text):
    heads, row = csv.reader(io.StringIO(otava.render(named(text))))
    assert heads[:3] == ["time", "commit", "branch"]
    assert len(row) == len(heads) == len(set(heads))
    assert all(math.isfinite(float(value)) for value in row[3:])


def test_otava_gets_the_branch_where_it_is_known():
    new = replace(comparisons.NEW, facts={"git_branch": "feature"})
    _, row = csv.reader(io.StringIO(otava.render(comparison(new=new))))
    assert row[:3] == ["2026-01-02T03:04:05+00:00", comparisons.NEW.commit, "feature"]


@given(value=st.floats(), text=TEXT)
def test_the_complete_form_is_json_whatever_the_numbers_and_texts(value, text):
    def refuse(name: str) -> None:
        raise AssertionError(name)

    made = comparison(finding(text, base=value, new=value, ratio=value, low=value, high=value, resolved=value))
    content = json.loads(complete.render(made), parse_constant=refuse)
    (found,) = content["findings"]
    assert found["benchmark"] == text
    assert found["new"] == (value if math.isfinite(value) else None)
    assert content["base"]["facts"] == comparisons.BASE.facts
    assert (content["outcome"], content["exit_code"]) == ("pass", 0)


@pytest.mark.parametrize("name", NAMES)
@given(value=st.floats() | st.none(), direction=st.sampled_from([-1, 0, 1]), counted=st.booleans())
def test_no_number_is_too_strange_for_any_form(name, value, direction, counted):
    metric = exact(base=1.0, new=1.0) if counted else finding()
    strange = replace(metric, base=value, new=value, ratio=value, low=value, high=value, direction=direction)
    text = plugins.load("reports.ci", name).render(comparison(strange))
    assert not re.search(r"\b(nan|NaN|Infinity|inf)\b", text)
