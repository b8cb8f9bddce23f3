"""What a trend says in words and in a line of small bars, alike on the terminal and on the page."""

import math
from collections.abc import Sequence

from bench.units import digits
from reports import change_points, labels
from reports.history import Change, Drift, Reading, Trend, hides_lone_changes
from reports.tables import signed

_BARS = "▁▂▃▄▅▆▇█"
#: A sparkline is at least this high from its lowest bar to its highest: noise of 1 % should not fill it.
_LEAST_SPAN = math.log(1.1)


def percent(ratio: float) -> str:
    """A ratio as a change: `+10.2 %`."""
    return f"{signed(100 * (ratio - 1), 1)} %"


def bounds(low: float | None, high: float | None) -> str:
    """The interval of a change: ` [+8.1, +12.4]`; nothing where there is none."""
    if low is None or high is None:
        return ""
    return f" [{signed(100 * (low - 1), 1)}, {signed(100 * (high - 1), 1)}]"


def chance(p: float) -> str:
    """`p = 0.013`; below what the shuffles can show, `p < 0.001`."""
    return "p < 0.001" if p < 1e-3 else f"p = {p:.2g}"


def named(reading: Reading) -> str:
    """A run by its id and commit."""
    return f"{labels.plain(reading.run)} (commit {reading.commit})" if reading.commit else labels.plain(reading.run)


def which_way(trend: Trend, ratio: float) -> str:
    """What the change means: `, slower`; nothing of a metric of which neither more nor less is better."""
    if trend.unit == "s":
        return ", slower" if ratio > 1 else ", faster"
    if trend.direction == 0:
        return ""
    return ", worse" if (ratio > 1) == (trend.direction < 0) else ", better"


def change(trend: Trend, found: Change) -> str:
    """A change in a sentence: how much, between which runs, and how likely by chance."""
    before, after = trend.measured[found.at - 1], trend.measured[found.at]
    interval = bounds(found.low, found.high) or " (too few runs on a side for an interval)"
    much = f"{percent(found.ratio)}{interval}{which_way(trend, found.ratio)}"
    return f"{much}, between run {named(before)} and run {named(after)}; {chance(found.p)}."


def drift(trend: Trend, found: Drift) -> str:
    """A drift in a sentence: how much a run, how much in all and since when."""
    in_all = f"{percent(found.in_all)}{which_way(trend, found.in_all)}"
    since = named(trend.measured[found.start])
    a_run = f"{percent(found.per_run)}{bounds(found.low, found.high)}"
    return f"drift: {a_run} a run, {in_all} since run {since}; {chance(found.p)}."


def sentences(trend: Trend) -> list[str]:
    """Its changes in the order of time, then its drift."""
    told = [change(trend, each) for each in trend.changes]
    return [*told, *([drift(trend, trend.drift)] if trend.drift else [])]


def verdict(trend: Trend) -> str:
    """The newest of what is told of it, in two or three words."""
    if trend.too_few:
        return f"{len(trend.measured)} of {change_points.fewest()} runs"
    if trend.drift:
        return f"drift {percent(trend.drift.in_all)}"
    if not trend.changes:
        return "no change"
    more = len(trend.changes) - 1
    return percent(trend.changes[-1].ratio) + (f", {more} more" if more else "")


def sparkline(trend: Trend, most: int) -> str:
    """A bar a run, the last `most` of them; a dot where the run has no value. Heights are by the logarithm."""
    shown = trend.readings[-most:]
    logs = [None if reading.value is None else math.log(reading.value) for reading in shown]
    known = [log for log in logs if log is not None]
    if not known:
        return "·" * len(shown)
    middle = (min(known) + max(known)) / 2
    span = max(max(known) - min(known), _LEAST_SPAN)
    return "".join("·" if log is None else _BARS[_step((log - middle) / span + 0.5)] for log in logs)


def _step(share: float) -> int:
    return min(int(share * len(_BARS)), len(_BARS) - 1)


def half_width(reading: Reading) -> str:
    """` ±1.2 %`: half the interval within the run over the value; nothing where there is none."""
    if reading.value is None or reading.low is None or reading.high is None:
        return ""
    return f" ±{digits(50 * (reading.high - reading.low) / reading.value, 2)} %"


def notes(found: Sequence[Trend]) -> list[str]:
    """What a reader must know of these trends: how sure they are, and what they cannot tell."""
    told = [
        f"A change is told where shuffled runs split as clearly so seldom that, where nothing changes, "
        f"{100 * change_points.ALPHA:g} % of histories tell one, over all points together. It takes "
        f"{change_points.fewest()} runs, {change_points.SIDE} of them on each side. Runs of a machine that is slow "
        "for hours look like a change too."
    ]
    if hides_lone_changes(found):
        told.append(
            "With so many points and so few runs, a change in one point alone cannot be told from chance: "
            "choose points, or wait for more runs."
        )
    if any(trend.setup for trend in found):
        told.append("A set-up is a machine with its power limit and versions, and a text; each has its own series.")
    return told
