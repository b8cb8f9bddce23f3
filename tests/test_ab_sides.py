"""Environments of commits: made of whatever repository there is, or refused in a sentence; nothing is left behind."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from bench.ab import git, sides
from bench.errors import UserError
from tests.gated_repository import Repository, Work


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    made = Repository(tmp_path_factory.mktemp("project") / "work")
    made.commit("v1", Work(lines=20))
    made.commit("v2", Work(lines=21))
    return made


def test_a_shallow_clone_serves_for_what_it_holds(repository, tmp_path):
    shallow = tmp_path / "shallow"
    subprocess.run(
        ["git", "clone", "--quiet", "--depth", "1", f"file://{repository.folder}", str(shallow)],
        check=True, capture_output=True,
    )  # fmt: skip
    work = shallow / "benchmarks/work.py"
    work.write_text("LINES = 22\n")
    commit = git.commit(shallow, git.WORKING_TREE)
    git.copy(shallow, commit, tmp_path / "copy")
    assert (tmp_path / "copy/benchmarks/work.py").read_text() == "LINES = 22\n"


def test_what_git_says_is_told_with_the_command(repository, tmp_path):
    with pytest.raises(UserError, match="git checkout failed"):
        git.copy(repository.folder, "0" * 40, tmp_path / "copy")


def test_a_repository_without_commits_has_no_revision(tmp_path):
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    with pytest.raises(UserError, match="There is no revision 'main'"):
        sides.environment("main", tmp_path)


def test_a_repository_of_another_user_is_not_called_none(repository, monkeypatch):
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    with pytest.raises(UserError, match="another user's repository") as told:
        sides.environment("v1", repository.folder)
    assert "safe.directory" in told.value.remedy


def test_a_folder_that_a_side_lacks_is_told(repository):
    new = repository.folder / "untracked"
    new.mkdir(exist_ok=True)
    with pytest.raises(UserError, match="'v1' has no folder untracked"):
        sides.environment("v1", new)


def test_a_cache_that_cannot_be_written_is_told(repository, monkeypatch):
    monkeypatch.setattr(sides, "cache_folder", lambda: Path(os.devnull) / "pinchpoint")
    with pytest.raises(UserError, match="No environment can be made") as told:
        sides.environment("v1", repository.folder)
    assert "XDG_CACHE_HOME" in told.value.remedy


def test_a_build_that_is_stopped_leaves_no_process(tmp_path, monkeypatch):
    monkeypatch.setattr(sides, "_BUILD_LIMIT_S", 2.0)
    file = tmp_path / "pid"
    compiler = f"import os, pathlib, time; pathlib.Path({str(file)!r}).write_text(str(os.getpid())); time.sleep(600)"
    build = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {compiler!r}])"
    with pytest.raises(UserError, match="does not build"):
        sides._logged([sys.executable, "-c", build], tmp_path, "0" * 40)
    pid = int(file.read_text())
    ends = time.monotonic() + 10
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie":
        assert time.monotonic() < ends
        time.sleep(0.01)


def test_old_environments_are_removed_unless_they_may_be_in_use(tmp_path, monkeypatch):
    monkeypatch.setattr(sides, "_KEPT", 1)
    for name, age_s in (("new", 0), ("used", 3600), ("old", 24 * 3600)):
        (tmp_path / name / "venv").mkdir(parents=True)
        os.utime(tmp_path / name, (time.time() - age_s,) * 2)
    sides._forget_old(tmp_path)
    assert {each.name for each in tmp_path.iterdir()} == {"new", "used"}
