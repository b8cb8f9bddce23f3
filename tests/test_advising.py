"""Advice with real children on tiny points: ranked, with reasons, and nothing left behind however it ends."""

import math
import os
import signal

import pytest

from bench import advising, diagnosis, points
from bench.advising import Adviser
from bench.executors.local import Child, ChildFailed
from bench.record import Experiment, Metric, observation_of
from tests.conftest import SMALL
from tests.test_diagnosis import QUICKLY, no_children


def observed(**axes):
    """The tiny point and what one of its iterations consists of."""
    point = points.point(SMALL | {"workload": "prefill"} | axes)
    seen = []

    def choose(report):
        seen.append(observation_of(report["observation"]))
        return {}

    diagnosis.Diagnosis(point, 1e-6, processes=1, budget_s=0.001, settings=QUICKLY, choose=choose).run()
    return point, seen[0]


@pytest.fixture(scope="module")
def decoding(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
        point, seen = observed(workload="decode")
        return point, seen, Adviser(point, dispatch_s=1e-6).advise(seen)


def test_what_can_be_made_comes_first_ranked_and_the_rest_has_a_reason(decoding):
    _, _, advice = decoding
    possible = [each for each in advice if each.log is not None]
    assert advice[: len(possible)] == possible
    assert [each.log for each in possible] == sorted(each.log for each in possible)
    assert all(each.low <= each.log <= each.high and math.isfinite(each.log) for each in possible)
    assert all(each.reason.endswith(".") for each in advice[len(possible) :])
    assert no_children()


def test_changes_of_several_kinds_are_advised_and_impossible_ones_named(decoding):
    _, _, advice = decoding
    possible = {points.changes(each.axes) for each in advice if each.log is not None}
    assert {"batch size 4", "int8-dynamic", "bf16"} <= possible
    impossible = {points.changes(each.axes) for each in advice if each.reason}
    assert {"tf32", "accumulation 2", "checkpointing on"} <= impossible


def test_quality_is_unchanged_unknown_or_as_measured_and_never_made_up(decoding):
    point, seen, advice = decoding
    notes = {points.changes(each.axes): (each.quality, each.quality_note) for each in advice if each.log is not None}
    assert notes["batch size 4"] == (None, "unchanged")
    assert notes["int8-dynamic"] == (None, "unknown")
    known = Metric(0.02, "nat", -1, "loss")
    again = Adviser(point, quality=lambda changed: known if changed.axes["precision"] == "bf16" else None).advise(seen)
    told = {points.changes(each.axes): each.quality for each in again if each.log is not None}
    assert told["bf16"] == known
    assert told["int8-dynamic"] is None


def test_memory_is_by_arithmetic_or_not_known(decoding):
    _, _, advice = decoding
    memory = {points.changes(each.axes): each.memory_B for each in advice if each.log is not None}
    assert memory["batch size 4"] > 0
    assert memory["bf16"] < 0
    assert memory["int8-dynamic"] is None


def test_a_killed_child_is_told_and_leaves_nothing(decoding, monkeypatch):
    point, seen, _ = decoding
    ask = Child.ask

    def killed_first(self, request, limit_s):
        if request is not None and request["do"] == "kernels":
            os.kill(self.pid, signal.SIGKILL)
        return ask(self, request, limit_s)

    monkeypatch.setattr(Child, "ask", killed_first)
    with pytest.raises(ChildFailed, match="SIGKILL"):
        Adviser(point).advise(seen)
    assert no_children()


def test_ctrl_c_leaves_no_child(decoding):
    point, seen, _ = decoding

    def stop(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Adviser(point, notify=stop).advise(seen)
    assert no_children()


def test_a_change_that_cannot_fit_is_refused(decoding, monkeypatch):
    from bench import planning

    point, seen, _ = decoding
    least = planning.least_memory_B
    large = 2**60
    monkeypatch.setattr(
        planning,
        "least_memory_B",
        lambda changed, *more: large if changed.axes["precision"] == "bf16" else least(changed),
    )
    advice = Adviser(point).advise(seen)
    (refused,) = [each for each in advice if each.axes == {"precision": "bf16"}]
    assert "GiB" in refused.reason


def test_the_first_ones_are_tried_under_their_names_and_keep_their_experiments(decoding):
    point, _, advice = decoding
    wanted = advising.to_try(point, advice, 2, 2**60)
    assert list(wanted) == [points.changes(each.axes) for each in advice[:2]]
    made = Experiment(next(iter(wanted)), [-0.1], {}, processes=[0])
    first, *rest = advising.proven(advice, [made])
    assert first.proof == made
    assert all(each.proof is None for each in rest)


def test_changes_that_were_chosen_are_measured_beside_the_point_by_the_token():
    point = points.point(SMALL | {"workload": "prefill"})
    chosen = {"batch size 2": diagnosis.Change(axes={"batch_size": 2})}
    found = diagnosis.Diagnosis(
        point, 1e-6, processes=2, budget_s=0.001, settings=QUICKLY, choose=lambda report: chosen
    ).run()
    names = [each.name for each in found.experiments]
    assert names == ["batch size 2", "nothing"]
    assert all(len(each.logs) == len(each.processes) > 0 for each in found.experiments)
    assert no_children()


def test_without_counts_nothing_is_foretold_and_the_reason_is_told(decoding):
    from dataclasses import replace

    point, seen, _ = decoding
    advice = Adviser(point).advise(replace(seen, unavailable={"flops": "RuntimeError: no such primitive"}))
    assert all(each.log is None for each in advice)
    assert "could not be counted" in advice[0].reason


def test_what_does_not_fit_beside_the_others_is_left_out():
    from bench import planning
    from bench.record import Advice

    point = points.point(SMALL | {"workload": "prefill"})
    advice = [Advice({"batch_size": 65536}, -1.0), Advice({"precision": "bf16"}, -0.5), Advice({"threads": 1}, -0.1)]
    least = planning.memory_B(advising.changed(point, {"precision": "bf16"}))
    assert planning.memory_B(advising.changed(point, {"batch_size": 65536})) > least + 2**20
    assert list(advising.to_try(point, advice, 3, least + 2**20)) == ["bf16"]
    assert list(advising.to_try(point, advice, 2, 2**60)) == ["batch size 65536", "bf16"]
    assert advising.to_try(point, advice, 3, 0) == {}
