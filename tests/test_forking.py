"""Workers forked from a process that has imported torch: as good as fresh ones, and as sure to end.

What both kinds of children share is in test_local.py.
"""

import os
import subprocess
import sys

import psutil
import pytest

from bench.executors.forking import Nursery
from bench.executors.local import Child, ChildFailed
from tests.test_local import build


@pytest.fixture(scope="module")
def nursery():
    with Nursery() as made:
        yield made


@pytest.fixture
def child(nursery):
    made = Child(nursery)
    made.ask(None, 60)
    yield made
    made.kill()


def test_a_child_forked_after_another_ran_parallel_products_does_not_hang(nursery):
    for _ in range(2):
        child = Child(nursery)
        child.ask(None, 60)
        child.ask(build(vocabulary=4096, hidden=512, threads=2, workload="train"), 60)
        child.kill()


def test_children_do_not_share_a_layout_of_addresses(nursery):
    sizes = set()
    for _ in range(4):
        child = Child(nursery)
        child.ask(None, 60)
        sizes.add(psutil.Process(child.pid).memory_info().vms)
        child.kill()
    assert len(sizes) > 1  # each pushed what comes after by pages of its own


def test_what_a_child_wrote_last_is_in_the_reason(child):
    os.write(child._stdin, b"no request\n")
    with pytest.raises(ChildFailed, match="crashed: it ended with exit code 1; its last words: JSONDecodeError"):
        child.ask(build(), 60)


def test_children_end_with_their_nursery_and_the_next_ones_are_started_afresh():
    with Nursery() as nursery:
        child = Child(nursery)
        child.ask(None, 60)
        server = psutil.Process(child.pid).parent()
        server.kill()
        server.wait(10)
        with pytest.raises(ChildFailed, match="crashed: it was ended by SIGKILL"):
            child.ask(build(), 60)
        child.kill()
        later = Child(nursery)
        assert not later.forked
        later.ask(None, 60)
        later.kill()


def test_everything_dies_with_a_killed_parent():
    code = (
        "from bench.executors.forking import Nursery\n"
        "from bench.executors.local import Child\n"
        "n = Nursery(); c = Child(n); c.ask(None, 60); print(c.pid, flush=True); input()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        child = psutil.Process(int(parent.stdout.readline()))
        server = child.parent()
        parent.kill()
    _, alive = psutil.wait_procs([child, server], timeout=10)
    assert not [each for each in alive if each.status() != psutil.STATUS_ZOMBIE]
