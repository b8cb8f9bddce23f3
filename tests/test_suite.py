import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """What pytest said of three cases of the suite, and the JSON it wrote, by case."""
    out = tmp_path_factory.mktemp("suite") / "benchmark.json"
    cases = "lstm-nano-b1-decode or classifier or lstm-tiny-b1-int8-dynamic-train"
    command = [sys.executable, "-m", "pytest", "bench/suite", "-k", cases, "--benchmark-json", str(out), "-q", "-rs"]
    command += ["--benchmark-max-time=0.05", "--benchmark-min-rounds=3"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    return done.stdout, {found["param"]: found for found in json.loads(out.read_text())["benchmarks"]}


@pytest.mark.parametrize("case", ["lstm-nano-b1-decode", "classifier-nano-b1-classify"])
def test_the_suite_times_a_point_and_tells_its_costs_memory_energy_and_wall(run, case):
    _, benchmarks = run
    found = benchmarks[case]
    assert found["stats"]["median"] > 0
    info = found["extra_info"]
    assert info["costs"]["flops"] > 0
    assert info["read"]["max_ram_B"] > 0
    assert info["facts"]["stored_weights_B"] > 0
    # a number where there is a meter, else the reason in words
    assert isinstance(info["read"]["energy_J"], (str, float))
    assert info["read"]["energy_J"]
    # the wall with its share, where ceilings are kept, else the reason in words
    assert info["wall"]["share"] > 0 if isinstance(info["wall"], dict) else "ceilings" in info["wall"]


def test_what_this_build_cannot_do_is_skipped_with_the_reason(run):
    said, _ = run
    assert "1 skipped" in said
    assert "no gradient" in said
