import json
import re
from dataclasses import replace
from html import unescape

import numpy as np
import pytest

from reports import answer_words, page, render_html, render_markdown
from reports.document import Document, Formula, Inputs, Section
from reports.projection import ownership
from reports.projection.answers import Answer, Option
from reports.sections import _procurement_formulas as formulas
from tests import answers, factories, pages

HOSTILE = "<script>alert('x')</script>\"&$\\alpha$"


def document(answer: Answer) -> Document:
    return page.build([], "Hardware", answer=answer)


def section(answer: Answer, title: str = "What to buy or rent") -> Section:
    return next(each for each in document(answer).sections if each.title == title)


def inputs(answer: Answer) -> Inputs:
    return next(part for part in section(answer).parts if isinstance(part, Inputs))


def values(part: Inputs) -> dict[str, float]:
    return {field.key: field.value for _, fields in part.fields for field in fields}


def median(formula: Formula, given: dict[str, float]) -> float:
    """The formula's likely value as a browser computes it, from the draws that were kept."""

    def total(terms):
        found = np.zeros(1)
        for term in terms:
            scale = 1.0
            for factor in term.factors:
                scale *= (factor.offset + max(given[key] for key in factor.keys)) ** factor.power
            found = found + np.array(term.draws) * scale
        return found

    return float(np.median(total(formula.terms) / (total(formula.over) if formula.over else 1)))


@pytest.fixture(scope="module")
def answer() -> Answer:
    return answers.answer(demand=None)


def test_the_recommendation_says_what_how_many_how_fast_how_dear_and_how_sure(answer):
    told = section(answer).lead.replace("\u00a0", " ")
    best = answer.options[0]
    assert told.startswith(f"Buy one {answer_words.name(best)}, the best of 12 by owned cost.")
    for part in ("tokens/s [", "(limit: 500 ms)", "USD [", "months [", "interpolated", "cannot be told apart from"):
        assert part in told
    assert answer.levers[0].sentence in told


def test_a_demand_is_met_by_several_replicas():
    answer = answers.answer([3])
    told = section(answer).lead.replace("\u00a0", " ")
    assert f"{answer.options[0].cost.devices} × NVIDIA L40S, {answer.options[0].cost.replicas} replicas of 4" in told
    assert "where 5,000 tokens/s are asked for" in told


@pytest.mark.parametrize(("times", "way"), [(0.5, "rent"), (2.0, "buy"), (1.0, "either")])
def test_whatever_is_cheaper_in_nearly_all_draws_is_advised(times, way):
    option = answers.option(0, demand=None)
    rented = answers.around(times * option.cost.owned_per_Mtoken.likely, "USD/Mtoken", 0.1, 999)
    assert answer_words.way(Option(option.outlook, replace(option.cost, rented_per_Mtoken=rented))) == way


def test_where_renting_is_cheaper_the_reason_stands_instead_of_the_purchase():
    option = answers.option(0)
    dear = answers.prices(290_000.0, 2.9)
    cost = ownership.cost(option.outlook, 3, answers.DEFAULTS, dear, 5000.0)
    told = section(replace(answers.answer([0]), options=(replace(option, cost=cost, rank=1),))).lead
    assert told.startswith("Rent 6 ×")
    assert "Owning pays only after" in told
    assert "purchase" not in told


def test_bounds_are_told_as_bounds_and_recommend_nothing_for_sure(answer):
    told = section(replace(answer, options=(answers.bounds_only(),))).lead.replace("\u00a0", " ")
    assert "only limits are known" in told
    assert "at most 8,000 tokens/s" in told
    assert "at least 110 ms" in told
    assert "[" not in told.replace("tokens/s [", "")


def test_where_none_does_what_was_asked_the_nearest_is_named_with_what_it_misses(answer):
    missing = replace(answer.options[0], meets=False, misses=("its first token comes after 900 ms",))
    found = section(replace(answer, options=(missing,)), "Nothing to recommend")
    assert "its first token comes after 900 ms" in found.lead
    assert pages.cell(pages.tables(found)[0], 0, "rank") == "—"


def test_without_any_option_the_reasons_stand_alone(answer):
    found = section(replace(answer, options=(), levers=(), notes=()), "Nothing to recommend")
    (table,) = pages.tables(found)
    assert pages.column(table, "device") == ["NVIDIA T4", "NVIDIA V100 32GB, Two V100"]
    assert [each.title for each in document(replace(answer, options=())).sections] == ["Nothing to recommend"]


def test_without_prices_the_page_says_so_and_ranks_by_speed():
    answer = answers.answer([0, 1, 2], priced=False)
    found = section(answer)
    assert "No price is known" in pages.words(found)
    assert "there is no price to buy" in found.lead
    assert not any("USD" in column.name for column in inputs(answer).results.columns)
    assert inputs(answer).rank_by is None


def test_a_single_option_has_no_pictures_and_no_rivals():
    found = section(answers.answer([2]))
    assert not pages.figures(found)
    assert "best of" not in found.lead
    assert "of the draws" not in found.lead


def test_figures_have_few_digits_and_an_interval(answer):
    table = next(each for each in pages.tables(section(answer)) if each.caption == "What each option does")
    for column in ("TTFT", "TPOT", "speed"):
        for text in pages.column(table, column):
            assert re.fullmatch(r"[\d,.]+ \[[\d,.]+, [\d,.]+\]", text)
            assert all(len(number.replace(".", "").strip("0")) <= 4 for number in re.findall(r"[\d.]+", text))


def test_the_pictures_show_ties_and_the_front(answer):
    trade, costs = pages.figures(section(answer))
    assert pages.column(trade.data, "on the front").count("yes") == 2
    assert pages.column(costs.data, "rank")[:4] == ["1", "1", "1", "4"]


def test_an_option_that_misses_its_limits_is_neither_on_the_front_nor_ranked(answer):
    missing = replace(answer.options[0], meets=False, misses=("too slow",))
    changed = replace(answer, options=(*answer.options[1:], missing))
    trade = pages.figures(section(changed))[0]
    assert pages.column(trade.data, "on the front")[-1] == "no"
    assert len(changed.options) - 1 not in inputs(changed).ranked


def test_every_assumption_is_a_field_that_says_whether_it_is_a_default():
    part = inputs(answers.answer([0], assumptions=replace(answers.DEFAULTS, PUE=1.1, grid_g_per_kWh=380.0)))
    origins = {field.key: field.origin for field in part.fields[0][1]}
    assert origins["PUE"] == "given"
    assert origins["life_years"] == "default"
    assert "CO2 a month, kg" in [column.name for column in part.results.columns]


CHANGES = (
    {"life_years": 2.5},
    {"utilization": 0.3},
    {"utilization": 0.9, "rented_utilization": 0.5},
    {"electricity_per_kWh": 0.3, "PUE": 1.6, "hosting_per_kW_month": 150.0},
    {"system_share": 0.6, "system_W_share": 0.1, "idle_W_share": 0.8},
    {"grid_g_per_kWh": 50.0},
)


@pytest.mark.parametrize("change", CHANGES, ids="+".join)
@pytest.mark.parametrize("demand", [None, 5000.0])
def test_the_formulas_give_what_ownership_does_under_other_assumptions(change, demand, monkeypatch):
    monkeypatch.setattr(formulas, "_KEPT", answers.DRAWS)
    before = replace(answers.DEFAULTS, grid_g_per_kWh=380.0)
    option = answers.option(3, before, demand)
    part = inputs(answers.answer([3], demand=demand, assumptions=before))
    percent = {"utilization", "rented_utilization", "system_share", "system_W_share", "idle_W_share"}
    given = values(part) | {key: value * (100 if key in percent else 1) for key, value in change.items()}
    cost = option.cost
    prices = [price for price in (cost.bought_at, cost.rented_at) if price]
    after = ownership.cost(option.outlook, cost.replicas, replace(before, **change), prices, demand)
    found = formulas.formulas(option, demand, values(part))
    assert set(found) >= {"owned_per_Mtoken", "rented_per_Mtoken", "energy_kWh_month", "break_even_months"}
    for name, formula in found.items():
        told = getattr(after, name)
        if told is None:
            assert name == "break_even_months"
            assert not 0 < median(formula, given) <= 12 * given["life_years"]
        else:
            assert median(formula, given) == pytest.approx(getattr(told, "likely", told), rel=1e-4)


def test_the_draws_that_are_kept_tell_the_same_costs(answer):
    part = inputs(answer)
    for option, row in zip(answer.options, part.formulas, strict=True):
        assert median(row[3], values(part)) == pytest.approx(option.cost.owned_per_Mtoken.likely, rel=3e-3)


def test_a_reservation_is_paid_for_all_hours_in_the_formula_too():
    option = answers.option(0)
    prices = [replace(option.cost.rented_at, kind="reserved")]
    cost = ownership.cost(option.outlook, 2, answers.DEFAULTS, prices, None)
    key = formulas.renting("NVIDIA H100 SXM5 80GB")
    found = formulas.formulas(replace(option, cost=cost), None, {"utilization": 60.0, key: 2.9})
    likely = cost.rented_per_Mtoken.likely
    assert median(found["rented_per_Mtoken"], {"utilization": 30.0, key: 2.9}) == pytest.approx(2 * likely, rel=3e-3)


def test_a_formula_that_departs_from_the_answer_is_not_offered():
    option = answers.option(0)
    wrong = replace(option.cost, owned_per_Mtoken=answers.around(9.0, "USD/Mtoken", 0.1, 1))
    given = values(inputs(answers.answer([0])))
    assert "owned_per_Mtoken" not in formulas.formulas(replace(option, cost=wrong), 5000.0, given)


def test_bounds_are_not_computed_anew(answer):
    assert inputs(replace(answer, options=(answers.bounds_only(),))).formulas == ({},)


def test_the_engineer_reads_limits_memory_power_trust_and_sources(answer):
    found = section(answer, "For the engineer")
    captions = [table.caption for table in pages.tables(found)]
    assert captions == [
        "What limits each, its rates and power",
        "Memory of a replica",
        "How far each figure reaches",
        "Where the prices are from",
        "Where the figures of the devices are from",
    ]
    limits, memory, trust, prices, _ = pages.tables(found)
    assert set(pages.column(limits, "decode is limited by")) == {"memory bandwidth", "compute", "communication"}
    assert pages.column(memory, "weights")[0] == "66.1"
    assert "no device of this architecture was measured" in pages.column(trust, "why")[1]
    assert pages.column(prices, "of")[0] == "2026-05"


def test_other_sections_have_nothing_to_say_of_an_answer_alone(answer):
    assert [each.title for each in document(answer).sections] == ["What to buy or rent", "For the engineer"]


def test_an_answer_stands_before_what_was_measured(answer):
    titles = [each.title for each in page.build(factories.sweep(), "Both", answer=answer).sections]
    assert titles[:2] == ["What to buy or rent", "For the engineer"]
    assert len(titles) > 2


def test_markdown_shows_every_field_and_result_as_a_table(answer):
    text = render_markdown.render(document(answer))
    assert "| life of a device | 4 | years | default |" in text
    assert "**What each option costs**" in text


def test_hostile_names_are_shown_and_never_run(answer):
    best = answer.options[0]
    candidate = best.outlook.candidate
    named = replace(candidate, device=replace(candidate.device, name=HOSTILE, vendor=HOSTILE))
    option = replace(best, outlook=replace(best.outlook, candidate=named, limited_by=HOSTILE), misses=(HOSTILE,))
    changed = replace(
        answer,
        options=(option, *answer.options[1:]),
        notes=(HOSTILE,),
        refusals=(replace(answer.refusals[0], reason=HOSTILE),),
    )
    html = render_html.render(document(changed))
    assert len(re.findall("<script", html)) == 1
    model = json.loads(unescape(re.search(r'data-model="([^"]*)"', html)[1]))
    assert any(HOSTILE in json.dumps(row).replace("\\\\", "\\").replace('\\"', '"') for row in model["rows"])


def test_only_a_page_with_inputs_carries_their_script(answer):
    assert "Hazen" in render_html.render(document(answer))
    assert "Hazen" not in render_html.render(page.build(factories.sweep(), "Measured"))
