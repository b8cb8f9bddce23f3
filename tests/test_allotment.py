"""Who gets another process, decided on made-up blocks."""

import math
import random

import pytest

from bench import allotment, points
from bench.allotment import Standing, decide
from bench.record import Block
from bench.spec import SETTING_DEFAULTS

ROUNDS = int(SETTING_DEFAULTS["rounds"])
REFERENCE, VARIANT = points.point({}), points.point({"prune": 0.5})
OTHER = points.point({"batch_size": 2})


def standing(processes, *, spread=0.001, spent_s=1.0, seed=0, groups="g"):
    """So many processes of a step of 1 ms, whose blocks differ by `spread`."""
    chance = random.Random(seed)
    blocks = [
        Block("timed", process, process * ROUNDS + n, 0.0, [round(1e6 * math.exp(chance.gauss(0, spread)))] * 3)
        for process in range(processes)
        for n in range(ROUNDS)
    ]
    return Standing([replace_group(block, f"{groups}{block.process}") for block in blocks], processes, spent_s)


def replace_group(block, group):
    return Block(block.kind, block.process, block.round, block.started_s, block.samples_ns, group=group)


def goal(**settings):
    return allotment.goal(SETTING_DEFAULTS | settings)


def test_a_variant_that_is_precise_at_its_first_look_stops_and_so_does_its_reference():
    found = decide({REFERENCE: standing(8), VARIANT: standing(8, seed=1)}, goal(), ROUNDS)
    assert found[VARIANT].stop == "precise"
    assert found[VARIANT].of == "ratio"
    assert found[VARIANT].half_width < 0.02
    assert found[REFERENCE].stop is not None


def test_a_reference_goes_on_with_a_variant_that_does():
    found = decide({REFERENCE: standing(8), VARIANT: standing(8, spread=0.5, seed=1)}, goal(), ROUNDS)
    assert found[VARIANT].stop is None
    assert found[REFERENCE].stop is None


def test_a_point_without_a_reference_stops_at_its_first_look_however_wide_it_is():
    found = decide({OTHER: standing(8, spread=0.5)}, goal(), ROUNDS)
    assert found[OTHER].stop == "looked"
    assert found[OTHER].of == "time"
    assert found[OTHER].half_width > 0.02


@pytest.mark.parametrize("processes", [1, 7])
def test_nothing_is_decided_on_values_before_the_first_look(processes):
    found = decide({REFERENCE: standing(processes), VARIANT: standing(processes)}, goal(), ROUNDS)
    assert found[VARIANT].stop is None


@pytest.mark.parametrize(
    ("processes", "spent_s", "stop"), [(1, 50, None), (2, 50, "budget"), (5, 16, None), (5, 17, "budget")]
)
def test_before_the_first_look_a_point_gets_two_processes_and_then_what_its_budget_pays_for(processes, spent_s, stop):
    group = {OTHER: standing(processes, spent_s=spent_s)}
    assert decide(group, goal(point_budget=20.0), ROUNDS)[OTHER].stop == stop


def test_a_noisy_variant_ends_with_its_last_process_and_says_so():
    settings = SETTING_DEFAULTS | {"repetitions": 8}
    wanted = allotment.goal(settings)
    group = {REFERENCE: standing(8), VARIANT: standing(8, spread=0.5, seed=1)}
    decision = decide(group, wanted, ROUNDS)[VARIANT]
    assert decision.stop == "cap"
    (warning,) = allotment.caution(decision, wanted, 8)
    assert warning.code == "imprecise"
    assert "8 processes were used up" in warning.message
    assert decision.facts()["half_width"] == decision.half_width


def test_too_few_processes_for_an_interval_are_told():
    wanted = goal(repetitions=2)
    decision = decide({REFERENCE: standing(2), VARIANT: standing(2)}, wanted, ROUNDS)[VARIANT]
    (warning,) = allotment.caution(decision, wanted, 2)
    assert "no 95 % interval" in warning.message
    assert "half_width" not in decision.facts()


def test_whoever_asks_for_no_precision_is_not_warned():
    wanted = goal(repetitions=2, precision_goal=0.0)
    decision = decide({REFERENCE: standing(2), VARIANT: standing(2)}, wanted, ROUNDS)[VARIANT]
    assert decision.stop == "cap"
    assert allotment.caution(decision, wanted, 2) == []


def test_a_variant_whose_blocks_met_no_reference_goes_on():
    group = {REFERENCE: standing(8, groups="g"), VARIANT: standing(8, groups="h")}
    assert decide(group, goal(), ROUNDS)[VARIANT].stop is None


def groups_of_spreads(*spreads):
    return [
        {REFERENCE: standing(8, spent_s=4.0), VARIANT: standing(8, spread=spread, seed=n, spent_s=4.0)}
        for n, spread in enumerate(spreads)
    ]


def test_the_group_with_the_widest_ratio_goes_on_first():
    assert allotment.next_group(groups_of_spreads(0.2, 0.5, 0.3), goal(), ROUNDS, math.inf) == 1


def test_no_group_goes_on_beyond_what_is_left_of_the_sweeps_budget():
    # Eight more processes of a pair that took 8 s for the first eight: 8 s more.
    assert allotment.next_group(groups_of_spreads(0.2, 0.5), goal(), ROUNDS, 8.1) == 1
    assert allotment.next_group(groups_of_spreads(0.2, 0.5), goal(), ROUNDS, 7.9) is None
