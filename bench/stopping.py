"""When to stop measuring, and which point gets the next blocks: pure, decided on precision and not on a count.

Everything is judged on logarithms: the half-width of an interval of logarithms is a relative one, and a ratio is a
difference. A point's times (`log_times`) and the ratios of interleaved pairs (`log_ratios`) go the same way from there.

A point is looked at after its first blocks, after twice as many, four times as many, ... Each look could stop by luck,
so each takes an equal part of what may go wrong: a look stops on an interval of 1 - alpha/looks. To print that one
would overstate the doubt. What is printed is an interval of nominal 1 - alpha that pays for the stopping
(`AFTER_STOPPING`); `tests.proofs.interval_coverage` counts how often it holds the truth.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from bench.intervals import process_interval, quantile
from bench.record import Block

Stop = Literal["precise", "budget", "cap"]
#: For each process, the logarithms of its blocks.
Logs = tuple[tuple[float, ...], ...]

FIRST_LOOK = 10
#: A run stops sooner where its interval came out narrower than it should be, so this share of alpha pays for it: 96.7 %
#: is what is nominally 95 %. Its coverage, and that of a plain 95 % interval, are printed by the proof. The share was
#: chosen on the noises and the trace that the proof uses, so those are not held out.
AFTER_STOPPING = 0.65


@dataclass(frozen=True)
class Goal:
    """What is wanted, and what it may take.

    `half_width` is relative (0.01 for 1 %); `cap` is the number of blocks after which a point is given up, the last
    look; `first` the number at which it is first looked at; `point_s` and `sweep_s` are the seconds that one point and
    all of them may take.
    """

    half_width: float = 0.01
    cap: int = 80
    point_s: float = math.inf
    sweep_s: float = math.inf
    confidence: float = 0.95
    first: int = FIRST_LOOK

    @property
    def looks(self) -> tuple[int, ...]:
        """Numbers of blocks of a point's looks: the first, twice, four times that, ... and at last the cap."""
        doubling = [self.first]
        while doubling[-1] * 2 < self.cap:
            doubling.append(doubling[-1] * 2)
        return (*(look for look in doubling if look < self.cap), self.cap)

    @property
    def look_confidence(self) -> float:
        """Confidence of the interval that a look decides on: Bonferroni's split over the looks."""
        return 1 - (1 - self.confidence) / len(self.looks)

    @property
    def printed_confidence(self) -> float:
        """Confidence of the interval to print, so that after stopping about `confidence` of them hold the truth."""
        return 1 - (1 - self.confidence) * (AFTER_STOPPING if len(self.looks) > 1 else 1.0)


@dataclass(frozen=True)
class Measured:
    """What is known of a point, or of a pair: `spent_s` seconds so far, and `block_s` for each block to come.

    Both count whatever a block takes along: its share of a process' start, and of a pair both members.
    """

    name: str
    logs: Logs
    block_s: float
    spent_s: float = 0.0

    @property
    def blocks(self) -> int:
        """Blocks measured so far, over all processes."""
        return sum(len(process) for process in self.logs)


@dataclass(frozen=True)
class Verdict:
    """Where a point stands. `stop` says why it needs no more blocks, None that it wants `wanted` more until a look.

    `value` is the median with its interval of nominal `Goal.confidence`, in the unit of the times (or a ratio);
    `half_width` is the relative one that was reached, None where there are too few processes for an interval.
    """

    stop: Stop | None
    wanted: int
    value: float | None = None
    low: float | None = None
    high: float | None = None
    half_width: float | None = None


@dataclass(frozen=True)
class Plan:
    """The verdict on each point, and how many blocks each of those that go on gets: none, and the sweep is done."""

    verdicts: dict[str, Verdict]
    next: dict[str, int]


def plan(measured: Sequence[Measured], goal: Goal) -> Plan:
    """Who gets the next blocks, the widest interval first, as long as the budget of the sweep lasts.

    A point gets all blocks up to its next look or none. Whoever the budget leaves without is told to stop for `budget`.
    The order of `next` is the order of need; points in it can be measured interleaved.
    """
    verdicts = {each.name: judge(each, goal) for each in measured}
    left_s = goal.sweep_s - sum(each.spent_s for each in measured)
    granted: dict[str, int] = {}
    going = [each for each in measured if verdicts[each.name].stop is None]
    for each in sorted(going, key=lambda each: _need(verdicts[each.name]), reverse=True):
        verdict = verdicts[each.name]
        cost_s = verdict.wanted * each.block_s
        if cost_s <= left_s:
            granted[each.name] = verdict.wanted
            left_s -= cost_s
        else:
            verdicts[each.name] = replace(verdict, stop="budget", wanted=0)
    return Plan(verdicts, granted)


def judge(measured: Measured, goal: Goal, at: int | None = None) -> Verdict:
    """Whether a point is precise, out of budget, at its cap, or how many blocks it wants until its next look.

    It can be found precise only when it has exactly as many blocks as a look: a glance in between would be one more
    look, and has no part of alpha. `at` is how many it was given, where some of them are of no use (unpaired ones).
    """
    n = measured.blocks if at is None else at
    found = _estimate(measured.logs, goal) if measured.blocks else Verdict(None, 0)
    if n in goal.looks and _half_width(measured.logs, goal.look_confidence) <= goal.half_width:
        return replace(found, stop="precise")
    if n >= goal.cap:
        return replace(found, stop="cap")
    wanted = next(look for look in goal.looks if look > n) - n
    if measured.spent_s + wanted * measured.block_s > goal.point_s:
        return replace(found, stop="budget")
    return replace(found, wanted=wanted)


def _estimate(logs: Logs, goal: Goal) -> Verdict:
    middle, low, high = process_interval(logs, goal.printed_confidence)
    if low is None or high is None:
        return Verdict(None, 0, math.exp(middle))
    return Verdict(None, 0, math.exp(middle), math.exp(low), math.exp(high), (high - low) / 2)


def _half_width(logs: Logs, confidence: float) -> float:
    if not any(logs):
        return math.inf
    _, low, high = process_interval(logs, confidence)
    return math.inf if low is None or high is None else (high - low) / 2


def _need(verdict: Verdict) -> float:
    """The widest interval needs most, and none at all is the widest."""
    return math.inf if verdict.half_width is None else verdict.half_width


def log_times(blocks: Iterable[Block], share: float = 0.5) -> Logs:
    """Logarithms of the times of one iteration, in s, of the timed blocks of each process: of each block its `share`
    quantile (the median; 0.25 resists interference better)."""
    found: dict[int, list[float]] = {}
    for block in _timed(blocks):
        found.setdefault(block.process, []).append(_log_s(block, share))
    return tuple(tuple(found[process]) for process in sorted(found))


def log_ratios(variant: Iterable[Block], reference: Iterable[Block], share: float = 0.25) -> Logs:
    """Logarithms of variant over reference for each round that both ran in the same group; each group is a process.

    Blocks are summarised by their lower quartile: over pairs of identical programs its ratio varies least. (The spread
    of a pair was 3 to 5 %, with medians or means 2 to 10 times as much.) A group is one process of either, so all
    that a fresh pair of processes changes is between groups.
    """
    references = {(block.group, block.round): block for block in _timed(reference)}
    found: dict[str, list[float]] = {}
    for block in _timed(variant):
        other = references.get((block.group, block.round))
        if other is not None:
            found.setdefault(block.group, []).append(_log_s(block, share) - _log_s(other, share))
    return tuple(tuple(found[group]) for group in sorted(found))


def _timed(blocks: Iterable[Block]) -> list[Block]:
    return [block for block in blocks if block.kind == "timed" and block.samples_ns]


def _log_s(block: Block, share: float) -> float:
    # A clock that stood still would give 0 ns; it reads whole nanoseconds, so half of one is as near as it tells.
    return math.log(max(quantile(block.samples_ns, share), 0.5) * 1e-9)
