import io
import json
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from reports import render_project
from reports.projection.answers import Answer
from tests import answers


def printed(answer: Answer) -> str:
    out = io.StringIO()
    render_project.print_answer(answer, Console(file=out, width=80, highlight=False))
    return out.getvalue()


@pytest.fixture(scope="module")
def answer() -> Answer:
    return answers.answer()


@pytest.mark.parametrize("demand", [None, 5000.0])
def test_everything_fits_80_columns_and_no_figure_is_cut(demand):
    answer = answers.answer(demand=demand)
    text = printed(answer)
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    for option in answer.options:
        assert f"{option.outlook.ttft_s.likely * 1e3:.0f}" in text
    assert "2,270–2,750" in text


def test_where_figures_are_too_wide_a_time_goes_and_the_devices_stay(answer):
    """A bound in ns sets the unit of an estimate in s: without this, the column of the devices was gone."""
    best = answer.options[0]
    slow = replace(best.outlook, ttft_s=replace(best.outlook.ttft_s, draws=np.array([1e5, 2e5, 9e5])))
    options = (replace(best, outlook=slow), *answer.options[1:])
    text = printed(replace(answer, options=options))
    assert max(map(len, text.splitlines())) <= 80
    assert "in -o csv: TTFT" in text
    assert "MI325X" in text.partition("#")[2]


def test_it_begins_with_the_recommendation_and_tells_refusals_levers_and_notes(answer):
    text = " ".join(printed(answer).split())
    assert text.startswith("Buy 3 × AMD Instinct MI325X")
    assert "NVIDIA T4: The weights need 66 GiB and there are 16 GiB." in text
    assert "NVIDIA V100 32GB and Two V100: It has no fp8" in text
    assert answer.levers[1].sentence in text
    assert answer.notes[0] in text


def test_bounds_have_their_sign_and_what_misses_a_limit_is_told(answer):
    missing = replace(answer.options[1], meets=False, misses=("the first token comes late",))
    text = printed(replace(answer, options=(answers.bounds_only(), missing)))
    assert "≤ 8,000" in text
    assert "AMD Instinct MI300X: the first token comes late." in text


def test_without_prices_there_is_no_column_of_money():
    assert "Mtok" not in printed(answers.answer([0, 1], priced=False))


def test_control_characters_of_a_users_file_do_not_reach_the_terminal(answer):
    best = answer.options[0]
    device = replace(best.outlook.candidate.device, name="evil\x1b[31m [bold]name")
    option = replace(best, outlook=replace(best.outlook, candidate=replace(best.outlook.candidate, device=device)))
    text = printed(replace(answer, options=(option,), notes=("\x1b[2J",)))
    assert "\x1b" not in text
    assert "[bold]name" in text


def test_rows_hold_raw_numbers_with_bounds_and_reasons(answer):
    rows = render_project.rows(answer)
    first, last = rows[0], rows[-1]
    speed = answer.options[0].outlook.tokens_per_s
    assert (first["tokens_per_s_low"], first["tokens_per_s"], first["tokens_per_s_high"]) == (
        speed.low,
        speed.likely,
        speed.high,
    )
    assert first["reason_CO2_kg_month"].startswith("no grid intensity")
    assert last["refused"].startswith("It has no fp8")
    assert last["tokens_per_s"] is None
    assert len(rows) == len(answer.options) + len(answer.refusals)
    assert len({tuple(row) for row in rows}) == 1
    json.dumps(rows, allow_nan=False)


def test_a_bound_in_a_row_has_no_interval(answer):
    (row, *_) = render_project.rows(replace(answer, options=(answers.bounds_only(),)))
    assert row["tokens_per_s_kind"] == "at_most"
    assert row["tokens_per_s_low"] is None
    assert row["power_W"] is None
