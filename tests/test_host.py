import json
import subprocess

import pytest

from bench import host
from tests.test_control_group import V2, tree


def test_the_description_is_plain_and_names_what_makes_two_records_comparable():
    found = host.describe()
    json.dumps(found)
    assert set(host.IDENTITY) <= set(found)
    assert found["cores"] >= 1
    assert found["memory_B"] > 0
    assert found["torch"]


def test_the_branch_is_told_and_a_detached_checkout_has_none(tmp_path, monkeypatch):
    def git(*asked):
        named = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", "-C", str(tmp_path), *named, *asked], check=True, capture_output=True)

    monkeypatch.setattr(host, "__file__", str(tmp_path / "host.py"))
    assert host.describe()["git_branch"] is None
    git("init", "-b", "topic")
    git("commit", "--allow-empty", "-m", "one")
    assert host.describe()["git_branch"] == "topic"
    assert len(host.describe()["git_commit"]) == 12
    git("checkout", "--detach")
    assert host.describe()["git_branch"] is None


def test_the_fingerprint_changes_with_the_identity_and_with_nothing_else(monkeypatch):
    before = host.describe()["fingerprint"]
    monkeypatch.setattr(host.platform, "node", lambda: "elsewhere")
    assert host.describe()["fingerprint"] == before
    monkeypatch.setattr(host, "_cpu", lambda: "Another CPU")
    assert host.describe()["fingerprint"] != before


@pytest.mark.parametrize(
    ("quota", "allowed", "cores"), [(None, 64, 64), (2.0, 64, 2), (1.5, 64, 2), (0.2, 64, 1), (8.0, 4, 4)]
)
def test_a_control_groups_quota_limits_the_cores(monkeypatch, quota, allowed, cores):
    monkeypatch.setattr(host.os, "sched_getaffinity", lambda _: set(range(allowed)))
    monkeypatch.setattr(host.control_group, "cpu_quota", lambda **_: quota)
    assert host.usable_cores() == cores


def test_a_control_groups_limit_is_the_memory_there_is(monkeypatch):
    monkeypatch.setattr(host.control_group, "memory_limit_B", lambda: 1000)
    monkeypatch.setattr(host.control_group, "memory_used_B", lambda: 400)
    assert host.usable_memory_B() == 1000
    assert host.available_memory_B() == 600


def test_a_quota_of_two_cores_on_a_host_of_64_is_two_cores(tmp_path, monkeypatch):
    monkeypatch.setattr(host.os, "sched_getaffinity", lambda _: set(range(64)))
    root = tree(
        tmp_path, V2, "0::/job/child\n", {"job/cpu.max": "200000 100000\n", "job/child/cpu.max": "max 100000\n"}
    )
    assert host.usable_cores(root) == 2
