"""Advice on one point: which changes the suite could make to it, what each would gain, and what it would cost.

The parent's side: remedies are asked for changes, a child times the pieces that these put in the place of others, and
`bench.prediction` adds them up. Nothing is run with a change here: `bench.diagnosis` does that, where it is asked to.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from bench import host, interventions, planning, points, prediction, remedies
from bench import parts as pieces
from bench.axes import BY_NAME
from bench.errors import Unsupported, UserError
from bench.executors.local import Child
from bench.inputs import NOTHING, Inputs
from bench.kernels import Kernel
from bench.observation import Observation
from bench.parts import Part
from bench.points import Point, point
from bench.record import Advice, Experiment, Metric, Value
from bench.remedies import Change, Refused, Situation

#: Called with how many pieces are timed, how many there are, and what is being done.
Notify = Callable[[int, int, str], None]
#: The measured quality of a changed point, or None where no run measured it.
Quality = Callable[[Point], Metric | None]

#: What an operator costs whatever its size, where no ceiling tells: a call of an empty one on any machine of ten years.
_CALL_S = 6e-7
#: Calls of an empty operator that one with operands and a result costs (reports.bottleneck: 2 to 4).
_CALLS_OF_EMPTY = 3.0


@dataclass
class Adviser:
    """Advises on one point. `advise` leaves no process behind, however it ends."""

    point: Point
    inputs: Inputs = NOTHING
    dispatch_s: float | None = None
    limit_s: float = 120.0
    quality: Quality = lambda _: None
    notify: Notify = lambda *_: None

    def advise(self, observation: Observation) -> list[Advice]:
        """Every change, the most promising first, then those that cannot be made, with the reason.

        Raises `ChildFailed` where no child can be had.
        """
        there = pieces.parts(observation, self.point.axes, self._parameters())
        situation = Situation(
            axes=self.point.axes,
            device=observation.device,
            threads=observation.threads,
            cores=host.usable_cores(),
            trains=pieces.trains(observation),
            inputs=self.inputs,
            linears=frozenset(
                (each.kernel.sizes[1], each.kernel.sizes[2])
                for each in there
                if each.kernel and each.kernel.kind == "linear"
            ),
        )
        planned = remedies.plan(situation)
        if (uncounted := (observation.unavailable or {}).get("flops")) is not None:
            why = f"What its operators work on could not be counted, so nothing can be foretold: {uncounted}"
            return _refusals([*(Refused(each.axes, why) for each in planned.changes), *planned.refused])
        child = Child()
        try:
            child.ask(None, self.limit_s)
            able, refused = self._legal(child, planned.changes)
            timings = self._time(child, observation.device, there, able)
            child.ask_to_finish()
            child.finish()
        finally:
            child.kill()
        call_s = _CALLS_OF_EMPTY * (self.dispatch_s or _CALL_S)
        found = []
        for change in able:
            reason = prediction.refusal(change, there, timings)
            if reason is not None:
                refused.append(Refused(change.axes, reason))
                continue
            found.append(self._advice(change, prediction.predict(change, there, timings, call_s)))
        found.sort(key=lambda each: each.log or 0.0)
        return [*found, *_refusals([*planned.refused, *refused])]

    def _parameters(self) -> int:
        try:
            return points.costs(self.point.axes, self.inputs).parameters
        except (Unsupported, UserError):
            return 0

    def _changed(self, change: Change) -> Point:
        return changed(self.point, change.axes)

    def _legal(self, child: Child, changes: Sequence[Change]) -> tuple[list[Change], list[Refused]]:
        """Those that make sense on this point, as far as is known without building it, and that fit into memory."""
        request = {
            "do": "refusals",
            "points": [self._changed(each).axes for each in changes],
            "settings": {"inputs": asdict(self.inputs)},
        }
        self.notify(0, 1, "asking what can be changed")
        reasons = child.ask(request, self.limit_s)["refusals"]
        able, refused = [], []
        for change, reason in zip(changes, reasons, strict=True):
            why = reason or self._too_large(self._changed(change))
            if why is None:
                able.append(change)
            else:
                refused.append(Refused(change.axes, why))
        return able, refused

    def _too_large(self, changed: Point) -> str | None:
        need, have = planning.least_memory_B(changed, self.inputs), host.usable_memory_B()
        if planning.on_gpu(changed, host.describe()) or need <= have:
            return None
        return f"It needs at least {need / 2**30:.1f} GiB of {have / 2**30:.1f} GiB."

    def _time(
        self, child: Child, device: str, there: Sequence[Part], changes: Sequence[Change]
    ) -> dict[tuple[int, Kernel], Sequence[float] | str]:
        """Seconds of each part's kernel and of all that would take its place, which take turns."""
        found: dict[tuple[int, Kernel], Sequence[float] | str] = {}
        timed = [(place, part.kernel) for place, part in enumerate(there) if part.timed and part.kernel is not None]
        known: dict[tuple[Kernel, ...], list[Any]] = {}
        for done, (place, kernel) in enumerate(timed):
            wanted = tuple(dict.fromkeys([kernel, *(change.kernel(kernel) for change in changes)]))
            self.notify(done, len(timed), f"timing {kernel.kind} pieces")
            if wanted not in known:
                asked = [asdict(each) for each in wanted]
                request = {"do": "kernels", "device": device.split(maxsplit=1)[0], "kernels": asked}
                known[wanted] = child.ask(request, self.limit_s)["seconds"]
            found |= {(place, each): seconds for each, seconds in zip(wanted, known[wanted], strict=True)}
        return found

    def _advice(self, change: Change, made: prediction.Prediction) -> Advice:
        changed = self._changed(change)
        quality, note = self._quality(changed)
        return Advice(
            dict(change.axes),
            made.log,
            made.low,
            made.high,
            made.assumed,
            self._memory_B(changed),
            quality,
            note,
            change.note,
        )

    def _memory_B(self, changed: Point) -> int | None:
        """Bytes more than now; None where the counts do not hold for the changed point or for this one."""
        for each in (changed, self.point):
            if "weights_B" in points.uncounted(each.axes) or each.axes["compile"] != "eager":
                return None
        try:
            return planning.memory_B(changed, self.inputs) - planning.memory_B(self.point, self.inputs)
        except (Unsupported, UserError):
            return None

    def _quality(self, changed: Point) -> tuple[Metric | None, str]:
        if not any(BY_NAME[name].answers for name in differing(self.point, changed)):
            return None, "unchanged"
        found = self.quality(changed)
        return found, "measured" if found is not None else "unknown"


def differing(one: Point, other: Point) -> list[str]:
    """Axes in which two points differ."""
    return [name for name, value in one.axes.items() if other.axes[name] != value]


def to_try(
    point: Point, advice: Sequence[Advice], most: int, room_B: int, inputs: Inputs = NOTHING
) -> dict[str, interventions.Change]:
    """The first `most` of those that can be made, as changes to try, by name.

    Their processes are there at the same time as the point's own: what does not fit into `room_B` beside those before
    it is left out.
    """
    found: dict[str, interventions.Change] = {}
    for each in advice:
        if each.log is None or len(found) == most:
            continue
        need_B = planning.memory_B(changed(point, each.axes), inputs)
        if need_B <= room_B:
            room_B -= need_B
            found[points.changes(each.axes)] = interventions.Change(axes=dict(each.axes))
    return found


def changed(present: Point, axes: Mapping[str, Value]) -> Point:
    """The point with other values of some axes."""
    return point(present.axes | dict(axes))


def proven(advice: Sequence[Advice], experiments: Sequence[Experiment]) -> list[Advice]:
    """The same with the experiment of each change that was tried."""
    tried = {each.name: each for each in experiments}
    return [replace(each, proof=tried.get(points.changes(each.axes))) for each in advice]


def _refusals(refused: Sequence[Refused]) -> list[Advice]:
    return [Advice(dict(each.axes), reason=f"{each.reason.rstrip('.')}.") for each in refused]
