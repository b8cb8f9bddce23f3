import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench import opening as stores
from bench.errors import UserError
from bench.opening import open_store
from bench.record import Block
from bench.store import Run
from tests import factories

RUN = Run("r1", "quick", "2026-01-02T03:04:05+00:00", ({"size": "nano"},), {"rounds": 2}, "", {"fingerprint": "f"})


def block(round_, process=0, kind="timed"):
    return Block(kind, process, round_, 0.5, [10**9, 3], 0.0, {"max_ram_B": 1.5})


@contextmanager
def mounted(folder, *options):
    """A small file system of its own; skipped where this user may not mount."""
    folder.mkdir(exist_ok=True)
    done = subprocess.run(["mount", "-t", "tmpfs", *options, "tmpfs", str(folder)], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"may not mount a tmpfs here: {done.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_what_was_added_is_read_back_whole(tmp_path):
    made = factories.record()
    made = replace(made, blocks=sorted(made.blocks, key=lambda each: (each.process, each.round)))
    with open_store(str(tmp_path), create=True) as store:
        store.add_run(RUN)
        for each in made.blocks:
            store.add_block(made.run, made.point, each)
        store.put_record(made)
        store.add_child("r1", "p", 0, {"facts": {"parameters": 3}})
    with open_store(str(tmp_path)) as store:
        assert store.runs() == [RUN]
        assert store.records(made.run) == [made]
        assert store.children("r1", "p") == [{"facts": {"parameters": 3}}]
        assert store.statuses(made.run) == {made.point: "ok"}


def test_a_record_replaces_the_earlier_one_of_its_point(tmp_path):
    with open_store(str(tmp_path), create=True) as store:
        store.put_record(factories.record("interrupted", "Ctrl-C"))
        store.put_record(factories.record("crashed", "it was ended"))
        (found,) = store.records(factories.record().run)
    assert found.status == "crashed"


def test_facts_that_are_found_later_join_those_of_their_process(tmp_path):
    with open_store(str(tmp_path), create=True) as store:
        for process in (0, 1):
            store.add_child("r1", "p", process, {"facts": {"parameters": 3}, "load_s": 1.0})
        store.add_to_child("r1", "p", 0, {"facts": {"tracked_weights_B": 12}})
        first, second = store.children("r1", "p")
    assert first == {"facts": {"parameters": 3, "tracked_weights_B": 12}, "load_s": 1.0}
    assert second["facts"] == {"parameters": 3}


def test_the_same_block_cannot_be_kept_twice(tmp_path):
    with open_store(str(tmp_path), create=True) as store:
        store.add_block("r1", "p", block(0))
        with pytest.raises(UserError, match="could not be written"):
            store.add_block("r1", "p", block(0))


def test_a_copied_file_is_a_whole_store(tmp_path):
    with open_store(str(tmp_path), create=True) as store:
        store.add_run(RUN)
        store.add_block("r1", "p", block(0))
    shutil.copy(tmp_path / stores.FILE_NAME, tmp_path / "copy.db")
    with open_store(str(tmp_path / "copy.db")) as store:
        assert store.blocks("r1", "p") == [block(0)]


def kept_by_a_killed_process(folder):
    """A store whose writer was killed, so that its log was never folded in."""
    code = (
        "import os, sys; from bench.opening import *; from tests.test_store import *\n"
        "s = open_store(sys.argv[1], create=True); s.add_run(RUN); s.add_block('r1', 'p', block(0))\n"
        "os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(folder)], check=False)
    assert done.returncode == -9


def test_a_killed_writer_loses_no_block(tmp_path):
    kept_by_a_killed_process(tmp_path)
    assert (tmp_path / f"{stores.FILE_NAME}-wal").stat().st_size > 0
    with open_store(str(tmp_path)) as store:
        assert store.blocks("r1", "p") == [block(0)]


@pytest.mark.parametrize("killed", [False, True], ids=["closed", "killed"])
def test_a_store_in_a_read_only_folder_can_be_read(tmp_path, killed):
    with mounted(tmp_path / "disk") as disk:
        if killed:
            kept_by_a_killed_process(disk)
        else:
            with open_store(str(disk), create=True) as store:
                store.add_run(RUN)
                store.add_block("r1", "p", block(0))
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        with open_store(str(disk)) as store:
            assert store.runs() == [RUN]
            assert store.blocks("r1", "p") == [block(0)]
        with pytest.raises(UserError, match="cannot be written"):
            open_store(str(disk), create=True)


def test_a_full_disk_is_a_clear_error_and_leaves_an_intact_store(tmp_path):
    with mounted(tmp_path / "disk", "-o", "size=512k") as disk:
        kept = 0
        with (
            pytest.raises(UserError, match=r"could not be written.*Free some space"),
            open_store(str(disk), create=True) as store,
        ):
            store.add_run(RUN)
            for round_ in range(100_000):
                store.add_block("r1", "p", block(round_))
                kept += 1
        with open_store(str(disk)) as store:
            assert [each.round for each in store.blocks("r1", "p")] == list(range(kept))
        with closing(sqlite3.connect(disk / stores.FILE_NAME)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert kept > 10


@pytest.mark.parametrize("content", [b"", b"not a database at all, only text", os.urandom(5000)])
def test_a_file_that_is_no_store_of_ours_is_refused_and_left_alone(tmp_path, content):
    path = tmp_path / "x.sqlite"
    path.write_bytes(content)
    with pytest.raises(UserError, match="store of pinchpoint"):
        open_store(str(path))
    assert path.read_bytes() == content


def test_a_database_of_somebody_else_is_refused_and_left_alone(tmp_path):
    path = tmp_path / stores.FILE_NAME
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    before = path.read_bytes()
    with pytest.raises(UserError, match="no store of pinchpoint"):
        open_store(str(tmp_path), create=True)
    assert path.read_bytes() == before


def test_a_store_of_a_newer_version_asks_for_an_upgrade(tmp_path):
    open_store(str(tmp_path), create=True).close()
    with closing(sqlite3.connect(tmp_path / stores.FILE_NAME, isolation_level=None)) as connection:
        connection.execute("UPDATE pinchpoint_store SET layout = 99")
    with pytest.raises(UserError, match=r"newer pinchpoint \(layout 99.*Upgrade"):
        open_store(str(tmp_path))


def test_a_store_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match="no store at .*gone"):
        open_store(str(tmp_path / "gone"))


def test_a_url_is_opened_and_its_password_is_never_shown(tmp_path):
    with open_store(f"sqlite:///{tmp_path / 'by-url.db'}", create=True) as store:
        store.add_run(RUN)
    with open_store(f"sqlite:///{tmp_path / 'by-url.db'}") as store:
        assert store.runs() == [RUN]
    with pytest.raises(UserError) as caught:
        open_store("nosuchdriver://me:secret@host/db")
    assert "secret" not in str(caught.value)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(6)))
def test_blocks_come_back_in_the_order_of_measuring_however_they_were_kept(tmp_path_factory, order):
    made = [block(i % 3, process=i // 3) for i in range(6)]
    folder = tmp_path_factory.mktemp("store")
    with open_store(str(folder), create=True) as store:
        for i in order:
            each = made[i]
            store.add_block("r1", "p", Block(each.kind, each.process, i, 0.5, each.samples_ns, 0.0, {}))
        assert [each.round for each in store.blocks("r1", "p")] == list(range(6))
