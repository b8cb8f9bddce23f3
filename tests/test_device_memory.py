"""Device memory: torch's allocator, and what the driver counts for this process."""

import pytest

from bench import probes
from bench.probes import device_memory
from tests import doubles
from tests.doubles import Scenario, Trace

MIB = 2**20


@pytest.mark.parametrize("name", ["device_memory", "device_memory_nvml"])
def test_a_model_on_the_cpu_takes_no_memory_of_a_device(name):
    assert probes.load(name, "cpu").unavailable().startswith("The model runs on the CPU")


def test_a_build_without_cuda_says_so():
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device here")
    assert device_memory.probe("cuda:0").unavailable() == "This build of torch finds no CUDA device."


@pytest.mark.gpu
def test_the_allocators_peak_of_a_block_is_its_own():
    import torch

    if not torch.cuda.is_available():
        pytest.skip("there is no CUDA device here")
    probe = device_memory.probe("cuda:0")
    with probe:
        torch.empty(64 * MIB, dtype=torch.uint8, device="cuda:0")
    spiked = probe.read()
    with probe:
        pass
    assert spiked["max_allocated_B"] - probe.read()["max_allocated_B"] == 64 * MIB
    assert spiked["max_reserved_B"] >= spiked["max_allocated_B"]


@pytest.mark.skipif(doubles.why_not() is not None, reason=str(doubles.why_not()))
@pytest.mark.parametrize(
    ("faults", "readings", "warnings"),
    [
        ({}, {"max_process_vram_B": 2**30}, []),
        ({"PID": "1"}, {}, ["process_vram_unread"]),  # as in a container: the driver knows us by another number
    ],
)
def test_the_driver_tells_what_this_process_holds_or_the_reader_is_warned(tmp_path, faults, readings, warnings):
    scenario = Scenario(Trace([(0.0, 100.0)]), seconds=0.01, probe="device_memory_nvml", faults=faults)
    answer = doubles.finish(scenario.start(doubles.build(tmp_path), tmp_path / "script.txt"))
    assert answer["unavailable"] is None
    assert answer["readings"] == readings
    assert answer["warnings"] == warnings


@pytest.mark.skipif(doubles.why_not() is not None, reason=str(doubles.why_not()))
def test_a_driver_that_does_not_list_processes_makes_it_unavailable(tmp_path):
    faults = {"UNSUPPORTED": "memory"}
    scenario = Scenario(Trace([(0.0, 100.0)]), probe="device_memory_nvml", faults=faults)
    answer = doubles.finish(scenario.start(doubles.build(tmp_path), tmp_path / "script.txt"))
    assert "does not answer nvmlDeviceGetComputeRunningProcesses" in answer["unavailable"]
