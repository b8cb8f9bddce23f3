import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench import host
from bench.ceilings import Ceiling, Measured, _cache
from bench.executors.local import cache_folder

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """What pytest said of two cases of the suite on a machine with made-up ceilings, and the JSON it wrote, by case."""
    folder = tmp_path_factory.mktemp("suite")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        facts, threads = host.describe(), host.usable_cores()
        figures = {
            "dispatch_empty_s": Ceiling(1e-6, "s", -1, "empty operator"),
            "matmul_fp32_FLOP_per_s": Ceiling(1e11, "FLOP/s", 1, "products"),
            "read_B_per_s": Ceiling(2e10, "B/s", 1, "reading"),
        }
        made = Measured(
            _cache.SCHEMA,
            str(facts["fingerprint"]),
            _cache.host_name(facts),
            "auto",
            threads,
            datetime.now(UTC).isoformat(),
            0.0,
            {"made up": figures},
        )
        _cache.write(_cache.path(facts, "auto", threads), made)
        assert cache_folder().is_relative_to(folder)
        cases = "lstm-nano-b1-decode or lstm-tiny-b1-int8-dynamic-train"
        out = folder / "benchmark.json"
        command = [
            sys.executable,
            "-m",
            "pytest",
            "bench/suite",
            "-k",
            cases,
            "--benchmark-json",
            str(out),
            "-q",
            "-rs",
        ]
        command += ["--benchmark-max-time=0.05", "--benchmark-min-rounds=3"]
        done = subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    return done.stdout, {found["param"]: found for found in json.loads(out.read_text())["benchmarks"]}


def test_the_suite_times_a_point_and_tells_its_costs_memory_energy_and_wall(run):
    _, benchmarks = run
    found = benchmarks["lstm-nano-b1-decode"]
    assert found["stats"]["median"] > 0
    info = found["extra_info"]
    assert info["costs"]["flops"] > 0
    assert info["read"]["max_ram_B"] > 0
    assert info["facts"]["stored_weights_B"] > 0
    # a number where there is a meter, else the reason in words
    assert isinstance(info["read"]["energy_J"], (str, float))
    assert info["read"]["energy_J"]
    assert 0 < info["wall"]["share"] <= 1
    assert info["wall"]["proof"] == "untested"


def test_what_this_build_cannot_do_is_skipped_with_the_reason(run):
    said, _ = run
    assert "1 skipped" in said
    assert "no gradient" in said
