"""Average power from what a polling thread saw of a meter: an energy counter that ticks, and a power reading that lags.

Pure arithmetic over polls. Times are seconds on one clock; energy is in joules, power in watts. Shares and errors are
fractions of the average.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from statistics import median

#: NVIDIA's meters refresh about every 100 ms. For a faster one, a plateau seems to end this much too early at most.
REFRESH_S = 0.1
#: No device draws as much: twice the largest board of 2026 (1,400 W). A counter that grows faster did not count.
MOST_WATTS = 3000.0
#: A counter stands still when it keeps one value for this many of its usual ticks, and for longer than that.
_STALLED_TICKS, _STALLED_S = 5, 0.5
#: With fewer ticks than this a counter does not tell how the power changed: it may differ by as much as its average.
_DRIFT_TICKS, _UNKNOWN_DRIFT = 6, 1.0


@dataclass(frozen=True)
class Poll:
    """One question and its answer. The truth was read between the two times: a thread may wait before and after."""

    asked_s: float
    answered_s: float
    value: float

    @property
    def time_s(self) -> float:
        """The middle of the two times."""
        return (self.asked_s + self.answered_s) / 2


@dataclass(frozen=True)
class Edge:
    """The meter's value changed to `value`, at some time between `low_s` and `high_s`."""

    low_s: float
    high_s: float
    value: float

    @property
    def width_s(self) -> float:
        """How uncertain the time is."""
        return self.high_s - self.low_s

    @property
    def time_s(self) -> float:
        """The middle: off by half the width at most."""
        return (self.low_s + self.high_s) / 2


@dataclass(frozen=True)
class Estimate:
    """Average power over a window that ends and begins where the meter allows.

    `samples` counts the refreshes of the meter within it. `tick_error` is the largest relative error that its ticks
    leave: of a counter, that the ends of the window were seen late; of a power reading, what happened between two
    refreshes. `drift` is how far the last third of the window was from the first, as a share of the average.
    """

    watts: float
    start_s: float
    end_s: float
    samples: int
    tick_error: float = 0.0
    drift: float = _UNKNOWN_DRIFT

    @property
    def window_s(self) -> float:
        """Length of the window."""
        return self.end_s - self.start_s

    def unseen_error(self, began_s: float, ended_s: float) -> float:
        """Largest relative error from the parts of a block, before and after the window, that the meter did not see.

        Power that changes steadily by `drift` over the window is off its average by half of that at either end.
        """
        unseen_s = max(self.start_s - began_s, 0.0) + max(ended_s - self.end_s, 0.0)
        return self.drift / 2 * unseen_s / max(ended_s - began_s, self.window_s)


def edges(polls: Sequence[Poll]) -> list[Edge]:
    """Where the polled value changed: after the last poll of the old value was asked, before the new was answered."""
    return [Edge(old.asked_s, new.answered_s, new.value) for old, new in pairwise(polls) if new.value != old.value]


def unwrapped(energy: Sequence[Poll], range_joules: float) -> list[Poll]:
    """The counter without its wrap-arounds: where it fell, and a wrap at `range_joules` explains that, it goes on.

    A fall that would take more than `MOST_WATTS` as a wrap was a reset, and stays.
    """
    turns, changed_s, found = 0, -math.inf, list(energy[:1])
    for old, new in pairwise(energy):
        if new.value < old.value and new.value + range_joules - old.value <= _most_joules(changed_s, old, new):
            turns += 1
        if new.value != old.value:
            changed_s = new.answered_s
        found.append(Poll(new.asked_s, new.answered_s, new.value + turns * range_joules))
    return found


def was_reset(energy: Sequence[Poll]) -> bool:
    """Whether the counter fell, or leapt by more than any device can draw: energy only grows."""
    changed_s = -math.inf
    for old, new in pairwise(energy):
        if not 0 <= new.value - old.value <= _most_joules(changed_s, old, new):
            return True
        if new.value != old.value:
            changed_s = new.answered_s
    return False


def _most_joules(changed_s: float, old: Poll, new: Poll) -> float:
    """What a device can have drawn since the counter last changed; before its first change, since one tick earlier."""
    since_s = changed_s if math.isfinite(changed_s) else old.asked_s - 10 * REFRESH_S
    return MOST_WATTS * max(new.answered_s - since_s, REFRESH_S)


def stood_still(energy: Sequence[Poll]) -> bool:
    """Whether a counter that ticked stopped meanwhile, at the beginning, in between or at the end."""
    groups = [list(group) for _, group in groupby(energy, key=lambda poll: poll.value)]
    plateaus = [group[-1].asked_s - group[0].answered_s for group in groups]
    if len(plateaus) < 4:  # fewer than two whole ticks: how long they last is not known
        return False
    return max(plateaus) > max(_STALLED_TICKS * median(plateaus[1:-1]), _STALLED_S)


def from_counter(energy: Sequence[Poll]) -> Estimate | None:
    """Energy between two edges of the counter over the time between them; None with fewer than two, or a broken one.

    At an edge the counter is fresh, so its tick adds no error; what remains is how late the edge was seen, and what was
    drawn before the first and after the last edge. The window runs between the two edges, in the first and in the last
    tenth, that leave least of both (see `Estimate.unseen_error`): sharp ones, and where the power drifts, early and
    late ones.
    """
    seen = edges(energy)
    if len(seen) < 2 or was_reset(energy) or stood_still(energy):
        return None
    drift = _drift([(e.time_s, e.value) for e in seen]) if len(seen) >= _DRIFT_TICKS else _UNKNOWN_DRIFT
    begin_s, finish_s = seen[0].time_s, seen[-1].time_s
    tenth = (finish_s - begin_s) / 10
    early = [edge for edge in seen[:-1] if edge.time_s <= begin_s + tenth]
    late = [edge for edge in seen[1:] if edge.time_s >= finish_s - tenth]
    first = min(early, key=lambda edge: edge.width_s + drift * (edge.time_s - begin_s))
    last = min(late, key=lambda edge: edge.width_s + drift * (finish_s - edge.time_s))
    span = last.time_s - first.time_s
    return Estimate(
        watts=(last.value - first.value) / span,
        start_s=first.time_s,
        end_s=last.time_s,
        samples=sum(first.time_s <= edge.time_s <= last.time_s for edge in seen),
        tick_error=(first.width_s + last.width_s) / 2 / span,
        drift=drift,
    )


def counter_over(energy: Sequence[Poll], other: Estimate) -> float:
    """The counter's average power over the window of another estimate, on straight lines between its edges.

    What it is compared with may leave out a part of the counter's own window, in which the power was different.
    """
    line = [(edge.time_s, edge.value) for edge in edges(energy)]
    return (_at(line, other.end_s) - _at(line, other.start_s)) / other.window_s


def from_power(power: Sequence[Poll], start_s: float, end_s: float, averaging_s: float = 0.0) -> Estimate | None:
    """Average of the power reading over the window; None where it is shorter than the reading's own averaging time.

    A reading of the moment is integrated by the trapezoid rule over its refreshes. A reading that is already an average
    over the last `averaging_s` would, integrated, bring in what was drawn before the window. It is read once per
    averaging time instead, backwards from the end: those averages tile the window, exactly and without overlap, up to
    a rest at its beginning that is left out.
    """
    points = _refreshes(power)
    if len(points) < 2:
        return None
    start_s, end_s = max(start_s, points[0][0]), min(end_s, points[-1][0])
    if end_s - start_s < max(averaging_s, REFRESH_S):
        return None
    if averaging_s:
        tiles = int((end_s - start_s) / averaging_s)
        start_s = end_s - tiles * averaging_s
        means = [_at(points, start_s + (tile + 1) * averaging_s) for tile in range(tiles)]
        sums = [(start_s + tile * averaging_s, averaging_s * sum(means[:tile])) for tile in range(tiles + 1)]
        doubt_J = REFRESH_S * abs(means[-1] - _at(points, start_s))  # a stale reading: the tiles lie a refresh earlier
    else:
        inside = [point for point in points if start_s < point[0] < end_s]
        line = [(start_s, _at(points, start_s)), *inside, (end_s, _at(points, end_s))]
        sums = _integrated(line)
        doubt_J = _between_refreshes(line)
    joules = sums[-1][1]
    fresh = sum(start_s <= edge.time_s <= end_s for edge in edges(power))
    error = doubt_J / joules if joules > 0 else 0.0
    return Estimate(joules / (end_s - start_s), start_s, end_s, fresh, error, _drift(sums))


def _integrated(line: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Joules from the line's beginning up to each of its points, by the trapezoid rule."""
    sums = [(line[0][0], 0.0)]
    for (t0, p0), (t1, p1) in pairwise(line):
        sums.append((t1, sums[-1][1] + (t1 - t0) * (p0 + p1) / 2))
    return sums


def _between_refreshes(line: Sequence[tuple[float, float]]) -> float:
    """Two standard deviations, in joules, of what the trapezoid rule may miss between the points of `line`.

    Between two refreshes the power went from one value to the other at an unknown moment: off by half of their
    difference times the gap at most, uniformly (a standard deviation of 1/sqrt(3) of that; GUM, 4.3.7), independently.
    """
    halves = [(t1 - t0) * (p1 - p0) / 2 for (t0, p0), (t1, p1) in pairwise(line)]
    return 2 * math.sqrt(sum(half**2 for half in halves) / 3)


def _drift(sums: Sequence[tuple[float, float]]) -> float:
    """Average power of the last third less that of the first, over that of all, from (time, joules so far)."""
    (start_s, before), (end_s, after) = sums[0], sums[-1]
    if after <= before:
        return _UNKNOWN_DRIFT
    third = (end_s - start_s) / 3
    first, last = _at(sums, start_s + third) - before, after - _at(sums, end_s - third)
    return 3 * abs(last - first) / (after - before)


def _refreshes(power: Sequence[Poll]) -> list[tuple[float, float]]:
    """Times and values at which the reading was fresh.

    Where it changed, it was. Where it stayed the same for longer than a refresh, it was refreshed with the same value,
    last about `REFRESH_S` before it changed: without that point a long plateau would become a ramp.
    """
    if not power:
        return []
    points = [(power[0].time_s, power[0].value)]
    for edge in edges(power):
        held_s, held = points[-1]
        if edge.time_s - held_s > REFRESH_S:
            points.append((edge.time_s - REFRESH_S, held))
        points.append((edge.time_s, edge.value))
    if power[-1].time_s > points[-1][0]:
        points.append((power[-1].time_s, power[-1].value))
    return points


def _at(points: Sequence[tuple[float, float]], time_s: float) -> float:
    """The value at `time_s` on the line through the points, held beyond its ends."""
    place = bisect_right(points, time_s, key=lambda point: point[0])
    if place in (0, len(points)):
        return points[min(place, len(points) - 1)][1]
    (t0, p0), (t1, p1) = points[place - 1], points[place]
    return p0 + (p1 - p0) * (time_s - t0) / (t1 - t0)
