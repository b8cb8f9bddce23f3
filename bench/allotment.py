"""Which points of a group get another process: pure, from what has been measured of them.

A variant goes on until its ratio to its reference, taken from interleaved pairs, is as precise as was asked for, or its
budget or its processes are used up. Its reference goes on with it. A point without a reference has only its time, and
that moves with the machine by more than any goal: it stops at its first look, and its interval is printed as wide as it
is.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from bench import stopping
from bench.points import Point
from bench.record import Block, Value, Warn
from bench.stopping import Goal, Measured

#: Processes at a point's first look: the fewest for which an interval exists after alpha was split over 4 looks.
FIRST_PROCESSES = 8
#: However small its budget, a point gets so many: one process says nothing about another.
_FEWEST = 2

Stop = stopping.Stop | Literal["looked"]


@dataclass(frozen=True)
class Standing:
    """What there is of a point: its blocks, how many processes it was given, and the seconds that they took."""

    blocks: Sequence[Block]
    processes: int
    spent_s: float


@dataclass(frozen=True)
class Decision:
    """Why a point needs no more processes (None: it gets another), and the half-width so far, of a ratio or a time.

    `half_width` is relative, and None where there are too few processes for a 95 % interval.
    """

    stop: Stop | None
    half_width: float | None
    of: Literal["ratio", "time"]

    def facts(self) -> dict[str, Value]:
        """What the record keeps of it."""
        found: dict[str, Value] = {"precision_of": self.of}
        if self.stop is not None:
            found["stopped_for"] = self.stop
        if self.half_width is not None:
            found["half_width"] = self.half_width
        return found


def goal(settings: Mapping[str, Value], point_s: float = math.inf) -> Goal:
    """What the settings ask for; `point_s` may cut the budget of a point further."""
    rounds = int(settings["rounds"])
    return Goal(
        half_width=float(settings["precision_goal"]),
        cap=rounds * int(settings["repetitions"]),
        point_s=min(float(settings["point_budget"]), point_s),
        first=rounds * FIRST_PROCESSES,
    )


def first_processes(settings: Mapping[str, Value]) -> int:
    """How many processes a point gets before its precision is looked at."""
    return min(FIRST_PROCESSES, int(settings["repetitions"]))


def decide(group: Mapping[Point, Standing], wanted: Goal, rounds: int) -> dict[Point, Decision]:
    """The decision on each point of a group whose points all ran `rounds` blocks in each process."""
    paired = {point: reference for point in group if (reference := _reference(point, group)) is not None}
    found = {}
    for point, standing in group.items():
        reference = paired.get(point)
        if reference is None:
            found[point] = _judge(standing, stopping.log_times(standing.blocks), "time", wanted, rounds)
        else:
            logs = stopping.log_ratios(standing.blocks, group[reference].blocks)
            found[point] = _judge(standing, logs, "ratio", wanted, rounds)
    for reference in set(paired.values()):
        if any(found[point].stop is None for point, other in paired.items() if other == reference):
            found[reference] = Decision(None, found[reference].half_width, "time")
    return found


def next_group(groups: Sequence[Mapping[Point, Standing]], wanted: Goal, rounds: int, left_s: float) -> int | None:
    """The place of the group that goes on: of those whose way to their next look `left_s` seconds pay for, the one with
    the widest interval of a ratio (`bench.stopping.plan`). None where they pay for none."""
    measured = []
    for place, group in enumerate(groups):
        found = decide(group, wanted, rounds)
        going = [point for point, decision in found.items() if decision.of == "ratio" and decision.stop is None]
        widest = max(going, key=lambda point: _width(found[point]))
        reference = _reference(widest, group)
        assert reference is not None
        logs = stopping.log_ratios(group[widest].blocks, group[reference].blocks)
        spent_s = sum(standing.spent_s for standing in group.values())
        measured.append(Measured(str(place), logs, spent_s / (group[widest].processes * rounds)))
    planned = stopping.plan(measured, replace(wanted, point_s=math.inf, sweep_s=left_s))
    return next((int(name) for name in planned.next), None)


def _width(decision: Decision) -> float:
    """None at all is wider than any."""
    return math.inf if decision.half_width is None else decision.half_width


def _reference(point: Point, group: Mapping[Point, Standing]) -> Point | None:
    """The point of the group that this one is compared with."""
    if point.is_reference:
        return None
    return next((other for other in group if other.is_reference and other.family == point.family), None)


def _judge(
    standing: Standing, logs: stopping.Logs, of: Literal["ratio", "time"], wanted: Goal, rounds: int
) -> Decision:
    n = standing.processes * rounds
    block_s = standing.spent_s / max(n, 1)
    verdict = stopping.judge(Measured("", logs, block_s, standing.spent_s), wanted, at=n)
    if n < min(wanted.first, wanted.cap):
        # Nothing is decided on the values before the first look, so each process that can be paid for is welcome.
        enough = standing.processes >= _FEWEST and standing.spent_s + rounds * block_s > wanted.point_s
        return Decision("budget" if enough else None, verdict.half_width, of)
    if of == "time" and verdict.stop != "precise":
        return Decision("looked", verdict.half_width, of)
    return Decision(verdict.stop, verdict.half_width, of)


def caution(decision: Decision, wanted: Goal, processes: int) -> list[Warn]:
    """`imprecise`, where a point had to stop before it was as precise as was asked for."""
    if not wanted.half_width or decision.stop not in ("budget", "cap"):
        return []
    what = "its ratio to its reference" if decision.of == "ratio" else "its time"
    why = "its budget was used up" if decision.stop == "budget" else f"its {processes} processes were used up"
    remedy = "Raise --point-budget or --sweep-budget" if decision.stop == "budget" else "Raise --repetitions"
    if decision.half_width is None:
        message = f"There is no 95 % interval of {what}: {processes} processes are too few, and {why}."
    else:
        message = f"The interval of {what} is ±{decision.half_width:.1%}, not ±{wanted.half_width:.1%}: {why}."
    return [Warn("imprecise", message, f"{remedy}, or measure on a quieter machine.")]
