from dataclasses import replace

import pytest

from bench import assembly, points
from bench.allotment import goal
from bench.opening import open_store
from bench.record import Block
from bench.spec import SETTING_DEFAULTS
from bench.store import Run

AXES = points.point({"workload": "decode"}).axes
RUN = Run("r", "quick", "2026-01-02T03:04:05+00:00", (AXES,), {"rounds": 2}, "", {"fingerprint": "f"})
REPORT = {
    "facts": {"start_ram_B": 100, "parameters": 3},
    "load_s": 1.0,
    "warmup_s": 2.0,
    "warnings": [{"code": "no_steady_state", "message": "m", "remedy": "r"}],
    "unavailable": {"power_nvml": "there is none."},
    "provided": {
        "max_ram_B": {"unit": "B", "direction": -1, "label": "peak", "combine": "max", "probe": "host_memory"},
        "ram_above_start_B": {"unit": "B", "direction": -1, "label": "own", "combine": "max", "probe": "host_memory"},
        "avg_power_W": {"unit": "W", "direction": 0, "label": "power", "combine": "median", "probe": "power_nvml"},
    },
    "started_at": "2026-01-02T03:04:06+00:00",
}


def block(round_):
    return Block("timed", 0, round_, 0.0, [16_000_000], 0.0, {"max_ram_B": 150.0, "ram_above_start_B": 50.0})


def test_a_record_holds_what_its_processes_reported_and_measured():
    made = assembly.record(RUN, AXES, [REPORT, REPORT | {"load_s": 3.0}], [block(0)], "ok", None)
    assert made.metrics["latency_s"].value == 0.016
    assert made.metrics["tpot_s"].value == 0.001
    assert made.metrics["ram_above_start_B"].value == 50
    assert made.metrics["avg_power_W"].reason == "there is none."
    assert made.load_s == 2.0
    assert made.started_at == REPORT["started_at"]
    assert made.facts["setting_rounds"] == 2
    assert [warning.code for warning in made.warnings] == ["no_steady_state"]


def test_a_point_that_never_started_has_a_reason_and_no_metrics():
    made = assembly.record(RUN, AXES, [], [], "crashed", "it was ended by SIGKILL")
    assert made.metrics == {}
    assert made.reason == "it was ended by SIGKILL"
    assert made.costs["flops"] > 0


def test_blocks_without_a_record_become_an_interrupted_record(tmp_path):
    with open_store(str(tmp_path), create=True) as store:
        store.add_run(RUN)
        assert assembly.unfinished(store, RUN) == []
        store.add_child("r", points.point(AXES).id, 0, REPORT)
        store.add_block("r", points.point(AXES).id, block(0))
        (made,) = assembly.unfinished(store, RUN)
        assert made.status == "interrupted"
        assert "--resume" in made.reason
        store.put_record(assembly.record(RUN, AXES, [REPORT], [block(0)], "ok", None))
        assert assembly.unfinished(store, RUN) == []


def test_bytes_of_a_quantized_model_are_not_given_out_for_exact():
    axes = points.point({"workload": "decode", "quantize": "int8-dynamic"}).axes
    made = assembly.record(RUN, axes, [REPORT], [block(0)], "ok", None)
    assert made.costs["flops"] > 0
    assert not {"weights_B", "bytes_moved", "memory_B"} & set(made.costs)
    assert "weights_B: they are counted in the format before quantization" in made.facts["uncounted"]


def test_the_optimizers_state_is_what_the_process_counted():
    axes = points.point({"workload": "train", "optimizer": "adamw-8bit"}).axes
    counted = REPORT | {"facts": {"optimizer_state_B": 1234}}
    assert assembly.record(RUN, axes, [counted], [block(0)], "ok", None).costs["optimizer_B"] == 1234
    untold = assembly.record(RUN, axes, [], [], "crashed", "it ended")
    assert "optimizer_B" not in untold.costs
    assert "optimizer_B: torchao" in untold.facts["uncounted"]


def test_a_plain_model_has_every_count():
    made = assembly.record(RUN, points.point({}).axes, [REPORT], [block(0)], "ok", None)
    assert {"weights_B", "bytes_moved", "memory_B", "activations_B", "optimizer_B"} <= set(made.costs)
    assert "uncounted" not in made.facts


def test_settings_that_harm_the_figures_are_warned_about_with_the_threads_that_were_used():
    facts = REPORT["facts"] | {"threads": 4}
    run = Run("r", "quick", RUN.started_at, (AXES,), {}, "", {"fingerprint": "f", "cores": 2})
    made = assembly.record(run, AXES, [REPORT | {"facts": facts}], [block(0)], "ok", None)
    assert "oversubscribed" in [warning.code for warning in made.warnings]


def test_intervals_pay_for_stopping_on_precision_and_the_record_says_what_they_are():
    fixed = replace(RUN, settings={"rounds": 5, "repetitions": 2})
    made = assembly.record(fixed, AXES, [REPORT], [block(0)], "ok", None)
    assert made.facts["interval_confidence"] == pytest.approx(0.95)
    looked_at = replace(RUN, settings={"rounds": 5, "repetitions": 32})
    made = assembly.record(looked_at, AXES, [REPORT], [block(0)], "ok", None)
    assert made.facts["interval_confidence"] == goal(SETTING_DEFAULTS).printed_confidence
    assert made.facts["interval_confidence"] > 0.95
