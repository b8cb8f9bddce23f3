import json
import os
import subprocess
import sys

import pytest

from tests import doubles


def doctor(*arguments, **environment):
    command = [sys.executable, "-P", "-m", "bench.cli", "doctor", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | environment)
    return done.stdout


def test_doctor_says_what_can_be_run_and_read_here_and_why_not_the_rest():
    found = json.loads(doctor("--json"))
    assert found["host"]["cores"] >= 1
    assert "host_name" not in found["host"]
    formats = found["devices"]["cpu"]["formats"]
    assert formats["fp32"] == {"train": None, "prefill": None}
    assert "tensor cores" in formats["tf32"]["train"]
    compiles = found["devices"]["cpu"]["compile"]
    assert compiles is None or compiles.endswith(".")
    text = doctor()
    assert "run in fp32" in text
    assert "compile models" in text
    assert "watch steal and foreign load" in text
    assert max(len(line) for line in text.splitlines()) <= 80


def test_doctor_says_what_is_set_what_can_be_watched_and_what_to_change():
    found = json.loads(doctor("--json", OMP_NUM_THREADS="77"))
    assert found["host"]["thread_settings"].startswith("OMP_NUM_THREADS=77")
    assert set(found["readable"]) >= {"memory pressure", "clock of the processor", "counters of the processor (perf)"}
    (advice,) = [each for each in found["advice"] if each["code"] == "threads_contradicted"]
    assert "77" in advice["message"]
    assert "To change: OMP_NUM_THREADS is 77" in doctor(OMP_NUM_THREADS="77")


def test_without_a_compiler_nothing_can_be_compiled_and_the_rest_runs(tmp_path):
    found = json.loads(doctor("--json", PATH=str(tmp_path), CXX="g++"))["devices"]["cpu"]
    assert found["compile"].startswith("torch.compile needs a C++ compiler")
    assert found["formats"]["fp32"] == {"train": None, "prefill": None}


def test_a_compiled_point_without_a_compiler_is_an_unsupported_record(tmp_path, small_flags):
    command = [sys.executable, "-P", "-m", "bench.cli", "run", "--compile=compiled", "-o", "jsonl"]
    command += [f"--output-dir={tmp_path / 'out'}", *small_flags]
    environment = os.environ | {"PATH": "", "CXX": ""}  # a name that cannot be run at all
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    record = json.loads(done.stdout)
    assert record["status"] == "unsupported"
    assert record["reason"].startswith("torch.compile needs a C++ compiler")


@pytest.fixture
def gpu(tmp_path):
    """The environment in which the double's GPU is there: the real pynvml loads it."""
    if reason := doubles.why_not():
        pytest.skip(reason)
    doubles.Trace([(0, 100), (1000, 100)]).write(tmp_path / "trace")
    return {"LD_LIBRARY_PATH": str(doubles.build(tmp_path)), "NVML_DOUBLE_TRACE": str(tmp_path / "trace")}


def test_a_gpu_that_the_driver_knows_is_part_of_the_machine(gpu):
    found = json.loads(doctor("--json", **gpu))["host"]
    assert found["accelerator"]
    assert found["accelerators"] == 1
    assert found["power_limit_W"] > 0
    assert found["fingerprint"] != json.loads(doctor("--json"))["host"]["fingerprint"]


def test_a_gpu_that_this_torch_cannot_use_is_an_unsupported_record(gpu, tmp_path, small_flags):
    import torch

    if torch.backends.cuda.is_built():
        pytest.skip("this torch is built with CUDA")
    command = [sys.executable, "-P", "-m", "bench.cli", "run", "--device=cuda", "-o", "jsonl"]
    command += [f"--output-dir={tmp_path / 'out'}", *small_flags]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | gpu)
    record = json.loads(done.stdout)
    assert record["status"] == "unsupported"
    assert "built without CUDA" in record["reason"]
    assert done.returncode == 3
