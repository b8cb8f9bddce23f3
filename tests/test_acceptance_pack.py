import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import points, spec
from bench.errors import UserError
from reports import acceptance_files, acceptance_instructions, acceptance_limits
from reports.acceptance import judge
from reports.datasheets import Device
from reports.labels import plain
from reports.projection.answers import (
    Answer,
    Assumptions,
    Candidate,
    Cost,
    Estimate,
    Fit,
    Option,
    Outlook,
    Trust,
    Use,
    Workload,
)
from reports.projection.models import Model
from tests import factories
from tests.test_acceptance import at_most, pack, returned


def test_limits_from_own_records_ask_for_a_factor_in_the_direction_of_the_metric():
    own = [returned(), returned(workload="train"), factories.record("oom", "too large", workload="prefill")]
    found = acceptance_limits.from_records(own, ["latency_s", "throughput_tokens_per_s"], 2.0, {"latency_s": 3.0})
    time, rate = found.requirements[:2]
    assert time.limit == pytest.approx(own[0].metrics["latency_s"].value / 2)
    assert rate.limit == pytest.approx(own[0].metrics["throughput_tokens_per_s"].value * 2)
    assert (time.relation, rate.relation, time.weight, rate.weight) == ("at most", "at least", 3.0, 1.0)
    assert "measured in run a, divided by 2.00" in time.source
    assert found.left_out == ("nano, prefill: out of memory",)
    assert (
        judge(
            pack(*acceptance_limits.from_records(own[:1], factor=0.5, metrics=["latency_s"]).requirements), own[:1]
        ).exit_code
        == 0
    )


@pytest.mark.parametrize(
    ("records", "options", "says"),
    [
        ([replace(returned(), facts={"imported_from": "other"})], {}, "which pinchpoint cannot run"),
        ([factories.record("oom", "too large")], {}, "nothing that a vendor could measure"),
        ([], {}, "nothing that a vendor could measure"),
        ([returned()], {"metrics": ["latency"]}, "Did you mean 'latency_s'"),
        ([returned()], {"metrics": ["joules_per_token"]}, "joules_per_token: no probe reads it"),
        ([returned()], {"metrics": ["latency_s"], "factor": 0.0}, "asks for nothing"),
        ([returned()], {"metrics": ["latency_s"], "weights": {"tpot_s": 2.0}}, "No limit is on tpot_s"),
        ([returned()], {"metrics": ["latency_s"], "weights": {"latency_s": math.nan}}, "A weight of nan"),
    ],
)  # fmt: skip
def test_a_pack_that_asks_for_nothing_is_refused(records, options, says):
    with pytest.raises(UserError, match=says):
        acceptance_limits.from_records(records, **options)


def answer(devices=1, kind="estimate", **workload):
    draws = np.linspace(0.9, 1.1, 101)
    model = Model("Ours", 1, 1, 1, 2, 64, 64, 1, 64)
    asked = Workload(model, "bf16", "bf16", (Use("chat", 1.0, 100, 20),), **workload)
    candidate = Candidate(Device("NVIDIA L40S", "NVIDIA", "data-center"), devices)
    tpot, ttft = Estimate(0.010 * draws, "s", kind), Estimate(0.2 * draws, "s", kind)
    rate = Estimate(1000 * draws, "tokens/s")
    outlook = Outlook(
        candidate, Fit(True, 1, 2, {}, 8), 4, ttft, tpot, rate, rate, Estimate(300 * draws, "W"), None,
        Trust("measured"), "memory bandwidth",
    )  # fmt: skip
    option = Option(outlook, Cost(1, 1, None, None, None, None, None, None, None), 1)
    return Answer(asked, Assumptions(), (option,), (), "speed")


RUNS = {"architecture": "transformer", "size": "nano", "precision": "bf16"}


def test_limits_from_a_projection_are_the_worse_ends_of_its_intervals_or_the_buyers_own_where_stricter():
    found = acceptance_limits.from_answer(answer(ttft_s=0.15, tpot_s=0.05), RUNS, energy=True).requirements
    decode, prefill, energy = found
    assert (decode.metric, decode.limit) == ("tpot_s", pytest.approx(0.0109))
    assert points.point(decode.point).axes.items() >= (RUNS | {"workload": "decode", "batch_size": 4}).items()
    assert points.point(prefill.point).axes.items() >= {"batch_size": 1, "sequence_length": 100}.items()
    assert "worse end of the projected 90 % interval for NVIDIA L40S" in decode.source
    assert (prefill.metric, prefill.limit, prefill.source) == ("latency_s", 0.15, "the buyer's own limit")
    assert energy.limit == pytest.approx(300 * 0.010 / 4 * 1.09**2)


@pytest.mark.parametrize(
    ("given_answer", "runs", "says"),
    [
        (answer(), None, "cannot run Ours itself"),
        (answer(devices=4), RUNS, "one device at a time"),
        (answer(kind="at_least"), RUNS, "bounds alone"),
        (replace(answer(), options=()), RUNS, "No option"),
    ],
)
def test_a_projection_that_pinchpoint_cannot_check_makes_no_pack(given_answer, runs, says):
    with pytest.raises(UserError, match=says):
        acceptance_limits.from_answer(given_answer, runs)


SETTINGS = spec.choose_settings({})
POINTS = [
    {"architecture": "lstm", "workload": "decode", "batch_size": 8},
    {"architecture": "transformer", "profile": "chat", "workload": "decode", "batch_size": 1},
    {"architecture": "lstm", "quantize": "int8-dynamic", "dropout": 0.25, "threads": 2, "workload": "prefill"},
]  # fmt: skip


def written(**fields):
    asked = [at_most(0.25 / 3, **dict(each.given)) for each in map(points.point, POINTS)]
    return pack(*asked, settings=SETTINGS, **fields)


def test_the_spec_of_a_pack_is_read_by_a_sweep_as_the_very_points_of_its_limits():
    read = spec.parse(acceptance_files.spec(written()), "spec", {}, {})
    assert read.points == written().points
    assert read.settings == SETTINGS


WHOLE = written(left_out=('hf: \\ "none"',))


@settings(max_examples=10)
@given(st.text(max_size=40), st.lists(st.text(max_size=20), max_size=2))
def test_the_limits_of_a_pack_are_read_back_as_they_were_written(title, terms):
    asked = replace(WHOLE, title=plain(title), terms=tuple(map(plain, terms)))
    read = acceptance_files.parse(acceptance_files.limits(asked), "limits.toml")
    assert read.points == asked.points
    assert replace(read, requirements=()) == replace(asked, requirements=())
    assert [replace(each, point={}) for each in read.requirements] == [replace(e, point={}) for e in asked.requirements]


LIMITS = acceptance_files.limits(written())


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("schema = 1", "schema = 2", "reads up to 1"),
        ("weight = 1.0", "wieght = 1.0", "requirements.1.wieght"),
        ("weight = 1.0", "weight = -1.0", "greater than 0"),
        ('"at most"', '"below"', "requirements.1.relation"),
        ("batch_size = 8", "batch_size = 1, workload = 'decode'", "not TOML"),
        ('workload = "decode", batch_size = 8', 'workload = "dcode", batch_size = 8', "Did you mean 'decode'"),
    ],
)
def test_a_pack_that_is_wrong_names_what_is_wrong(old, new, says):
    assert old in LIMITS
    with pytest.raises(UserError, match=says):
        acceptance_files.parse(LIMITS.replace(old, new, 1), "limits.toml")


def test_a_limit_that_stands_twice_is_refused():
    twice = acceptance_files.limits(pack(at_most(1.0), at_most(2.0)))
    with pytest.raises(UserError, match="twice"):
        acceptance_files.parse(twice, "limits.toml")


def test_a_model_of_transformers_is_left_to_a_flag_that_the_instructions_name():
    model = {"architecture": "hf", "model": "org/name@0123abcd", "size": "own", "workload": "decode"}
    asked = pack(at_most(1.0, **model), settings=SETTINGS)
    assert "model" not in acceptance_files.spec(asked)
    assert "--model org/name --output-dir" in acceptance_instructions.render(asked, "seal", None)
    own = replace(returned(), axes=points.point(model).axes)
    (made,) = acceptance_limits.from_records([own], ["latency_s"]).requirements
    assert made.point == model


def test_the_instructions_say_what_to_install_run_and_send_back_and_what_is_asked():
    text = acceptance_instructions.render(written(terms=acceptance_instructions.TERMS), "0123456789ab", (60.0, 7200.0))
    for said in (
        "pip install pinchpoint==0.1.0",
        "pinchpoint sweep spec.toml --output-dir returned",
        "pinchpoint export returned -o jsonl",
        "0123456789ab",
        "1 min 00 s to 2 h 00 min",
        "at most 83.3 ms | 33.3 %",
        "there is no score",
    ):
        assert said in text
