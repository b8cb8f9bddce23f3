"""Workload profiles: what they hold, and what a sweep makes of them."""

import re

import pytest

from bench import axes, profiles, spec
from bench.profiles import PROFILES
from reports.sections import setup
from reports.study import study
from tests.factories import record

FIGURES = [
    pytest.param(figure, id=f"{name} {axis}")
    for name, profile in PROFILES.items()
    for axis, figure in profile.figures.items()
]


@pytest.mark.parametrize("figure", FIGURES)
def test_a_number_has_a_source_that_can_be_looked_up_or_says_why_it_is_assumed(figure):
    assert bool(figure.url) != bool(figure.assumed)
    assert bool(figure.url) == bool(figure.says)
    assert figure.source.startswith("assumed: ") or figure.url.startswith("https://")


@pytest.mark.parametrize("figure", [figure for figure in FIGURES if figure.values[0].url])
def test_a_number_with_a_source_is_what_the_source_says_rounded(figure):
    said = map(float, re.findall(r"\d+(?:\.\d+)?", figure.says))
    assert figure.value in [round(number) for number in said]


@pytest.mark.parametrize("name", PROFILES)
def test_every_number_of_a_profile_is_allowed_on_its_axis(name):
    for axis, figure in PROFILES[name].figures.items():
        assert axes.find(axis).parse(figure.value) == figure.value


@pytest.mark.parametrize("name", ["classify", "sentiment"])
def test_a_profile_that_generates_nothing_says_so_and_its_one_token_is_called_assumed(name):
    assert "nothing is generated" in PROFILES[name].description
    assert PROFILES[name].output_tokens.value == 1
    assert PROFILES[name].output_tokens.assumed


def test_the_shipped_sweep_has_every_profile_that_generates_in_prefill_and_decode():
    points = [point.axes for point in spec.read("profiles", {}, {}).points]
    generating = {name for name, profile in PROFILES.items() if profile.output_tokens.value > 1}
    assert {(p["profile"], p["workload"]) for p in points} == {
        (name, workload) for name in generating for workload in ("prefill", "decode")
    }


def test_what_is_given_itself_wins_over_the_profile():
    assert profiles.fill({"profile": "code", "batch_size": 8}) == {
        "profile": "code",
        "batch_size": 8,
        "sequence_length": 1500,
        "generated_length": 13,
    }
    assert profiles.fill({"profile": "none", "seed": 1}) == {"profile": "none", "seed": 1}


def rows(*records):
    tables = {table.caption: table for table in setup.build(study(records)).parts}
    found = tables.get("The workload profiles")
    return [[cell.text for cell in row] for row in found.rows] if found else []


def test_a_report_shows_the_profiles_that_were_used_with_the_source_of_each_number():
    shown = rows(record(profile="chat"), record(profile="code"))
    assert [row[:2] for row in shown if row[0]] == [
        ["chat", PROFILES["chat"].description],
        ["code", PROFILES["code"].description],
    ]
    assert [row[3] for row in shown] == ["30", "161", "338", "1", "1500", "13"]
    assert shown[1][4] == PROFILES["chat"].prompt_tokens.source
    assert shown[3][4].startswith("assumed: ")


def test_a_report_does_not_credit_the_source_with_a_number_that_the_sweep_gave():
    batch = rows(record(profile="chat", batch_size=4), record(profile="chat", batch_size=30))[0]
    assert batch[3] == "4, 30"
    assert batch[4].startswith("given in the sweep; the profile has 30: ")


def test_a_report_without_profiles_has_no_table_of_them():
    assert rows(record(batch_size=4)) == []
