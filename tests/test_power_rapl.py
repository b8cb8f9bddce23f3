"""RAPL's probe against a tree of counters that follow a known power."""

import time
from pathlib import Path

import pytest

from bench.probes import power_rapl
from bench.probes.power_rapl import PowerRapl
from tests.powercap_double import RANGE_J, Tree

POWER = ((0.0, 40.0), (0.6, 100.0))
#: What a busy machine may make the probe say of itself: its thread came late.
LATE = {"few_edges", "window_too_short"}


def measure(tree, device="cpu", seconds=0.8):
    """Rest during the first 0.6 s of the tree, at 40 W, and then a block at 100 W."""
    probe = PowerRapl(device, Path(tree.root))
    probe.settle_s, probe.rest_s = 0.0, 0.5
    with tree:
        probe.rest()
        time.sleep(max(tree.zero_s + 0.61 - time.perf_counter(), 0.0))
        with probe:
            time.sleep(seconds)
    return probe.read(), {warning.code for warning in probe.warnings()}


def test_the_power_of_a_cpu_is_that_of_packages_and_memory_less_what_they_draw_at_rest(tmp_path):
    readings, codes = measure(Tree(str(tmp_path), POWER))
    assert set(readings) == set(power_rapl.probe("cpu").provides)
    assert readings["avg_power_W"] == pytest.approx(readings["package_power_W"] + readings["dram_power_W"])
    assert readings["net_power_W"] == readings["avg_power_W"] - readings["idle_power_W"]
    if not codes:
        assert readings["avg_power_W"] == pytest.approx(110, rel=0.02)
        assert readings["idle_power_W"] == pytest.approx(44, rel=0.1)


def test_a_counter_that_wraps_around_in_the_block_counts_on(tmp_path):
    readings, codes = measure(Tree(str(tmp_path), POWER, before_wrap_J=60.0))
    assert "counter_reset" not in codes
    assert readings["avg_power_W"] == pytest.approx(110, rel=0.02) or codes & LATE


@pytest.mark.parametrize(
    ("fault", "code"), [({"reset_s": 1.0}, "counter_reset"), ({"frozen_s": 0.9}, "counter_frozen")]
)
def test_a_broken_counter_gives_no_power_but_a_warning(tmp_path, fault, code):
    readings, codes = measure(Tree(str(tmp_path), POWER, before_wrap_J=RANGE_J / 2, **fault), seconds=1.1)
    assert code in codes
    assert "avg_power_W" not in readings


def test_a_counter_that_disappears_in_the_block_is_told(tmp_path):
    assert "window_too_short" in measure(Tree(str(tmp_path), POWER, gone_s=1.0))[1]


def test_beside_a_gpu_only_its_own_names_are_used(tmp_path):
    readings, _ = measure(Tree(str(tmp_path), POWER), "cuda:0", seconds=0.3)
    assert set(readings) == {"package_power_W", "dram_power_W"}


def test_cores_and_the_platform_are_not_counted_twice(tmp_path):
    Tree(str(tmp_path), POWER)
    assert [domain.name for domain in power_rapl.domains(tmp_path)] == ["package-0", "package-0 dram"]


def test_without_counters_the_reason_says_so(tmp_path):
    assert "lists no package" in PowerRapl("cpu", tmp_path).unavailable()
    assert "lists no package" in PowerRapl("cpu", tmp_path / "missing").unavailable()


def test_a_counter_of_root_alone_is_told_with_the_command_that_opens_it(tmp_path, monkeypatch):
    Tree(str(tmp_path), POWER)
    read = Path.read_text

    def refuse(path, **how):
        if path.name == "energy_uj":
            raise PermissionError(13, "Permission denied")
        return read(path, **how)

    monkeypatch.setattr(Path, "read_text", refuse)  # the tests may run as root, whom no permission bits bind
    reason = PowerRapl("cpu", tmp_path).unavailable()
    assert f"sudo chmod a+r {tmp_path}/intel-rapl:*/energy_uj" in reason


def test_a_counter_that_holds_no_number_is_a_reason(tmp_path):
    Tree(str(tmp_path), POWER)
    Path(tmp_path, "intel-rapl:0", "energy_uj").write_text("nonsense\n")
    assert "cannot be read" in PowerRapl("cpu", tmp_path).unavailable()


def test_a_counter_that_is_gone_before_the_block_is_told(tmp_path):
    probe = PowerRapl("cpu", tmp_path)
    with probe:
        pass
    assert probe.read() == {}
    assert [warning.code for warning in probe.warnings()] == ["meter_lost"]
