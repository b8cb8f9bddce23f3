"""Measures the points of a sweep in interleaved rounds. Every block is on disk before the next one is asked for."""

import random
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from bench import assembly, assessment, host, planning, points
from bench.assessment import Assessment
from bench.errors import Unsupported, UserError
from bench.executors.local import Child, ChildFailed, cache_folder
from bench.points import Point
from bench.record import Status, block_of
from bench.spec import Spec
from bench.store import Run, Store


@dataclass
class Progress:
    """What the command line shows while a sweep runs; every field is kept up to date by the runner."""

    total: int
    done: int = 0
    failures: int = 0
    current: str = ""
    changed: Callable[["Progress"], None] = field(default=lambda _: None)

    def advance(self, blocks: int = 0, current: str | None = None, failures: int = 0) -> None:
        """Count finished blocks and failures, and tell whoever watches."""
        self.done += blocks
        self.failures += failures
        if current is not None:
            self.current = current
        self.changed(self)


class Sweep:
    """One run of a spec into a store. `measure()` measures what the store lacks."""

    def __init__(self, spec: Spec, store: Store, run: Run, progress: Progress) -> None:
        self._spec, self._store, self._run, self._progress = spec, store, run, progress
        self._alone: list[Point] = []
        self._assessed: dict[str, Assessment] = {}
        self._random = random.Random(run.run)  # noqa: S311 - an order, not a secret
        self._rounds = int(spec.settings["rounds"])
        self._repetitions = int(spec.settings["repetitions"])
        self._settings: dict[str, Any] = {name: spec.settings[name] for name in ("block_seconds", "warmup_limit")}
        self._settings |= {"corpus": run.corpus or None, "cache": str(cache_folder()), "inputs": asdict(run.inputs)}

    def measure(self) -> None:
        """Measure every point without a record. A failing point is recorded and the rest goes on.

        On Ctrl-C the children are ended, and KeyboardInterrupt goes on to the caller; the blocks are in the store.
        """
        finished = self._store.statuses(self._run.run).keys()
        per_point = self._rounds * self._repetitions
        missing = [point for point in self._spec.points if point.id not in finished]
        begun = sum(block.kind == "timed" for p in missing for block in self._store.blocks(self._run.run, p.id))
        self._progress.advance(per_point * len(finished) + begun)
        missing = [point for point in missing if self._can_run(point) and self._fits(point)]
        self._assess(missing)
        memory = planning.shared_memory_B(self._run.host)
        for group in planning.groups(missing, int(self._spec.settings["group"]), memory, self._run.inputs):
            self._measure_group(group)
        # Neighbours take memory too: what ran out of it in company is tried once more alone.
        while self._alone:
            self._measure_group([self._alone.pop()])

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
        device = str(point.axes["device"])
        if device.startswith("cuda") or (device == "auto" and self._run.host["accelerator"] is not None):
            return True  # the device's memory decides, and it is not the host's
        need, have = planning.memory_B(point, self._run.inputs), host.usable_memory_B()
        if need <= have:
            return True
        self._conclude(point, "does_not_fit", f"it needs at least {need / 2**30:.1f} GiB of {have / 2**30:.1f} GiB")
        return False

    def _measure_group(self, group: Sequence[Point]) -> None:
        live = list(group)
        for repetition in range(self._repetitions):
            live = self._one_process_each(live, repetition)
        for point in live:
            self._conclude(point, "ok", None)

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
                    children[point] = _Measured(Child(), token, process, len(group) > 1, limit_s, limit_s)
            for point in list(children):
                self._guard(children, point, self._build)
            for round_ in sorted(set().union(*lacking.values()) - {_OBSERVED - repetition}):
                order = [point for point in children if round_ in lacking[point]]
                self._random.shuffle(order)
                for point in order:
                    self._guard(children, point, self._block, "timed", round_)
            for point in list(children):
                if children[point].window_s > 0 and _OBSERVED - repetition in lacking[point]:
                    self._guard(children, point, self._block, "observed", _OBSERVED - repetition)
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
        have = {block.round for block in self._store.blocks(self._run.run, point.id)}
        rounds = set(range(repetition * self._rounds, (repetition + 1) * self._rounds)) - have
        meters = any(child["window_s"] > 0 for child in self._store.children(self._run.run, point.id))
        observed = {_OBSERVED - repetition} - have if rounds or meters else set()
        return rounds | observed

    def _guard(
        self, children: "dict[Point, _Measured]", point: Point, act: Callable[..., None], *arguments: str | int
    ) -> None:
        """Let a child act; where it fails, record how, and go on without it."""
        measured = children[point]
        try:
            act(point, measured, *arguments)
        except ChildFailed as failed:
            del children[point]
            measured.child.kill()
            if failed.status == "oom" and measured.in_company:
                self._alone.append(point)
                return
            self._conclude(point, failed.status, failed.reason)

    def _build(self, point: Point, measured: "_Measured") -> None:
        self._progress.advance(current=points.describe(point, self._spec.points))
        started = assembly.now()
        measured.ask(None)  # its greeting: torch is imported
        assessed = self._assessed.get(point.id, Assessment())
        settings = self._settings | {"parent": assessed.parent}
        answer = measured.ask({"do": "build", "axes": point.axes, "settings": settings})
        report = answer["built"] | {"started_at": started, "quality": asdict(assessed)}
        report["facts"] |= assessed.facts
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
        self._store.add_block(self._run.run, point.id, block_of(answer["block"] | {"group": measured.group}))
        self._progress.advance(1 if kind == "timed" else 0)

    def _conclude(self, point: Point, status: Status, reason: str | None) -> None:
        blocks = self._store.blocks(self._run.run, point.id)
        children = self._store.children(self._run.run, point.id)
        self._store.put_record(assembly.record(self._run, point.axes, children, blocks, status, reason))
        if status != "ok":
            timed = sum(block.kind == "timed" for block in blocks)
            self._progress.advance(self._rounds * self._repetitions - timed, failures=1)


#: Rounds of `observed` blocks are numbered downwards from here, one a repetition: they never meet a timed round.
_OBSERVED = -1


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
