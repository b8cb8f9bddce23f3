"""The power probe against the double: each fault of a real meter gives the right value or a warning."""

import itertools
import sys
import textwrap
from pathlib import Path

import pytest

from bench.probes import power_nvml
from tests import doubles
from tests.doubles import Scenario, Trace

pytestmark = pytest.mark.skipif(doubles.why_not() is not None, reason=str(doubles.why_not()))

STEADY = Trace([(0.0, 250.0)])
STEPS = Trace([(0.4 * i, (90.0, 310.0)[i % 2]) for i in range(20)], steps=True)
#: 60 W until the block begins at 2 s, 300 W from there on: a reading that looks back a second starts far too low.
LEAP = Trace([(0.0, 60.0), (2.0, 300.0)], steps=True)
#: 400 W in the last quarter of every tick and 80 W before: 160 W, of which a sensor of that duty sees 400.
PULSES = Trace([point for i in range(80) for point in ((0.1 * i, 80.0), (0.1 * i + 0.075, 400.0))], steps=True)

#: What a busy machine may make the probe say of itself: its thread came late.
LATE = {"few_edges", "window_too_short"}

SCENARIOS = {
    "steady": Scenario(STEADY),
    "steps": Scenario(STEPS),
    "rested": Scenario(LEAP, enter_s=1.0, rest_s=0.9, seconds=2.0),
    "averaged, no counter": Scenario(STEADY, seconds=2.4, faults={"AVERAGE_S": "1", "UNSUPPORTED": "energy,instant"}),
    "quarter duty, no counter": Scenario(PULSES, faults={"DUTY": "0.25", "UNSUPPORTED": "energy"}),
    "counter frozen": Scenario(STEADY, seconds=2.0, faults={"FREEZE_S": "0.7"}),
    "counter counts double": Scenario(STEADY, faults={"SCALE": "2"}),
    "averaged": Scenario(LEAP, enter_s=2.0, seconds=2.4, faults={"AVERAGE_S": "1", "UNSUPPORTED": "instant"}),
    "averaged beside instant": Scenario(LEAP, enter_s=2.0, faults={"AVERAGE_S": "1"}),
    "quarter duty, steady": Scenario(STEADY, faults={"DUTY": "0.25"}),
    "quarter duty, pulses": Scenario(PULSES, faults={"DUTY": "0.25"}),
    "counter reset": Scenario(STEPS, faults={"RESET_S": "0.7"}),
    "lost": Scenario(STEADY, faults={"LOST_S": "0.7"}),
    "lost before": Scenario(STEADY, faults={"LOST_S": "-1"}, seconds=0.2),
    "no counter": Scenario(STEADY, faults={"UNSUPPORTED": "energy"}),
    "neither": Scenario(STEADY, faults={"UNSUPPORTED": "energy,power,instant"}),
    "nothing but the counter": Scenario(
        STEADY, faults={"UNSUPPORTED": "power,instant,utilization,clocks,temperature,throttle"}
    ),
    "slow ticks": Scenario(STEADY, faults={"TICK_S": "5"}, enter_s=1.0),
    "throttled": Scenario(STEADY, faults={"THROTTLE": "0x44"}),
    "somebody set the clocks": Scenario(STEADY, faults={"THROTTLE": "0x02"}),
    "second GPU": Scenario(STEADY, device="cuda:1", faults={"GPUS": "2"}),
    "second GPU alone visible": Scenario(STEADY, faults={"GPUS": "2"}, environment={"CUDA_VISIBLE_DEVICES": "1"}),
    "second GPU by UUID": Scenario(STEADY, faults={"GPUS": "2"}, environment={"CUDA_VISIBLE_DEVICES": "GPU-000000a1"}),
    "hidden GPU": Scenario(STEADY, device="cuda:1", faults={"GPUS": "2"}, environment={"CUDA_VISIBLE_DEVICES": "0"}),
    "no driver": Scenario(STEADY, environment={"LD_LIBRARY_PATH": ""}),
}


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """Every scenario's answer. Five children at a time: they sleep most of their 1.5 s."""
    folder = tmp_path_factory.mktemp("nvml")
    library = doubles.build(folder)
    found = {}
    names = iter(SCENARIOS)
    while batch := list(itertools.islice(names, 5)):
        children = [SCENARIOS[name].start(library, folder / f"{name}.txt") for name in batch]
        found |= {name: doubles.finish(child) for name, child in zip(batch, children, strict=True)}
    return found


def assert_right_or_doubted(name, answer, within):
    """Within `within` of the known power; a busy machine may widen that, but then the probe has to say so."""
    error = abs(doubles.error(SCENARIOS[name], answer, "counter"))
    assert error <= within or LATE & set(answer["warnings"])


@pytest.mark.parametrize("name", ["steady", "steps", "averaged beside instant", "quarter duty, steady", "averaged"])
def test_average_power_is_the_scripts_by_the_energy_counter(answers, name):
    answer = answers[name]
    assert answer["readings"]["power_from_counter"] == 1
    assert answer["readings"]["avg_power_W"] == answer["counter"]["watts"]
    assert_right_or_doubted(name, answer, within=0.02)


@pytest.mark.parametrize("name", ["steady", "steps", "quarter duty, steady", "averaged", "no counter"])
def test_integrated_power_is_the_scripts(answers, name):
    assert doubles.error(SCENARIOS[name], answers[name], "integrated") == pytest.approx(0, abs=0.08)


def test_a_reading_averaged_over_a_second_does_not_bring_in_what_came_before_the_block(answers):
    assert answers["averaged"]["readings"]["integrated_power_W"] > 0.95 * 300


def test_a_steady_power_gives_no_doubt_about_the_meters(answers):
    assert set(answers["steady"]["warnings"]) <= LATE
    assert answers["steady"]["readings"]["power_doubtful"] == bool(answers["steady"]["warnings"])


def test_the_uncertainty_that_is_told_covers_the_error(answers):
    for name in ("steady", "steps", "averaged beside instant"):
        error = abs(doubles.error(SCENARIOS[name], answers[name], "counter"))
        assert error <= answers[name]["readings"]["power_uncertainty"] + 1e-4


def test_idle_power_is_read_before_the_block_and_subtracted(answers):
    readings = answers["rested"]["readings"]
    assert readings["idle_power_W"] == pytest.approx(60, rel=0.02) or "idle_unsettled" in answers["rested"]["warnings"]
    assert readings["net_power_W"] == readings["avg_power_W"] - readings["idle_power_W"]


def test_without_a_rest_there_is_no_net_power(answers):
    assert not {"idle_power_W", "net_power_W"} & set(answers["steady"]["readings"])


def test_a_sensor_that_sleeps_through_the_lows_is_told_by_the_disagreement_of_the_meters(answers):
    answer = answers["quarter duty, pulses"]
    assert "meter_disagreement" in answer["warnings"]
    assert_right_or_doubted("quarter duty, pulses", answer, within=0.03)


def test_a_counter_that_went_back_is_not_used(answers):
    answer = answers["counter reset"]
    assert "counter_reset" in answer["warnings"]
    assert answer["readings"]["power_from_counter"] == 0
    assert doubles.error(SCENARIOS["counter reset"], answer, "integrated") == pytest.approx(0, abs=0.15)


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("averaged, no counter", {"no_energy_counter", "averaged_power"}),
        ("quarter duty, no counter", {"no_energy_counter", "part_time_sensor"}),
        ("counter frozen", {"counter_frozen"}),
        ("counter counts double", {"meter_disagreement"}),
    ],
)
def test_a_known_weakness_of_the_meter_is_told_by_its_code(answers, name, codes):
    assert codes <= set(answers[name]["warnings"]) <= codes | LATE
    assert answers[name]["readings"]["power_doubtful"] == 1


def test_a_frozen_counter_is_not_used(answers):
    assert answers["counter frozen"]["readings"]["power_from_counter"] == 0
    assert doubles.error(SCENARIOS["counter frozen"], answers["counter frozen"], "integrated") == pytest.approx(
        0, abs=1e-3
    )


@pytest.mark.parametrize("name", ["lost", "lost before"])
def test_a_lost_gpu_gives_no_reading_but_a_warning_or_a_reason(answers, name):
    answer = answers[name]
    if answer["unavailable"] is None:
        assert answer["readings"] == {}
        assert answer["warnings"] == ["gpu_lost"]
    else:
        assert "lost" in answer["unavailable"]


def test_without_a_counter_the_integral_stands_in_and_says_so(answers):
    answer = answers["no counter"]
    assert answer["readings"]["power_from_counter"] == 0
    assert answer["readings"]["avg_power_W"] == answer["readings"]["integrated_power_W"]
    assert {"no_energy_counter"} <= set(answer["warnings"]) <= {"no_energy_counter"} | LATE


def test_a_gpu_that_tells_neither_energy_nor_power_is_unavailable(answers):
    assert answers["neither"]["unavailable"] == "This GPU or its driver tells neither energy nor power."


def test_what_a_gpu_does_not_answer_is_absent_and_never_zero(answers):
    assert set(answers["nothing but the counter"]["readings"]) == {
        "avg_power_W",
        "power_doubtful",
        "power_from_counter",
        "power_samples",
        "power_uncertainty",
        "power_window_s",
    }


def test_a_counter_that_hardly_ticks_is_not_trusted(answers):
    assert "few_edges" in answers["slow ticks"]["warnings"]  # none at all, here
    assert answers["slow ticks"]["readings"]["power_from_counter"] == 0


def test_clocks_temperature_and_utilization_are_in_si_units(answers):
    readings = answers["steady"]["readings"]
    assert readings["sm_clock_Hz"] == 1410e6
    assert readings["memory_clock_Hz"] == 1215e6
    assert readings["temperature_C"] == 61
    assert readings["gpu_utilization"] == pytest.approx(0.87)
    assert readings["throttled_share"] == 0


def test_every_reading_is_declared(answers):
    assert set(answers["rested"]["readings"]) == set(power_nvml.probe("cuda").provides)


def test_throttling_is_told(answers):
    assert answers["throttled"]["readings"]["throttled_share"] == 1
    assert "throttled" in answers["throttled"]["warnings"]


def test_clocks_that_somebody_set_are_no_throttling(answers):
    assert answers["somebody set the clocks"]["readings"]["throttled_share"] == 0


@pytest.mark.parametrize("name", ["second GPU", "second GPU alone visible", "second GPU by UUID"])
def test_the_gpu_that_cuda_means_is_read(answers, name):
    assert answers[name]["readings"]["avg_power_W"] == pytest.approx(2 * 250, rel=0.1)  # GPU 1 draws twice the script


@pytest.mark.parametrize(("uuid", "known"), [("000000a1-0000-0000-0000-000000000000", True), ("0", False)])
def test_the_gpu_is_found_by_the_uuid_that_torch_tells(tmp_path, uuid, known):
    """The driver may number GPUs differently from CUDA: here torch's first is NVML's second."""
    torch = f"""
        class version:
            hip = None
        class cuda:
            uuid = "{uuid}"
            is_available = staticmethod(lambda: True)
            get_device_properties = staticmethod(lambda index: cuda)
    """
    Path(tmp_path, "torch.py").write_text(textwrap.dedent(torch))
    Path(tmp_path, "sitecustomize.py").write_text("import torch")
    paths = {"PYTHONPATH": str(tmp_path)}
    scenario = Scenario(STEADY, seconds=0.5, faults={"GPUS": "2"}, environment=paths)
    answer = doubles.finish(scenario.start(doubles.build(tmp_path), tmp_path / "script.txt"))
    if known:
        assert answer["readings"]["avg_power_W"] == pytest.approx(2 * 250, rel=0.2)
    else:
        assert "NVML does not know this device" in answer["unavailable"]


def test_a_gpu_that_cuda_does_not_see_is_unavailable(answers):
    assert "CUDA_VISIBLE_DEVICES" in answers["hidden GPU"]["unavailable"]


def test_without_a_driver_the_reason_says_so_and_no_gpu_is_described(answers):
    assert "no NVIDIA driver" in answers["no driver"]["unavailable"]
    assert answers["no driver"]["gpus"] == []


def test_gpus_are_described_without_their_identity(answers):
    first, second = answers["second GPU"]["gpus"]
    assert second["name"] == "Test double 1"
    assert first == {
        "name": "Test double 0",
        "memory_B": 80 * 2**30,
        "power_limit_W": 350,
        "default_power_limit_W": 400,
        "max_sm_clock_Hz": 1755e6,
        "driver": "999.01",
    }


def test_no_thread_is_left_behind(answers):
    assert {answer["threads"] for answer in answers.values() if "threads" in answer} == {1}


def test_the_wrong_package_is_told_with_the_command_that_mends_it(monkeypatch, tmp_path):
    Path(tmp_path, "pynvml.py").write_text("def nvmlInit(): ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "pynvml", raising=False)
    reason = power_nvml.probe("cuda:0").unavailable()
    monkeypatch.delitem(sys.modules, "pynvml", raising=False)
    assert "pip uninstall -y pynvml; pip install" in reason


def test_a_missing_package_is_told_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert "pip install nvidia-ml-py" in power_nvml.probe("cuda:0").unavailable()


def test_a_model_on_the_cpu_has_no_gpu_to_read():
    expected = "The model runs on the CPU; NVML reads NVIDIA GPUs only."
    assert power_nvml.probe("cpu").unavailable() == expected
