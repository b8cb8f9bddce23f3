import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import environment
from tests.test_control_group import V2, tree


def write(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A root folder with a laptop's settings, all of which can be read."""
    monkeypatch.setattr(environment, "our_cores", lambda: [0, 1, 4])
    tree(tmp_path, V2, "0::/job\n", {"job/cpu.max": "150000 100000\n"})
    cpu = "sys/devices/system/cpu"
    write(
        tmp_path,
        {
            f"{cpu}/cpu0/cpufreq/scaling_governor": "powersave\n",
            f"{cpu}/cpu0/cpufreq/cpuinfo_max_freq": "4700000\n",
            f"{cpu}/intel_pstate/no_turbo": "1\n",
            f"{cpu}/smt/active": "1\n",
            f"{cpu}/cpu0/node0/x": "",
            f"{cpu}/cpu1/node0/x": "",
            f"{cpu}/cpu4/node1/x": "",
            "sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never\n",
            "proc/meminfo": "MemTotal: 8000000 kB\nSwapTotal: 1000000 kB\nSwapFree: 500000 kB\n",
            "proc/sys/vm/swappiness": "60\n",
            "proc/sys/kernel/randomize_va_space": "2\n",
            "proc/self/maps": "7f00-7f01 r-xp 0 0:0 1 /usr/lib/libjemalloc.so.2\n7f02-7f03 r-xp 0 0:0 2 /lib/libc.so\n",
            "proc/cpuinfo": "model name : X\nflags : fpu sse hypervisor\n",
        },
    )
    return tmp_path


def test_the_settings_of_a_machine_are_read(machine):
    found = environment.read(machine, {"OMP_NUM_THREADS": "4", "KMP_BLOCKTIME": "0", "HOME": "/secret"})
    assert found == {
        "cpu_governor": "powersave",
        "cpu_max_Hz": 4.7e9,
        "turbo": "off",
        "smt": "on",
        "virtual_machine": "yes",
        "cores_allowed": "0-1,4",
        "cpu_quota_cores": 1.5,
        "numa_nodes": 2,
        "transparent_huge_pages": "madvise",
        "swap_used_B": 500_000 * 1024,
        "swappiness": 60,
        "aslr": "on",
        "allocator": "jemalloc",
        "thread_settings": "KMP_BLOCKTIME=0 OMP_NUM_THREADS=4",
    }
    json.dumps(found)


def test_what_cannot_be_read_is_none_and_not_warned_about(tmp_path):
    found = environment.read(tmp_path, {})
    assert {name for name, value in found.items() if value is not None} == {"cores_allowed"}
    assert environment.warnings(found | {"threads": 2, "cores": 2}) == []
    assert environment.warnings({}) == []


def test_turbo_is_also_read_where_another_driver_than_intels_switches_it(tmp_path):
    write(tmp_path, {"sys/devices/system/cpu/cpufreq/boost": "1\n"})
    assert environment.read(tmp_path, {})["turbo"] == "on"


@pytest.mark.parametrize(
    ("facts", "code", "seen"),
    [
        ({"cpu_governor": "powersave"}, "powersave", "powersave"),
        ({"threads": 8, "cores": 2}, "oversubscribed", "8 threads share 2 cores"),
        ({"threads": 2, "cores": 2, "cpu_quota_cores": 1.5}, "short_quota", "1.5 cores for 2 threads"),
        ({"threads": 2, "thread_settings": "OMP_NUM_THREADS=4"}, "threads_contradicted", "OMP_NUM_THREADS is 4"),
        ({"threads": 2, "thread_settings": "OMP_NUM_THREADS=4,2"}, "threads_contradicted", "4,2"),
        ({"thread_settings": "KMP_BLOCKTIME=infinite"}, "spinning_threads", "KMP_BLOCKTIME"),
        ({"thread_settings": "OMP_WAIT_POLICY=ACTIVE"}, "spinning_threads", "OMP_WAIT_POLICY"),
        ({"swap_used_B": 2**30, "memory_of_machine_B": 8 * 2**30}, "swap_in_use", "1,024 MiB"),
        ({"numa_nodes": 2}, "numa", "2 NUMA nodes"),
    ],
)
def test_a_setting_that_harms_the_figures_is_warned_about_with_the_value_seen(facts, code, seen):
    (warning,) = environment.warnings(facts)
    assert warning.code == code
    assert seen in warning.message
    assert warning.remedy.endswith((".", "..."))


@pytest.mark.parametrize(
    "facts",
    [
        {"cpu_governor": "performance"},
        {"threads": 2, "cores": 2, "cpu_quota_cores": 2.0, "thread_settings": "OMP_NUM_THREADS=2"},
        {"threads": 2, "thread_settings": "XOMP_NUM_THREADS=4 KMP_BLOCKTIME=0 OMP_WAIT_POLICY=passive"},
        {"swap_used_B": 2**20, "memory_of_machine_B": 8 * 2**30},
        {"numa_nodes": 1},
    ],
)
def test_harmless_settings_are_not_warned_about(facts):
    assert environment.warnings(facts) == []


@given(st.sets(st.integers(0, 300), min_size=1))
def test_a_list_of_cores_says_which_they_are(cores):
    ends = [part.split("-") for part in environment.listed(cores).split(",")]
    assert {core for end in ends for core in range(int(end[0]), int(end[-1]) + 1)} == cores


def test_what_can_be_watched_is_told_with_the_reason_for_the_rest(machine, monkeypatch):
    monkeypatch.setattr(environment.sys, "platform", "linux")
    write(machine, {"proc/stat": "cpu 1\n", "sys/fs/cgroup/job/cpu.stat": "throttled_usec 0\n"})
    found = environment.readable(machine)
    assert found["steal and foreign load"] is None
    assert found["throttling by quota"] is None
    assert found["clock of the processor"] == "the hypervisor hides it from a virtual machine"
    assert "psi=1" in found["memory pressure"]
    assert "without perf" in found["counters of the processor (perf)"]


@pytest.mark.parametrize(("level", "user", "permitted"), [("3", 1000, False), ("3", 0, True), ("2", 1000, True)])
def test_counters_of_the_processor_take_permission(machine, monkeypatch, level, user, permitted):
    monkeypatch.setattr(environment.sys, "platform", "linux")
    monkeypatch.setattr(environment.os, "geteuid", lambda: user)
    write(machine, {"proc/sys/kernel/perf_event_paranoid": level, "sys/bus/event_source/devices/cpu/type": "4"})
    reason = environment.readable(machine)["counters of the processor (perf)"]
    assert (reason is None) == permitted
