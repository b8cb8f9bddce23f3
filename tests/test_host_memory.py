"""Host memory read around real allocations."""

import sys

import pytest

from bench import probes
from bench.probes import host_memory, host_memory_pss

MIB = 2**20
linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux'")


def touch(size):
    """Memory that is really resident: zeroed pages would be mapped only when written."""
    return b"\x01" * size


@pytest.fixture
def probe():
    found = probes.load("host_memory", "cpu")
    if reason := found.unavailable():
        pytest.skip(reason)
    return found


@linux
def test_the_peak_of_a_block_is_its_own(probe):
    with probe:
        touch(64 * MIB)
    spiked = probe.read()["max_ram_B"]
    with probe:
        pass
    calm = probe.read()["max_ram_B"]
    assert spiked - calm == pytest.approx(64 * MIB, abs=8 * MIB)


@linux
def test_every_reading_is_declared(probe):
    with probe:
        pass
    assert "max_ram_B" in probe.read()
    assert set(probe.read()) <= set(probe.provides)


@linux
def test_where_the_peak_cannot_be_reset_the_reason_is_told(tmp_path):
    reason = host_memory.HostMemory(clear_refs=tmp_path).unavailable()
    assert "does not let this process reset its peak memory" in reason


def test_without_proc_the_reason_is_told(tmp_path):
    reason = host_memory.HostMemory(status=tmp_path / "status").unavailable()
    assert "/proc" in reason
    assert "does not tell" in host_memory_pss.ProportionalMemory(tmp_path / "smaps_rollup").unavailable()


@linux
def test_the_proportional_set_size_holds_what_lives_on_after_the_block():
    probe = probes.load("host_memory_pss", "cpu")
    with probe:
        pass
    before = probe.read()["pss_B"]
    with probe:
        held = touch(64 * MIB)
    grown = probe.read()["pss_B"] - before
    assert len(held) == 64 * MIB
    assert grown == pytest.approx(64 * MIB, abs=8 * MIB)


def test_the_kernels_lines_are_told_apart(tmp_path):
    status, clear_refs, rollup = (tmp_path / name for name in ("status", "clear_refs", "smaps_rollup"))
    status.write_text("VmPeak:\t  99 kB\nVmHWM:\t  13 kB\nVmRSS:\t  12 kB\n")
    rollup.write_text("Rss:  9 kB\nPss:   5 kB\nPss_Anon:  4 kB\n")
    with host_memory.HostMemory(status, clear_refs) as peak, host_memory_pss.ProportionalMemory(rollup) as share:
        pass
    assert clear_refs.read_text() == "5"
    assert peak.read()["max_ram_B"] == 13 * 1024
    assert share.read()["pss_B"] == 5 * 1024
