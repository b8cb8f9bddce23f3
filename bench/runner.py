"""Measures the points of a sweep in interleaved rounds. Every block is on disk before the next one is asked for."""

import math
import random
import secrets
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from bench import allotment, assembly, assessment, host, planning, points
from bench.allotment import Decision, Standing
from bench.assessment import Assessment
from bench.errors import Unsupported, UserError
from bench.executors.forking import Nursery
from bench.executors.local import Child, ChildFailed, cache_folder
from bench.interleave import turns
from bench.points import Point
from bench.progress import Progress
from bench.record import Block, Status, block_of
from bench.spec import Spec
from bench.store import Run, Store


class Sweep:
    """One run of a spec into a store. `measure()` measures what the store lacks."""

    def __init__(self, spec: Spec, store: Store, run: Run, progress: Progress) -> None:
        self._spec, self._store, self._run, self._progress = spec, store, run, progress
        self._alone: list[Point] = []
        self._assessed: dict[str, Assessment] = {}
        self._random = random.Random(run.run)  # noqa: S311 - an order, not a secret
        self._rounds = int(spec.settings["rounds"])
        self._counted = self._rounds * allotment.first_processes(spec.settings)
        self._standing: dict[Point, Standing] = {}
        self._nursery: Nursery | None = None
        self._settings: dict[str, Any] = {name: spec.settings[name] for name in ("block_seconds", "warmup_limit")}
        self._settings |= {"corpus": run.corpus or None, "cache": str(cache_folder()), "inputs": asdict(run.inputs)}

    def measure(self) -> None:
        """Measure every point without a record. A failing point is recorded and the rest goes on.

        On Ctrl-C the children are ended, and KeyboardInterrupt goes on to the caller; the blocks are in the store.
        """
        finished = self._store.statuses(self._run.run).keys()
        missing = [point for point in self._spec.points if point.id not in finished]
        self._standing = {point: self._kept(point) for point in missing}
        begun = sum(min(len(_timed(each.blocks)), self._counted) for each in self._standing.values())
        self._progress.advance(self._counted * len(finished) + begun)
        missing = [point for point in missing if self._can_run(point) and self._fits(point)]
        self._assess(missing)
        memory = planning.shared_memory_B(self._run.host)
        groups = planning.groups(missing, int(self._spec.settings["group"]), memory, self._run.inputs)
        try:
            if groups and self._may_fork(missing):
                self._nursery = Nursery()
            self._measure_groups(groups)
            # Neighbours take memory too: what ran out of it in company is tried once more alone.
            while self._alone:
                point = self._alone.pop()
                self._standing[point] = replace(self._standing[point], processes=0)
                self._measure_groups([[point]])
        finally:
            if self._nursery is not None:
                self._nursery.close()

    def _kept(self, point: Point) -> Standing:
        """What the store holds of a point that was begun; what its processes took is told by their reports."""
        blocks = self._store.blocks(self._run.run, point.id)
        reports = self._store.children(self._run.run, point.id)
        spent_s = sum(report["load_s"] + report["warmup_s"] for report in reports)
        have, complete = {block.round for block in blocks}, 0
        while have.issuperset(range(complete * self._rounds, (complete + 1) * self._rounds)):
            complete += 1
        # The last complete process is gone through again, where nothing lacks: what it decided may not be on record.
        return Standing(blocks, max(complete - 1, 0), spent_s + sum(sum(block.samples_ns) for block in blocks) / 1e9)

    def _may_fork(self, chosen: Sequence[Point]) -> bool:
        """Whether children can be forked: on Linux, where none of them could end up on CUDA."""
        if not sys.platform.startswith("linux") or self._run.host["accelerator"] is not None:
            return False
        return all(point.axes["device"] in ("auto", "cpu") for point in chosen)

    def _assess(self, chosen: Sequence[Point]) -> None:
        """Train each model once and grade its variants, where there is a budget for it; what is known already stays."""
        if not float(self._spec.settings["train_budget"]):
            return
        for point in chosen:
            for report in self._store.children(self._run.run, point.id)[:1]:
                known = assessment.kept(report)
                if known is not None:
                    self._assessed[point.id] = known
        rest = [point for point in chosen if point.id not in self._assessed]
        settings = self._settings | {"train_budget": self._spec.settings["train_budget"]}
        limit_s = float(self._spec.settings["time_limit"])
        self._assessed |= assessment.assess(
            rest, settings, limit_s, lambda doing: self._progress.advance(current=doing)
        )

    def _can_run(self, point: Point) -> bool:
        """Whether the shape allows the workload; otherwise the point is recorded as `unsupported`, untried."""
        try:
            points.tokens(point.axes, self._run.inputs)
        except Unsupported as reason:
            self._conclude(point, "unsupported", str(reason))
            return False
        return True

    def _fits(self, point: Point) -> bool:
        """Whether the exact counts leave hope; otherwise the point is recorded as `does_not_fit`, untried."""
        if not planning.on_gpu(point, self._run.host):
            need, have = planning.least_memory_B(point, self._run.inputs), host.usable_memory_B()
        elif (board := self._run.host["accelerator_memory_B"]) is not None:
            # What comes and goes is less on a GPU than is counted (fused kernels), so it refuses nothing.
            need, have = planning.resident_B(point, self._run.inputs), int(board)
        else:
            return True
        if need <= have:
            return True
        self._conclude(point, "does_not_fit", f"it needs at least {need / 2**30:.1f} GiB of {have / 2**30:.1f} GiB")
        return False

    def _measure_groups(self, groups: Sequence[Sequence[Point]]) -> None:
        """Every group up to its first look; then whoever has the widest interval goes on, while the budget lasts."""
        left = sum(len(group) for group in groups)
        going: list[list[Point]] = []
        for group in groups:
            going.append(self._until_look(group, self._budget_left_s() / left))
            left -= len(group)
        while going := [group for group in going if group]:
            standings = [{point: self._standing[point] for point in group} for group in going]
            goal = allotment.goal(self._spec.settings)
            place = allotment.next_group(standings, goal, self._rounds, self._budget_left_s())
            if place is not None:
                going.append(self._until_look(going.pop(place), math.inf))
                continue
            for group in going:
                for point, decision in self._decide(group, math.inf).items():
                    self._conclude(point, "ok", None, replace(decision, stop="budget"))
            return

    def _budget_left_s(self) -> float:
        """Seconds that the sweep may still take."""
        budget = float(self._spec.settings["sweep_budget"])
        spent = sum(standing.spent_s for standing in self._standing.values())
        return max(budget - spent, 0.0) if budget else math.inf

    def _decide(self, group: Sequence[Point], point_s: float) -> dict[Point, Decision]:
        goal = allotment.goal(self._spec.settings, point_s)
        return allotment.decide({point: self._standing[point] for point in group}, goal, self._rounds)

    def _until_look(self, group: Sequence[Point], point_s: float) -> list[Point]:
        """Give the group fresh processes until its next look, `point_s` seconds a point at most; those that go on."""
        live, looks = list(group), allotment.goal(self._spec.settings).looks
        while live:
            done = min(self._standing[point].processes for point in live)
            live = self._one_process_each(live, done)
            for point in live:
                self._standing[point] = replace(self._standing[point], processes=done + 1)
            for point, decision in self._decide(live, point_s).items():
                if decision.stop is not None:
                    self._conclude(point, "ok", None, decision)
                    live.remove(point)
            if (done + 1) * self._rounds in looks:
                break
        return live

    def _one_process_each(self, group: Sequence[Point], repetition: int) -> list[Point]:
        """Run the rounds of this repetition in fresh children; the points that are still good."""
        lacking = {point: self._lacking(point, repetition) for point in group}
        complete = [point for point in group if not lacking[point]]
        children: dict[Point, _Measured] = {}
        token = secrets.token_hex(4)
        try:
            # All import torch at once, which nothing is timed against; they build and warm up one at a time.
            for point in group:
                if lacking[point]:
                    process = len(self._store.children(self._run.run, point.id))
                    limit_s = float(self._spec.settings["time_limit"])
                    if self._nursery is not None and repetition == 0:
                        self._nursery.read(point.axes, self._settings)
                    child = Child(self._nursery if point.axes["compile"] == "eager" else None)
                    children[point] = _Measured(child, token, process, len(group) > 1, limit_s, limit_s)
            for point in list(children):
                self._guard(children, point, self._build)
            rounds = sorted(set().union(*lacking.values()) - {_OBSERVED - repetition})
            for round_, point in turns(rounds, lambda at: [p for p in children if at in lacking[p]], self._random):
                self._guard(children, point, self._block, "timed", round_)
            for point in list(children):
                if children[point].window_s > 0 and _OBSERVED - repetition in lacking[point]:
                    self._guard(children, point, self._block, "observed", _OBSERVED - repetition)
            self._look_closer(children)
            for measured in children.values():
                measured.child.ask_to_finish()
            for measured in children.values():
                measured.child.finish()
            return [*complete, *children]
        finally:
            for measured in children.values():
                measured.child.kill()

    def _lacking(self, point: Point, repetition: int) -> set[int]:
        """Rounds of this repetition that the store does not hold; a round without a block of its own is `observed`."""
        have = {block.round for block in self._standing[point].blocks}
        rounds = set(range(repetition * self._rounds, (repetition + 1) * self._rounds)) - have
        if repetition >= _PROBED_PROCESSES:
            return rounds
        meters = any(child["window_s"] > 0 for child in self._store.children(self._run.run, point.id))
        observed = {_OBSERVED - repetition} - have if rounds or meters else set()
        return rounds | observed

    def _guard(
        self, children: "dict[Point, _Measured]", point: Point, act: Callable[..., None], *arguments: str | int
    ) -> None:
        """Let a child act; where it fails, record how, and go on without it."""
        measured, began = children[point], time.monotonic()
        try:
            act(point, measured, *arguments)
        except ChildFailed as failed:
            del children[point]
            measured.child.kill()
            if failed.status == "oom" and measured.in_company:
                self._alone.append(point)
                return
            self._conclude(point, failed.status, failed.reason)
        finally:
            standing = self._standing[point]
            self._standing[point] = replace(standing, spent_s=standing.spent_s + time.monotonic() - began)

    def _look_closer(self, children: "Mapping[Point, _Measured]") -> None:
        """Let the first process of each point tell what its iterations and its memory consist of, after its blocks."""
        for point, measured in children.items():
            if not any("observation" in each for each in self._store.children(self._run.run, point.id)):
                found = measured.child.look_closer(measured.left_s)
                self._store.add_to_child(self._run.run, point.id, measured.process, found)

    def _build(self, point: Point, measured: "_Measured") -> None:
        self._progress.advance(current=points.describe(point, self._spec.points))
        started = assembly.now()
        measured.ask(None)  # its greeting: torch is imported
        assessed = self._assessed.get(point.id, Assessment())
        # Memory, power and what else is probed hardly differ between processes; times do, and need many.
        settings = self._settings | {"parent": assessed.parent, "lean": measured.process >= _PROBED_PROCESSES}
        answer = measured.ask({"do": "build", "axes": point.axes, "settings": settings})
        report = answer["built"] | {"started_at": started, "quality": asdict(assessed)}
        report["facts"] |= assessed.facts | {"started_by": "fork" if measured.child.forked else "spawn"}
        measured.window_s = report["window_s"]
        self._refuse_another_text(point, report)
        self._store.add_child(self._run.run, point.id, measured.process, report)

    def _refuse_another_text(self, point: Point, report: Mapping[str, Any]) -> None:
        """One record must not mix two texts: the file may have been changed since the point was begun."""
        for before in self._store.children(self._run.run, point.id)[:1]:
            if before["facts"]["corpus_sha256"] != report["facts"]["corpus_sha256"]:
                raise UserError(
                    f"The text was changed since run {self._run.run} began.",
                    "Restore it, or leave out --resume to start a new run.",
                )

    def _block(self, point: Point, measured: "_Measured", kind: str, round_: int) -> None:
        self._progress.advance(current=points.describe(point, self._spec.points))
        request = {"do": "block", "kind": kind, "round": round_, "process": measured.process}
        answer = measured.ask(request)
        block = block_of(answer["block"] | {"group": measured.group})
        self._store.add_block(self._run.run, point.id, block)
        standing = self._standing[point]
        self._standing[point] = replace(standing, blocks=[*standing.blocks, block])
        if kind == "timed":
            # Beyond its first look a point has blocks that the total did not count yet.
            self._progress.advance(1, more=int(len(_timed(standing.blocks)) >= self._counted))

    def _conclude(self, point: Point, status: Status, reason: str | None, decision: Decision | None = None) -> None:
        standing = self._standing[point]
        told: dict[str, Any] = {}
        if decision is not None:
            goal = allotment.goal(self._spec.settings)
            told = {"stopping": decision.facts(), "cautions": allotment.caution(decision, goal, standing.processes)}
        children = self._store.children(self._run.run, point.id)
        self._store.put_record(
            assembly.record(self._run, point.axes, children, standing.blocks, status, reason, **told)
        )
        unneeded = max(self._counted - len(_timed(standing.blocks)), 0)
        self._progress.advance(unneeded, failures=int(status != "ok"))


def _timed(blocks: Sequence[Block]) -> list[Block]:
    return [block for block in blocks if block.kind == "timed"]


#: Rounds of `observed` blocks are numbered downwards from here, one a repetition: they never meet a timed round.
_OBSERVED = -1
#: Processes of a point in which probes read, each with an `observed` block as long as the slowest meter needs.
_PROBED_PROCESSES = 2


@dataclass
class _Measured:
    """A child with what is left of its time, and how long its slowest meter needs."""

    child: Child
    group: str
    process: int
    in_company: bool
    limit_s: float
    left_s: float
    window_s: float = 0.0

    def ask(self, request: dict[str, Any] | None) -> dict[str, Any]:
        began = time.monotonic()
        try:
            return self.child.ask(request, self.left_s)
        except ChildFailed as failed:
            if failed.status != "timeout":
                raise
            raise ChildFailed("timeout", f"it took longer than its time limit of {self.limit_s:g} s") from None
        finally:
            self.left_s = max(self.left_s - (time.monotonic() - began), 0.001)
