import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    ("case", "energy"), [("lstm-tiny-b1-int8-dynamic-prefill", "energy_J"), ("lstm-nano-b1-decode", "energy_J")]
)
def test_the_suite_times_a_point_and_tells_its_costs_memory_and_energy(tmp_path, case, energy):
    out = tmp_path / "benchmark.json"
    command = [sys.executable, "-m", "pytest", "bench/suite", "-k", case, "--benchmark-json", str(out), "-q"]
    command += ["--benchmark-max-time=0.05", "--benchmark-min-rounds=3"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    (found,) = json.loads(out.read_text())["benchmarks"]
    assert found["stats"]["median"] > 0
    info = found["extra_info"]
    assert info["costs"]["flops"] > 0
    assert info["read"]["max_ram_B"] > 0
    assert info["facts"]["stored_weights_B"] > 0
    # a number where there is a meter, else the reason in words
    assert isinstance(info["read"][energy], (str, float))
    assert info["read"][energy]


def test_what_this_build_cannot_do_is_skipped_with_the_reason():
    command = [sys.executable, "-m", "pytest", "bench/suite", "-k", "lstm-tiny-b1-int8-dynamic-train", "-rs", "-q"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "1 skipped" in done.stdout
    assert "no gradient" in done.stdout
