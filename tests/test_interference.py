import pytest

from bench import environment, interference, points
from bench.interference import Counters, Watch, readings, stalls
from bench.record import Block
from tests.test_control_group import V2, tree

STAT = (
    "cpu  9 9 9 9 9 9 9 9 9 9\n"
    "cpu0 {user} 10 20 5000 7 1 2 {steal} 0 0\n"
    "cpu1 100 10 20 5000 7 1 2 0 0 0\n"
    "cpu2 9000 0 0 0 0 0 0 9000 0 0\n"
    "intr 12345 6 7\n"
)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A root folder of a machine with three cores, of which we may use two; writes what it is asked to change."""
    monkeypatch.setattr(environment, "our_cores", lambda: [0, 1])
    monkeypatch.setattr(interference.os, "sysconf", lambda _: 100)
    monkeypatch.setattr(interference.sys, "platform", "linux")
    tree(tmp_path, V2, "0::/job\n", {"job/cpu.stat": "throttled_usec 0\n"})
    (tmp_path / "proc/pressure").mkdir()
    for core in (0, 1):
        folder = tmp_path / f"sys/devices/system/cpu/cpu{core}"
        (folder / "cpufreq").mkdir(parents=True)
        (folder / "thermal_throttle").mkdir()
        (folder / "cpufreq/scaling_cur_freq").write_text(f"{1_000_000 * (core + 1)}\n")

    def change(user=100, steal=0, throttled=0, events=0, stalled=0, swapped=0):
        (tmp_path / "proc/stat").write_text(STAT.format(user=user, steal=steal))
        (tmp_path / "proc/vmstat").write_text(f"nr_free_pages 1\npswpin {swapped}\npswpout 5\npgmajfault 3\n")
        (tmp_path / "sys/fs/cgroup/job/cpu.stat").write_text(f"usage_usec 1\nthrottled_usec {throttled}\n")
        core = tmp_path / "sys/devices/system/cpu/cpu0/thermal_throttle"
        (core / "core_throttle_count").write_text(f"{events}\n")
        for name in ("cpu", "memory", "io"):
            line = f"some avg10=0.00 avg60=0.00 avg300=0.00 total={stalled}\n"
            (tmp_path / "proc/pressure" / name).write_text(line + line.replace("some", "full"))

    change()
    return tmp_path, change


def test_the_kernels_counters_are_read_for_our_cores_alone(machine):
    root, change = machine
    watch = Watch(root)
    before = watch.look()
    change(user=150, steal=20, throttled=30_000, events=2, stalled=40_000, swapped=12)
    after = watch.look()
    assert (before.busy_s, before.stolen_s) == (2 * 1.33, 0)
    assert after.busy_s - before.busy_s == pytest.approx(0.5)
    assert after.stolen_s == pytest.approx(0.2)
    assert after.quota_throttled_s == pytest.approx(0.03)
    assert after.thermal_events == 2
    assert after.swapped_pages - before.swapped_pages == 12
    assert after.stalled_s == {"cpu": 0.04, "memory": 0.04, "io": 0.04}
    assert watch.clock_hertz() == 2e9
    assert watch.unavailable() == {}


def test_what_a_system_does_not_tell_is_absent_with_the_reason(tmp_path):
    watch = Watch(tmp_path)
    assert "steal_share" not in readings(watch.look(), watch.look())
    assert stalls(watch.look(), watch.look()) == {}
    assert watch.clock_hertz() is None
    assert set(watch.unavailable()) == set(interference.PROVIDES)


def test_foreign_load_is_what_the_cores_did_and_we_did_not():
    before = Counters(10.0, 2, busy_s=100.0, stolen_s=1.0, own_s=5.0, preemptions=3, major_faults=0)
    after = Counters(10.5, 2, busy_s=100.9, stolen_s=1.1, own_s=5.4, preemptions=8, major_faults=2)
    found = readings(before, after)
    assert found["foreign_share"] == pytest.approx(0.5)  # 0.9 s - 0.4 s of 2 cores for 0.5 s
    assert found["steal_share"] == pytest.approx(0.1)
    assert found["preemptions_per_s"] == pytest.approx(10)
    assert found["major_faults_per_s"] == pytest.approx(4)
    assert "swapped_pages_per_s" not in found


def test_points_that_sleep_on_a_pipe_are_no_foreign_load():
    # The cores did what this process did: siblings without processor time do not show, however many there are.
    before = Counters(0.0, 2, busy_s=7.0, own_s=1.0)
    assert readings(before, Counters(1.0, 2, busy_s=9.0, own_s=3.0))["foreign_share"] == 0


def test_a_stall_is_a_share_of_the_time_between_the_looks():
    before, after = Counters(0.0, 2, stalled_s={"memory": 1.0}), Counters(4.0, 2, stalled_s={"memory": 1.2, "io": 9.0})
    assert stalls(before, after) == {"memory_stall_share": pytest.approx(0.05)}


def blocks(**values):
    return [Block("timed", 0, i, 0.0, [10**6], readings=values) for i in range(3)]


@pytest.mark.parametrize(
    ("name", "harmless", "too_much", "code"),
    [
        ("steal_share", 0.009, 0.02, "noisy_host"),
        ("foreign_share", 0.015, 0.3, "foreign_load"),
        ("thermal_events_per_s", 0.0, 0.1, "throttled"),
        ("quota_throttled_share", 0.005, 0.2, "quota_throttled"),
        ("memory_stall_share", 0.005, 0.1, "memory_pressure"),
        ("swapped_pages_per_s", 50.0, 5000.0, "swapping"),
        ("major_faults_per_s", 50.0, 500.0, "page_faults"),
    ],
)
def test_a_disturbance_is_warned_about_from_its_threshold_on(name, harmless, too_much, code):
    assert interference.warnings(blocks(**{name: harmless})) == []
    (warning,) = interference.warnings(blocks(**{name: too_much}))
    assert warning.code == code
    assert warning.message.endswith(".")
    assert warning.remedy.endswith(".")


def test_a_block_counts_by_the_time_that_it_took():
    long, short = (Block("timed", 0, 0, 0.0, [ns], readings={"x": x}) for ns, x in ((9 * 10**6, 0.0), (10**6, 1.0)))
    assert interference.mean([long, short], "x") == pytest.approx(0.1)
    assert interference.mean([long], "y") is None


def test_a_block_carries_what_disturbed_it(tmp_path):
    from bench.session import Session

    settings = {"block_seconds": 0.005, "warmup_limit": 0.02, "corpus": None, "cache": str(tmp_path)}
    session = Session(points.point({"workload": "prefill", "sequence_length": 4}).axes, settings)
    provided = session.build()["provided"]
    block = session.block("timed", 0, 0)
    assert provided["foreign_share"]["combine"] == "mean"
    assert {"foreign_share", "steal_share"} <= set(block.readings) | set(session._unavailable)
    assert block.steal_share == block.readings.get("steal_share")
    assert "cpu_clock_Hz" in set(block.readings) | set(session._unavailable)
