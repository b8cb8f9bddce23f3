import os

import pytest

from bench import neighbours
from bench.neighbours import Neighbours, Process, busiest, census, family

SHELL, SWEEP, POINT, SIBLING, HELPER, STRANGER, MAKE = 10, 20, 30, 31, 40, 50, 60
BEFORE = {
    1: Process("init", 0, 5.0),
    SHELL: Process("bash", 1, 1.0),
    SWEEP: Process("pinchpoint", SHELL, 1.0),
    POINT: Process("python", SWEEP, 1.0),
    SIBLING: Process("python", SWEEP, 1.0),
    HELPER: Process("cc1plus", POINT, 0.0),
    STRANGER: Process("chrome", 1, 100.0),
    MAKE: Process("make", SHELL, 0.0),
}


def later(**seconds):
    """The same processes, some of which used that many more seconds, by name."""
    return {
        pid: Process(process.name, process.parent, process.seconds + seconds.get(process.name, 0.0))
        for pid, process in BEFORE.items()
    }


def test_the_sweeps_own_processes_are_not_foreign_and_a_shells_other_children_are():
    assert family(BEFORE, POINT) == {SHELL, SWEEP, POINT, SIBLING, HELPER}


def test_the_busiest_are_those_that_used_most_since_and_not_those_that_are_oldest():
    after = later(make=3.0, chrome=1.0, python=50.0, init=0.01) | {99: Process("stress", 1, 2.0)}
    assert busiest(BEFORE, after, family(after, POINT)) == ["make", "stress", "chrome"]
    assert busiest(BEFORE, BEFORE, ()) == []


def test_processes_are_read_whatever_brackets_their_names_hold(tmp_path):
    (tmp_path / "proc/7").mkdir(parents=True)
    (tmp_path / "proc/8").mkdir()  # it ended meanwhile
    columns = "S 3 7 7 0 -1 0 0 0 0 0 200 100 0 0 20 0 1 0 5 0 0"
    (tmp_path / "proc/7/stat").write_text(f"7 (a) (b) {columns}\n")
    found = census(tmp_path)
    assert set(found) == {7}
    assert (found[7].name, found[7].parent) == ("a) (b", 3)
    assert found[7].seconds == 300 / os.sysconf("SC_CLK_TCK")


@pytest.fixture
def walks(monkeypatch):
    """Processes as each walk finds them, and how many walks there were."""
    made = []

    def walk():
        made.append(1)
        return BEFORE if len(made) == 1 else later(chrome=9.0)

    monkeypatch.setattr(neighbours, "census", walk)
    monkeypatch.setattr(neighbours.os, "getpid", lambda: POINT)
    return made


def test_foreign_processes_are_named_once_and_only_when_they_were_in_the_way_for_long(walks):
    watcher = Neighbours()
    found = [watcher.after_block(0.5) for _ in range(30)]
    (warning,) = [warning for each in found for warning in each]
    assert warning.code == "foreign_load"
    assert "chrome" in warning.message
    assert found.index([warning]) == 2
    assert len(walks) == 2


def test_processes_are_walked_once_where_nobody_is_in_the_way(walks):
    watcher = Neighbours()
    assert not any(watcher.after_block(share) for share in [0.3, -0.3] * 20)
    assert not watcher.after_block(None)
    assert len(walks) == 1
