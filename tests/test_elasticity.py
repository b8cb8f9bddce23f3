"""Elasticities from made-up experiments whose truth is known."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.record import Experiment
from reports.elasticity import effect, false_alarm, fit
from reports.proof import RULES, proof

RESOURCES = ("compute", "memory bandwidth", "dispatch")
#: What interventions do to the rates of the resources: no two resources are moved alike.
DESIGN = {
    "fewer_threads": (-0.69, -0.2, 0.0),
    "bandwidth_antagonist": (0.0, -0.5, 0.0),
    "cache_antagonist": (-0.02, 0.01, 0.0),
    "extra_dispatches": (0.0, 0.0, -0.5),
}


def experiment(name, rates, log, *, noise=0.0, processes=8, pairs=2, seed=0, null=False):
    """An experiment in so many processes that changed ln T by `log`, and the rates as given."""
    made = random.Random(f"{name} {seed}")
    numbers = [process for process in range(processes) for _ in range(pairs)]
    logs = [log + made.gauss(0, noise) for _ in numbers]
    rate_logs = {resource: [rate + made.gauss(0, noise) for _ in numbers] for resource, rate in rates.items()}
    return Experiment(name, logs, rates, null, None, numbers, rate_logs)


def experiments(truth, *, design=DESIGN, **how):
    """Those of a program whose ln T follows ln R with the elasticities `truth`."""
    found = []
    for name, moved in design.items():
        rates = dict(zip(RESOURCES, moved, strict=True))
        found.append(experiment(name, rates, -sum(truth[each] * rates[each] for each in RESOURCES), **how))
    return found


shares = st.floats(0, 1)


@given(st.tuples(shares, shares, shares))
@settings(max_examples=20)
def test_the_elasticities_of_a_program_that_follows_rates_alone_are_recovered(values):
    truth = dict(zip(RESOURCES, values, strict=True))
    found = fit(experiments(truth))
    for resource in RESOURCES:
        assert found.of(resource).value == pytest.approx(truth[resource], abs=1e-6)
        assert found.nonnegative[resource,] == pytest.approx(truth[resource], abs=1e-6)
    assert found.total.value == pytest.approx(sum(values), abs=1e-6)


def test_an_interval_holds_the_truth_most_of_the_time_and_has_a_width():
    truth = {"compute": 0.6, "memory bandwidth": 0.3, "dispatch": 0.1}
    held = widths = 0
    for seed in range(20):
        for each in fit(experiments(truth, noise=0.02, seed=seed)).elasticities:
            held += each.low <= truth[each.resources[0]] <= each.high
            widths += each.high - each.low
    assert held >= 51  # of 60; 95 % of them would be 57
    assert 0 < widths / 60 < 0.3


def test_the_sum_is_never_forced():
    found = fit(experiments({"compute": 0.1, "memory bandwidth": 0.1, "dispatch": 0.0}))
    assert found.total.value == pytest.approx(0.2)


def test_resources_that_were_moved_alike_get_one_elasticity_and_it_is_told():
    rates = [{"compute": -0.69, "cache": -0.6}, {"compute": -0.3, "cache": -0.26}]
    found = fit([experiment(str(place), each, 0.5 * -each["compute"]) for place, each in enumerate(rates)])
    (both,) = found.elasticities
    assert both.resources == ("compute", "cache")
    assert "compute and cache were moved alike" in " ".join(found.notes)


def test_an_ill_conditioned_design_is_told_and_has_no_intervals():
    design = {"fewer_threads": (-0.69, -0.2, -0.3), "bandwidth_antagonist": (0.0, -0.5, -0.4)}
    found = fit(experiments({"compute": 0.5, "memory bandwidth": 0.3, "dispatch": 0.2}, design=design))
    assert "ill-conditioned" in " ".join(found.notes)
    assert all(each.value is not None and each.low is None for each in found.elasticities)


def test_a_resource_that_nothing_moved_has_no_elasticity():
    design = {name: (*moved[:2], 0.01) for name, moved in DESIGN.items()}
    found = fit(experiments({"compute": 0.5, "memory bandwidth": 0.3, "dispatch": 0.2}, design=design))
    assert found.of("dispatch").value is None
    assert "no intervention" in found.of("dispatch").reason
    assert fit([]).total.value is None


def test_too_few_processes_give_no_interval():
    found = fit(experiments({"compute": 1.0, "memory bandwidth": 0.0, "dispatch": 0.0}, processes=5))
    assert found.of("compute").low is None
    assert "5 processes are too few" in " ".join(found.notes)


@pytest.mark.parametrize(("log", "noise", "alarm"), [(0.0, 0.01, False), (0.01, 0.001, False), (0.1, 0.01, True)])
def test_an_experiment_that_changed_nothing_alarms_only_where_it_seems_to_change_more_than_2_per_cent(
    log, noise, alarm
):
    assert false_alarm(experiment("nothing", {}, log, noise=noise, null=True)) == alarm
    assert not false_alarm(experiment("fewer_threads", {}, log, noise=noise))


def test_nulls_are_no_part_of_the_fit_and_prove_nothing():
    truth = {"compute": 0.6, "memory bandwidth": 0.3, "dispatch": 0.1}
    nulls = [experiment("nothing", {}, 0.5, null=True)]
    assert fit([*experiments(truth), *nulls]) == fit(experiments(truth))
    for wall in RULES:
        assert proof(wall, fit(nulls), nulls).verdict == "untested"


def verdict(wall, truth, *more):
    made = [*experiments(dict(zip(RESOURCES, truth, strict=True)), noise=0.003), *more]
    return proof(wall, fit(made), made)


def batch(log):
    return experiment("batch_scaling", {}, log, noise=0.003)


@pytest.mark.parametrize(
    ("wall", "truth", "batch_log", "expected"),
    [
        ("compute", (0.9, 0.1, 0.0), -0.1, "confirmed"),
        ("compute", (0.1, 0.9, 0.0), -0.5, "contradicted"),
        ("memory bandwidth", (0.1, 0.9, 0.0), -0.5, "confirmed"),
        ("memory bandwidth", (0.9, 0.1, 0.0), -0.1, "contradicted"),
        ("dispatch", (0.1, 0.1, 0.8), -0.6, "confirmed"),
        ("dispatch", (0.1, 0.1, 0.1), -0.6, "confirmed"),
        ("dispatch", (0.8, 0.1, 0.1), -0.1, "contradicted"),
        ("parallelism", (0.1, 0.1, 0.0), -0.1, "confirmed"),
        ("parallelism", (0.9, 0.1, 0.0), -0.1, "contradicted"),
        ("kernel", (0.9, 0.1, 0.0), -0.1, "confirmed"),
        ("kernel", (0.1, 0.9, 0.0), -0.1, "contradicted"),
        *(
            (wall, (0.3, 0.3, 0.3), -0.1, "untested")
            for wall in ("transfer", "power or thermal", "input", "unexplained")
        ),
    ],
)
def test_a_wall_is_borne_out_by_what_moves_its_resource(wall, truth, batch_log, expected):
    found = verdict(wall, truth, batch(batch_log))
    assert found.verdict == expected
    assert found.sentence.endswith(".")


@pytest.mark.parametrize(("log", "expected"), [(-0.7, "confirmed"), (-0.1, "untested"), (0.5, "untested")])
def test_a_kernel_falls_short_where_the_same_products_take_much_less(log, expected):
    truth = (0.5, 0.4, 0.0)
    found = verdict("kernel", truth, experiment("fastest_products", {}, log, noise=0.003))
    assert found.verdict == expected
    assert "the fastest product routines" in found.sentence.lower()
    assert verdict("kernel", truth).verdict == "untested"


@pytest.mark.parametrize(
    ("log", "noise", "expected"),
    [(-0.7, 0.003, "confirmed"), (-0.1, 0.003, "contradicted"), (-0.1, 0.3, "untested")],
)
def test_fresh_memory_is_the_wall_where_keeping_it_saves_a_quarter(log, noise, expected):
    kept = experiment("kept_memory", {}, log, noise=noise)
    assert verdict("allocation", (0.5, 0.1, 0.0), kept).verdict == expected
    assert verdict("allocation", (0.5, 0.1, 0.0)).verdict == "untested"


def test_the_sentence_says_what_each_experiment_cost():
    found = verdict("memory bandwidth", (0.0, math.log(1.43) / 0.5, 0.0))
    assert "Loading the memory bus cost 43 %" in found.sentence
    assert "a core busy within its cache changed nothing" in found.sentence


def test_an_antagonist_that_took_no_bandwidth_is_not_taken_for_a_proof():
    design = DESIGN | {"bandwidth_antagonist": (0.0, -0.01, 0.0), "fewer_threads": (-0.69, 0.0, 0.0)}
    made = experiments({"compute": 0.5, "memory bandwidth": 0.5, "dispatch": 0.0}, design=design)
    found = proof("memory bandwidth", fit(made), made)
    assert found.verdict == "untested"
    assert "took little of its bandwidth" in found.sentence


@pytest.mark.parametrize(("log", "expected"), [(0.15, "confirmed"), (0.0, "untested")])
def test_a_lower_power_limit_speaks_for_that_wall_and_never_against_it_as_heat_is_another_matter(log, expected):
    lowered = experiment("lower_power", {"power or thermal": math.log(0.75)}, log, noise=0.003)
    found = verdict("power or thermal", (0.5, 0.3, 0.1), lowered)
    assert found.verdict == expected
    assert "owering the power limit" in found.sentence
    assert ("heat may" in found.sentence) == (expected == "untested")


def test_where_no_power_limit_was_lowered_the_sentence_says_how_to_ask_or_why_not():
    assert "--try lower_power" in verdict("power or thermal", (0.5, 0.3, 0.1)).sentence
    refused = Experiment("lower_power", [], {}, reason="NVML does not permit it to this user; run it as root.")
    found = verdict("power or thermal", (0.5, 0.3, 0.1), refused)
    assert found.verdict == "untested"
    assert found.sentence == "The power limit was not lowered: NVML does not permit it to this user; run it as root."


def test_where_nothing_could_be_tried_the_reason_is_told():
    refused = [Experiment("fewer_threads", [], {}, reason="It runs with one thread already.")]
    found = proof("compute", fit(refused), refused)
    assert found.verdict == "untested"
    assert "one thread already" in found.sentence
    assert effect(refused[0]) is None
