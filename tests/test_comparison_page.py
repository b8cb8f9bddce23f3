"""The section about a comparison, and the page that has nothing else."""

import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports import page, plots, render_html, render_markdown
from reports.sections import comparison as section
from reports.sections._comparison_figures import short_names
from reports.study import study
from tests import comparisons, factories
from tests.comparisons import comparison, exact, finding, gone, incomparable, slower, undecided
from tests.pages import cell, column, figures, tables, words

TEXT = st.text(st.characters())


def build(*found, **changes):
    made = section.build(study([], [comparison(*found, **changes)]))
    assert made is not None
    return made


def table(made, caption):
    return next(each for each in tables(made) if each.caption == caption)


def test_nothing_compared_is_no_section():
    assert section.build(study(factories.sweep())) is None


def test_a_comparison_makes_a_page_of_its_own_without_records():
    document = page.build([], "Gate", [comparison()])
    assert [each.title for each in document.sections] == ["What the change did"]
    assert document.subtitle == "faster-attention (fedcbafedc) against main (0badcafe0b), 2026-01-02"
    assert "What the change did" in render_html.render(document)
    assert "What the change did" in render_markdown.render(document)


def test_a_report_of_records_shows_the_comparison_after_what_was_found():
    document = page.build([factories.record()], "Sweep", [comparison()])
    assert [each.title for each in document.sections][:2] == ["What was found", "What the change did"]


@pytest.mark.parametrize(
    ("made", "answer"),
    [
        ([finding()], "No regression: the one benchmark stayed within the limits."),
        ([finding(), finding("b", 0.8, verdict="faster")], "all 2 benchmarks stayed within the limits. 1 bench"),
        ([slower()], "the one benchmark got worse. The worst: latency of test_prefill, +12 % [+11 %, +13 %]."),
        ([finding(), slower(), gone()], "Regression: 1 of 3 benchmarks got worse and 1 is missing on the new side."),
        ([gone("a", "new_fails"), gone("b", "new_fails")], "Regression: 2 fail on the new side. First to look at: a, "),
        ([finding(), undecided()], "Cannot tell yet for 1 of 2 benchmarks. The others are within their limits."),
        ([incomparable()], "Nothing could be compared. Joules could not be read: this machine has no meter."),
        ([finding(outcome="ungated")], "1 benchmark compared without a limit; none changed for sure."),
        ([exact("a", 10, 11)], "the one benchmark got worse. The worst: FLOPs of a, +1 FLOP against 10 FLOP."),
    ],
)  # fmt: skip
def test_the_first_sentence_is_the_answer(made, answer):
    assert answer in build(*made).lead


def test_a_refusal_says_why_and_what_to_do():
    told = words(build(refused="the hosts differ: torch 2.12.1 and 2.13.0"))
    assert "Not compared. The hosts differ: torch 2.12.1 and 2.13.0." in told
    assert "--anyway" in told


def test_an_open_answer_says_what_the_run_could_tell():
    assert "This run could tell changes of about 6.1 %." in words(build(undecided()))


def test_an_open_answer_without_bounds_is_not_told_by_bounds():
    said = words(build(undecided(low=None, high=None)))
    assert "too little for any bound" in said
    assert "bounds still reach" not in said


def test_the_culprit_is_named_where_the_search_found_it():
    assert "The first bad commit is 0badc0de." in words(build(slower(), culprit="0badc0de"))


def test_the_worst_stands_first_in_table_and_figure():
    made = build(finding("same"), slower("worst", 1.3), undecided("open"), slower("bad", 1.1), finding("better", 0.9))
    worst_first = ["worst", "bad", "open", "same", "better"]
    assert column(table(made, "Latency"), "benchmark") == worst_first
    assert column(figures(made)[0].data, "benchmark") == worst_first


def test_of_a_rate_the_lowest_is_the_worst():
    rate = {"metric": "throughput_tokens_per_s", "direction": 1}
    made = build(finding("up", 1.04, **rate), finding("down", 0.97, **rate))
    assert column(table(made, "Throughput"), "benchmark") == ["down", "up"]
    assert "further right is better" in figures(made)[0].svg


def test_every_verdict_stands_with_its_reason_and_resolution():
    made = table(build(undecided(), finding()), "Latency")
    assert cell(made, 0, "verdict") == "inconclusive"
    assert cell(made, 0, "resolution") == "6.1 %"
    assert cell(made, 0, "why") == "The time was used up before the answer was clear."
    assert cell(made, 0, "change") == "+3.0 % [-3.0 %, +9.0 %]"


def test_bytes_get_worse_and_seconds_slower():
    made = build(slower("a", metric="max_ram_B", unit="B"), slower("b"))
    assert cell(table(made, "Max RAM"), 0, "verdict") == "worse"
    assert cell(table(made, "Latency"), 0, "verdict") == "slower"


def test_limit_and_margin_are_drawn_where_all_benchmarks_share_them():
    one, several = build(finding("a"), finding("b")), build(finding("a"), finding("b", limit=0.1))
    assert "limit 1.05×" in figures(one)[0].svg
    assert "margin 1.02×" in figures(one)[0].svg
    assert "limit 1" not in figures(several)[0].svg


def test_a_change_without_bounds_is_drawn_hollow_and_said():
    (figure,) = figures(build(finding(low=None, high=None)))
    assert "A hollow mark has no bounds." in figure.caption


def test_a_figure_says_how_many_it_leaves_out():
    first = figures(section.build(study([], [comparisons.many(40)])))[0]
    assert len(first.data.rows) == plots.MOST_ROWS
    assert f"The {plots.MOST_ROWS} worst of 40" in first.caption


def test_equal_counts_are_a_sentence_and_changed_ones_a_table_with_their_difference():
    equal = build(finding(), exact(), exact(metric="parameters"))
    assert "All 2 exact counts are equal (FLOPs and parameters)." in words(equal)
    made = table(build(exact(), exact("b", 4_194_304, 4_194_305)), "Exact counts that changed")
    assert column(made, "benchmark") == ["b"]
    assert (cell(made, 0, "new"), cell(made, 0, "difference")) == ("4.19 MFLOP", "+1 FLOP")
    assert cell(made, 0, "verdict") == "more"
    assert made.note.startswith("Equal: 1 other.")


def test_only_facts_that_differ_are_listed():
    assert column(table(build(), "What differs between the sides"), "what") == ["name", "commit", "run", "torch"]
    alike = build(new=comparisons.BASE)
    assert "What differs between the sides" not in [each.caption for each in tables(alike)]


def test_earlier_comparisons_are_listed_by_their_answer_the_newest_first():
    made = section.build(study([], [comparison(finding()), comparison(undecided()), comparison(slower())]))
    assert made is not None
    assert made.lead.startswith("Regression")
    answers = column(table(made, "Earlier comparisons"), "answer")
    assert [answer.split()[0] for answer in answers] == ["Cannot", "No"]


def test_tests_are_called_by_their_name_where_that_tells_them_apart():
    assert short_names(["a.py::T::test_a[x::1]", "b.py::test_b"]) == ["test_a[x::1]", "test_b"]
    assert short_names(["a.py::test", "b.py::test"]) == ["a.py::test", "b.py::test"]


@given(st.lists(st.text("ab:/[", max_size=60), unique=True, max_size=20))
def test_no_two_rows_of_a_figure_look_alike(names):
    assert len(set(plots.row_labels(short_names(names)))) == len(names)


def test_no_number_on_the_page_has_more_digits_than_a_reader_needs():
    html = render_html.render(page.build([], "Gate", [comparisons.many(6)]))
    shown = re.sub(r"<svg.*?</svg>|<style>.*?</style>|<script>.*?</script>|<[^>]*>", " ", html, flags=re.DOTALL)
    assert not re.findall(r"\d+\.\d{4,}", shown)


@settings(max_examples=20)
@given(name=TEXT, value=st.floats() | st.none(), low=st.floats() | st.none(), limit=st.none() | st.floats(0.001, 10))
def test_any_name_and_number_makes_a_page(name, value, low, limit):
    strange = finding(name, base=value, new=value, ratio=value, low=low, high=value, resolved=low, limit=limit)
    counted = exact(name, base=1.0, new=value if value is not None and math.isfinite(value) else 2.0)
    made = comparison(strange, counted, notes=(name,), culprit=name)
    html = render_html.render(page.build([], name, [made]))
    assert html.count("<script") == 1
    html.encode()
