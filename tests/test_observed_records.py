"""Observations and ceilings on their way from a child to a record."""

import json
import os
import signal
from dataclasses import asdict, replace
from datetime import UTC, datetime

import pytest

from bench import assembly, host, points, run_ceilings
from bench.ceilings import Ceiling, Measured, _cache, _gather
from bench.executors.local import Child
from bench.observation import Observation, Operator
from bench.opening import open_store
from bench.record import from_json, to_json
from bench.session import Session
from bench.store import Run
from tests import factories
from tests.test_assembly import AXES, REPORT, RUN, block

OPERATOR = Operator("aten::mm", "0", "product", "fp32", 2.0, 0.5, 8.0, 12.0, shape=(1, 2, 3))
OBSERVATION = Observation(1.0, "cpu", 2, 2, (OPERATOR,), 0.5, 1.5, unavailable={"read_s": "not told"})
CEILING = Ceiling(2e10, "B/s", 1, "read, memory", 1.9e10, 2.1e10, 9, how="torch.sum")


def kept(device, threads, facts):
    measured = Measured(
        _cache.SCHEMA,
        str(facts["fingerprint"]),
        _cache.host_name(facts),
        device,
        threads,
        datetime.now(UTC).isoformat(),
        0.0,
        {"bandwidth": {"read_B_per_s": CEILING}},
    )
    _cache.write(_cache.path(facts, device, threads), measured)


def test_an_observation_and_ceilings_survive_the_way_through_json_and_the_store(tmp_path):
    made = replace(factories.record(), blocks=[], observation=OBSERVATION, ceilings={"read_B_per_s": CEILING}, schema=2)
    assert from_json(to_json(made)) == made
    with open_store(str(tmp_path), create=True) as store:
        store.put_record(made)
        assert store.records(made.run) == [made]


def test_a_record_of_schema_1_has_neither(tmp_path):
    old = json.loads(to_json(factories.record())) | {"schema": 1}
    for later in ("observation", "ceilings", "experiments"):
        del old[later]
    read = from_json(json.dumps(old))
    assert (read.observation, read.ceilings, read.experiments) == (None, {}, [])


def test_the_record_takes_up_what_the_first_process_observed_and_its_runs_ceilings():
    key = run_ceilings.key(AXES, {"cores": 2})
    run = replace(RUN, host=RUN.host | {"cores": 2}, ceilings={key: {"read_B_per_s": CEILING}})
    report = json.loads(json.dumps(REPORT | {"observation": asdict(OBSERVATION)}))
    made = assembly.record(run, AXES, [report, REPORT], [block(0)], "ok", None)
    assert made.observation == OBSERVATION
    assert made.ceilings == {"read_B_per_s": CEILING}
    assert "unobserved" not in made.facts


def test_a_failed_observer_leaves_its_reason_and_an_ok_record():
    report = REPORT | {"observation": None, "unobserved": "RuntimeError: no profiler"}
    made = assembly.record(RUN, AXES, [report], [block(0)], "ok", None)
    assert (made.status, made.observation, made.facts["unobserved"]) == ("ok", None, "RuntimeError: no profiler")


def test_a_runs_ceilings_are_read_back_from_the_store(tmp_path):
    run = Run("r1", "quick", "2026-01-02", ({"size": "nano"},), {}, "", {"fingerprint": "f"})
    with open_store(str(tmp_path), create=True) as store:
        store.add_run(run)
        assert store.runs() == [run]
        with_ceilings = replace(run, ceilings={"auto, 2 threads": {"read_B_per_s": CEILING}})
        store.keep_ceilings(with_ceilings)
        assert store.runs() == [with_ceilings]


def test_what_is_added_to_a_childs_report_joins_it(tmp_path):
    with open_store(str(tmp_path), create=True) as store:
        store.add_child("r", "p", 0, {"facts": {}})
        store.add_to_child("r", "p", 0, {"observation": None})
        assert store.children("r", "p") == [{"facts": {}, "observation": None}]


def test_a_session_gives_the_reason_where_observing_fails(monkeypatch):
    def refuse(*_):
        raise RuntimeError("no\nprofiler")

    monkeypatch.setattr("bench.observer.observe", refuse)
    session = Session(points.point({}).axes, {"lean": True})
    assert session.observe() == {"observation": None, "unobserved": "RuntimeError: no profiler"}


def test_a_child_that_is_gone_is_a_reason_too():
    child = Child()
    try:
        child.ask(None, 60)
        os.kill(child.pid, signal.SIGKILL)
        found = child.look_closer(60)
    finally:
        child.kill()
    assert found["observation"] is None
    assert "SIGKILL" in found["unobserved"]
    assert "SIGKILL" in found["facts"]["untracked"]


def test_distinct_settings_are_measured_up_to_the_limit_and_the_rest_is_named():
    def measure(device, threads):
        measured.append((device, threads))
        return Measured(1, "f", "h", device, threads, "", None, {"x": {"read_B_per_s": CEILING}}), None

    measured = []
    wanted = [("cpu", threads) for threads in (1, 2, 3, 4, 5)]
    had = {("cpu", 2): Measured(1, "f", "h", "cpu", 2, "", None, {"x": {"read_B_per_s": CEILING}})}
    found = run_ceilings.find(wanted, lambda *pair: had.get(pair), measure)
    assert measured == [("cpu", 1), ("cpu", 3), ("cpu", 4)]
    assert found.lacking == (("cpu", 5),)
    assert set(found.ceilings) == {f"cpu, {threads} threads" for threads in (1, 2, 3, 4)}
    assert run_ceilings.find(wanted, lambda *_: None, None).lacking == tuple(wanted)


@pytest.mark.parametrize("mode", ["kept", "measure", "none"])
def test_a_measured_point_carries_its_observation_and_the_ceilings_asked_for(
    pinchpoint, small_flags, tmp_path, monkeypatch, mode
):
    def gathered(*_):
        raise AssertionError("they are kept")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(_gather, "gather", gathered)
    (tmp_path / "cache" / "pinchpoint").mkdir(parents=True)
    kept("auto", host.usable_cores(), host.describe())
    command = ["run", "-w", "train", *small_flags, f"--ceilings={mode}", "--output-dir", tmp_path / "out"]
    code, out, _ = pinchpoint(*command, "-o", "jsonl")
    assert code == 0
    record = from_json(out)
    assert record.observation is not None, record.facts["unobserved"]
    assert {"product", "gather", "elementwise"} <= {each.kind for each in record.observation.operators}
    assert record.ceilings == ({} if mode == "none" else {"read_B_per_s": CEILING})
    if mode == "kept":
        code, again, _ = pinchpoint(*command, "-o", "jsonl", "--resume")
        assert (code, from_json(again)) == (0, record)
