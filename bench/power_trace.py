"""Average power from what a polling thread saw of a meter: an energy counter that ticks, and a power reading that lags.

Pure arithmetic over polls. Times are seconds on one clock; energy is in joules, power in watts.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

#: NVIDIA's meters refresh about every 100 ms. For a faster one, a plateau seems to end this much too early at most.
REFRESH_S = 0.1


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

    `samples` counts the refreshes of the meter within it. `timing_error` bounds the relative error that the uncertain
    ends of the window leave, for a power at the ends that is like the average.
    """

    watts: float
    start_s: float
    end_s: float
    samples: int
    timing_error: float = 0.0

    @property
    def window_s(self) -> float:
        """Length of the window."""
        return self.end_s - self.start_s


def edges(polls: Sequence[Poll]) -> list[Edge]:
    """Where the polled value changed: after the last poll of the old value was asked, before the new was answered."""
    return [Edge(old.asked_s, new.answered_s, new.value) for old, new in pairwise(polls) if new.value != old.value]


def went_back(energy: Sequence[Poll]) -> bool:
    """Whether the counter was reset or wrapped: energy only grows."""
    return any(new.value < old.value for old, new in pairwise(energy))


def from_counter(energy: Sequence[Poll]) -> Estimate | None:
    """Energy between two edges of the counter over the time between them; None with fewer than two, or after a reset.

    At an edge the counter is fresh, so its tick adds no error; what remains is how late the edge was seen. So the
    window runs between the sharpest edge of the first tenth and the sharpest of the last tenth.
    """
    seen = edges(energy)
    if len(seen) < 2 or went_back(energy):
        return None
    tenth = (seen[-1].time_s - seen[0].time_s) / 10
    first = min((edge for edge in seen[:-1] if edge.time_s <= seen[0].time_s + tenth), key=lambda edge: edge.width_s)
    last = min((edge for edge in seen[1:] if edge.time_s >= seen[-1].time_s - tenth), key=lambda edge: edge.width_s)
    span = last.time_s - first.time_s
    return Estimate(
        watts=(last.value - first.value) / span,
        start_s=first.time_s,
        end_s=last.time_s,
        samples=sum(first.time_s <= edge.time_s <= last.time_s for edge in seen),
        timing_error=(first.width_s + last.width_s) / 2 / span,
    )


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
        mean = sum(_at(points, end_s - tile * averaging_s) for tile in range(tiles)) / tiles
    else:
        inside = [point for point in points if start_s < point[0] < end_s]
        line = [(start_s, _at(points, start_s)), *inside, (end_s, _at(points, end_s))]
        mean = sum((t1 - t0) * (p0 + p1) / 2 for (t0, p0), (t1, p1) in pairwise(line)) / (end_s - start_s)
    fresh = sum(start_s <= edge.time_s <= end_s for edge in edges(power))
    return Estimate(mean, start_s, end_s, fresh)


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
