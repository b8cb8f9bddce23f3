"""AMD's probe against a stand-in for AMD's module that replays a known power; the real one has never been met."""

import sys
import time
from types import SimpleNamespace

import pytest

from bench.probes import power_amd
from tests.amdsmi_double import Replay
from tests.doubles import Trace

STEADY = Trace([(0.0, 300.0)])
#: What a busy machine may make the probe say of itself: its thread came late.
LATE = {"few_edges", "window_too_short"}


@pytest.fixture
def rocm(monkeypatch):
    """A torch that calls AMD's GPUs cuda."""
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(version=SimpleNamespace(hip="7.0")))


@pytest.fixture
def install(monkeypatch, rocm):
    """Makes a replay the module `amdsmi`: `install(Replay(...))`."""
    for name in ("HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)

    def make(replay):
        monkeypatch.setitem(sys.modules, "amdsmi", replay.module())
        return replay

    return make


def measure(device="cuda:0", seconds=0.5, rest_s=0.0):
    probe = power_amd.probe(device)
    assert probe.unavailable() is None
    if rest_s:
        probe.settle_s, probe.rest_s = 0.0, rest_s
        probe.rest()
    with probe:
        time.sleep(seconds)
    return probe.read(), {warning.code for warning in probe.warnings()}


def test_average_power_is_the_replayed_one(install):
    replay = install(Replay(STEADY))
    readings, codes = measure(rest_s=0.3)
    assert set(readings) == set(power_amd.probe("cuda:0").provides)
    assert readings["avg_power_W"] == pytest.approx(300, rel=0.05) or codes & LATE
    assert readings["power_from_counter"] == 1
    assert readings["integrated_power_W"] == 300
    assert codes <= LATE | {"idle_unsettled"}
    assert replay.opened == 0


def test_readings_are_in_si_units(install):
    install(Replay(STEADY))
    readings, _ = measure(seconds=0.2)
    assert (readings["gfx_activity"], readings["gfx_clock_Hz"]) == (0.93, 2.1e9)
    assert readings["hotspot_temperature_C"] == 71


def test_a_counter_that_stands_still_is_replaced_by_the_readings_and_told(install):
    install(Replay(STEADY, frozen=True))
    readings, codes = measure()
    assert readings["avg_power_W"] == 300
    assert readings["power_from_counter"] == 0
    assert "few_edges" in codes


def test_a_counter_that_counts_wrongly_is_told_by_its_disagreement_with_the_readings(install):
    install(Replay(STEADY, scale=0.5))
    assert "meter_disagreement" in measure()[1]


def test_an_older_gpu_tells_an_average(install):
    install(Replay(STEADY, older=True))
    assert measure()[0]["integrated_power_W"] == 300


def test_what_a_gpu_does_not_answer_is_absent_and_never_zero(install):
    install(Replay(STEADY, fails=("amdsmi_get_gpu_activity", "amdsmi_get_temp_metric", "amdsmi_get_energy_count")))
    readings, codes = measure()
    assert not {"gfx_activity", "hotspot_temperature_C"} & set(readings)
    assert "no_energy_counter" in codes


def test_a_gpu_that_tells_neither_energy_nor_power_is_unavailable(install):
    install(Replay(STEADY, fails=("amdsmi_get_power_info", "amdsmi_get_energy_count")))
    assert power_amd.probe("cuda").unavailable() == "This GPU or its driver tells neither energy nor power."


@pytest.mark.parametrize(
    ("visible", "device", "watts"), [(None, "cuda:0", 600), ("1", "cuda:0", 300), ("1,0", "cuda:1", 600)]
)
def test_the_gpu_that_torch_means_is_read(install, monkeypatch, visible, device, watts):
    install(Replay(STEADY, order=(1, 0)))  # HIP numbers them the other way round; the second draws twice as much
    if visible:
        monkeypatch.setenv("HIP_VISIBLE_DEVICES", visible)
    assert measure(device, seconds=0.3)[0]["integrated_power_W"] == watts


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("ROCR_VISIBLE_DEVICES", "1", "ROCR_VISIBLE_DEVICES renumbers"),
        ("HIP_VISIBLE_DEVICES", "GPU-abc", "gives cuda:0 no number"),
        ("HIP_VISIBLE_DEVICES", "7", "no GPU that HIP numbers 7"),
    ],
)
def test_a_gpu_that_cannot_be_told_from_others_is_unavailable(install, monkeypatch, variable, value, said):
    install(Replay(STEADY, order=(0, 1)))
    monkeypatch.setenv(variable, value)
    assert said in power_amd.probe("cuda:0").unavailable()


@pytest.mark.parametrize("name", ["amdsmi_init", "amdsmi_get_processor_handles"])
def test_a_library_that_fails_is_a_reason(install, name):
    replay = install(Replay(STEADY, fails=(name,)))
    assert name in power_amd.probe("cuda").unavailable()
    assert replay.opened == 0


def test_a_missing_package_is_told_with_the_command_that_installs_it(rocm, monkeypatch):
    monkeypatch.setitem(sys.modules, "amdsmi", None)
    assert "pip install amdsmi" in power_amd.probe("cuda").unavailable()


def test_a_package_that_is_too_old_is_told(install, monkeypatch):
    module = Replay(STEADY).module()
    del module.amdsmi_get_gpu_enumeration_info
    monkeypatch.setitem(sys.modules, "amdsmi", module)
    assert "too old" in power_amd.probe("cuda").unavailable()


def test_without_an_amd_gpu_the_reason_says_so():
    assert "on the CPU" in power_amd.probe("cpu").unavailable()
    assert "not built for ROCm" in power_amd.probe("cuda").unavailable()


def test_every_label_of_a_power_says_that_no_real_gpu_was_met(rocm):
    labels = [
        info.label for name, info in power_amd.probe("cuda").provides.items() if name.startswith(("avg", "integ"))
    ]
    assert labels
    assert all("never tried on a real AMD GPU" in label for label in labels)
