"""Control groups read from trees that look like the kernel's, of both versions."""

import os
import sys

import pytest

from bench import control_group

V1 = (
    "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
    "35 31 0:32 {top} /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
)
V2 = "41 31 0:38 / /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw,nsdelegate\n"
HYBRID = V1.format(top="/") + "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"


def tree(root, mounts, groups, files):
    """A root folder with mountinfo, the groups of process 7 (and self), and files under /sys/fs/cgroup."""
    for pid in ("self", "7"):
        (root / "proc" / pid).mkdir(parents=True)
        (root / "proc" / pid / "cgroup").write_text(groups)
    (root / "proc/self/mountinfo").write_text("22 1 8:1 / / rw - ext4 /dev/root rw\n" + mounts)
    for name, text in files.items():
        path = root / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.fixture
def first(tmp_path):
    return tree(
        tmp_path,
        HYBRID,
        "4:memory:/job/child\n2:cpuacct:/\n1:cpu:/job\n0::/\n",
        {
            "memory/memory.limit_in_bytes": "9223372036854771712\n",
            "memory/job/memory.limit_in_bytes": "1000000\n",
            "memory/job/child/memory.limit_in_bytes": "2000000\n",
            "memory/job/child/memory.usage_in_bytes": "300\n",
            "memory/job/child/memory.max_usage_in_bytes": "400\n",
            "memory/job/child/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
            "cpu/cpu.cfs_quota_us": "-1\n",
            "cpu/cpu.cfs_period_us": "100000\n",
            "cpu/job/cpu.cfs_quota_us": "150000\n",
            "cpu/job/cpu.cfs_period_us": "100000\n",
        },
    )


@pytest.fixture
def second(tmp_path):
    return tree(
        tmp_path,
        V2,
        "0::/job/child\n",
        {
            "job/memory.max": "5000\n",
            "job/cpu.max": "50000 100000\n",
            "job/child/memory.max": "max\n",
            "job/child/memory.current": "30\n",
            "job/child/memory.peak": "40\n",
            "job/child/memory.events": "low 0\nhigh 0\nmax 9\noom 2\noom_kill 1\noom_group_kill 0\n",
            "job/child/cpu.max": "max 100000\n",
        },
    )


def test_version_1_is_read_beside_an_empty_version_2(first):
    assert control_group.memory_group(7, first).version == 1
    assert control_group.memory_limit_B(7, first) == 1_000_000
    assert control_group.memory_used_B(7, first) == 300
    assert control_group.memory_peak_B(7, first) == 400
    assert control_group.oom_kills(7, first) == 3
    assert control_group.cpu_quota(7, first) == 1.5


def test_version_2_is_read(second):
    assert control_group.memory_group(7, second).version == 2
    assert control_group.memory_limit_B(7, second) == 5000
    assert control_group.memory_used_B(7, second) == 30
    assert control_group.memory_peak_B(7, second) == 40
    assert control_group.oom_kills(7, second) == 1
    assert control_group.cpu_quota(7, second) == 0.5


@pytest.mark.parametrize("kept", [True, False])
def test_a_group_can_be_read_after_its_process_died(second, kept):
    group = control_group.memory_group(7, second)
    (second / "proc/7/cgroup").unlink()
    (second / "sys/fs/cgroup/job/child/memory.events").write_text("oom 3\noom_kill 2\n")
    if not kept:
        (second / "sys/fs/cgroup/job/child/memory.events").unlink()
    assert group.oom_kills() == (2 if kept else None)
    assert control_group.oom_kills(7, second) is None


def test_no_limit_is_none(tmp_path):
    root = tree(tmp_path, V2, "0::/\n", {"cgroup.procs": ""})
    assert control_group.memory_limit_B(root=root) is None
    assert control_group.cpu_quota(root=root) is None


def test_a_container_that_sees_its_own_group_as_the_mount_point_is_read_there(tmp_path):
    files = {"memory/memory.limit_in_bytes": "777\n"}
    root = tree(tmp_path, V1.format(top="/docker/abc"), "4:memory:/docker/abc\n", files)
    assert control_group.memory_limit_B(root=root) == 777


@pytest.mark.parametrize("place", ["/../elsewhere", "/gone"])
def test_a_group_outside_what_is_mounted_is_read_at_the_mount_point(tmp_path, place):
    root = tree(tmp_path, V2, f"0::{place}\n", {"memory.max": "888\n"})
    assert control_group.memory_limit_B(root=root) == 888


def test_a_system_without_control_groups_tells_nothing(tmp_path):
    assert control_group.memory_group(root=tmp_path) is None
    assert control_group.memory_limit_B(root=tmp_path) is None
    assert control_group.memory_used_B(root=tmp_path) is None
    assert control_group.oom_kills(root=tmp_path) is None
    assert control_group.cpu_quota(root=tmp_path) is None


@pytest.mark.skipif(sys.platform != "linux", reason="control groups are the Linux kernel's")
def test_this_process_and_its_number_are_in_the_same_group():
    assert control_group.memory_group() == control_group.memory_group(os.getpid())


def test_the_time_for_which_a_quota_stopped_a_group_is_read_from_either_version(tmp_path):
    first = tree(
        tmp_path / "1",
        V1.format(top="/"),
        "1:cpu:/job\n",
        {
            "cpu/cpu.stat": "nr_periods 0\nnr_throttled 0\nthrottled_time 0\n",
            "cpu/job/cpu.stat": "nr_periods 9\nnr_throttled 4\nthrottled_time 2500000000\n",
        },
    )
    second = tree(
        tmp_path / "2",
        V2,
        "0::/job/child\n",
        {
            "job/cpu.stat": "usage_usec 7\nnr_throttled 3\nthrottled_usec 1500000\n",
            "job/child/cpu.stat": "usage_usec 7\n",
        },
    )
    assert control_group.cpu_group(root=first).throttled_s() == 2.5
    assert control_group.cpu_group(root=second).throttled_s() == 1.5
