"""The executor with real children: whatever happens to one becomes a named outcome."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from bench import points
from bench.errors import UserError
from bench.executors.forking import Nursery
from bench.executors.local import Child, ChildFailed, inspect
from bench.record import from_json
from tests.conftest import NO_CEILINGS, QUICKLY, SMALL

SETTINGS = {"block_seconds": 0.001, "warmup_limit": 0, "corpus": None, "cache": None}


def build(**axes):
    return {"do": "build", "axes": points.point(SMALL | axes).axes, "settings": SETTINGS}


def block(round_=0):
    return {"do": "block", "kind": "timed", "round": round_, "process": 0}


@pytest.fixture(scope="module")
def nursery():
    with Nursery() as made:
        yield made


@pytest.fixture(params=["spawned", "forked"])
def child(request, nursery):
    made = Child(nursery if request.param == "forked" else None)
    made.ask(None, 60)
    assert made.forked == (request.param == "forked")
    yield made
    made.kill()


def test_a_child_builds_measures_and_ends(child):
    built = child.ask(build(), 60)["built"]
    assert built["facts"]["parameters"] > 0
    assert built["facts"]["device"] == "cpu"
    answer = child.ask(block(3), 60)["block"]
    assert answer["round"] == 3
    assert len(answer["samples_ns"]) == built["facts"]["iterations_per_block"]
    assert answer["readings"]["max_ram_B"] > built["facts"]["start_ram_B"] / 2
    child.ask_to_finish()
    child.finish()
    assert not psutil.pid_exists(child.pid)


def test_what_this_build_cannot_do_is_unsupported_with_the_reason(child):
    with pytest.raises(ChildFailed, match="unsupported: .*tf32"):
        child.ask(build(precision="tf32"), 60)


def test_more_memory_than_there_is_becomes_oom(child):
    with pytest.raises(ChildFailed, match="oom: .*allocate"):
        child.ask(build(vocabulary=1 << 24, embedding=1 << 16), 60)


def test_a_corpus_that_cannot_be_read_is_the_users_error_not_the_points(child, tmp_path):
    request = build()
    request["settings"] = SETTINGS | {"corpus": str(tmp_path / "gone.txt")}
    with pytest.raises(UserError, match="gone.txt"):
        child.ask(request, 60)


def test_a_killed_child_becomes_crashed(child):
    os.kill(child.pid, signal.SIGKILL)
    with pytest.raises(ChildFailed, match="crashed: it was ended by SIGKILL"):
        child.ask(build(), 60)


def test_a_child_without_an_answer_in_time_is_killed_and_becomes_timeout(child):
    os.kill(child.pid, signal.SIGSTOP)
    with pytest.raises(ChildFailed, match="timeout: it gave no answer within 0.2 s"):
        child.ask(build(), 0.2)
    assert not psutil.pid_exists(child.pid)


def test_a_child_dies_with_its_parent():
    code = "from bench.executors.local import Child; c = Child(); c.ask(None, 60); print(c.pid, flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    assert child.wait(10) is None or not child.is_running()


def small_group(limit_mb):
    """A memory control group of this test alone, or a skip that says why there is none."""
    for root, limit, extra in (
        (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes", ()),
        (Path("/sys/fs/cgroup"), "memory.max", ("memory.swap.max",)),
    ):
        folder = root / f"pinchpoint-test-{os.getpid()}"
        try:
            folder.mkdir()
            (folder / limit).write_text(str(limit_mb << 20))
            for name in extra:
                (folder / name).write_text("0")
        except OSError as error:
            reason = error
            if folder.exists():
                folder.rmdir()
            continue
        return folder
    pytest.skip(f"may not make a control group here: {reason}")


#: A sweep whose prediction sees no limit, so that it tries what does not fit, as a wrong prediction would.
BLIND = "from bench import cli, host; host.usable_memory_B = host.available_memory_B = lambda: 1 << 40; cli.main()"


@pytest.mark.parametrize(
    ("code", "status", "reason"),
    [
        (BLIND, "oom", "control group ran out"),
        ("from bench import cli; cli.main()", "does_not_fit", "it needs at least"),
    ],
    ids=["killed by the kernel", "predicted"],
)
def test_too_little_memory_in_a_control_group_is_named(tmp_path, code, status, reason):
    folder = small_group(700)
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in QUICKLY.items()] + [NO_CEILINGS]
    try:
        done = subprocess.run(
            [
                sys.executable,
                "-P",
                "-c",
                code,
                "run",
                "--size=base",
                "--batch-size=8",
                "--output=jsonl",
                *flags,
                f"--output-dir={tmp_path}",
            ],
            stdout=subprocess.PIPE,
            check=False,
            preexec_fn=lambda: (folder / "cgroup.procs").write_text(str(os.getpid())),
        )
    finally:
        folder.rmdir()
    record = from_json(done.stdout.decode())
    assert record.status == status
    assert reason in record.reason
    assert done.returncode == 3


def test_the_machine_is_looked_at_in_a_child():
    found = inspect()
    formats = found["devices"]["cpu"]["formats"]
    assert formats["fp32"] == {"train": None, "prefill": None}
    assert "tf32" in formats["tf32"]["prefill"]
    assert found["devices"]["cpu"]["probes"]["host_memory"] is None or "clear_refs" in str(found["devices"]["cpu"])
