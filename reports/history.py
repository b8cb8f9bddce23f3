"""Runs of the past as a trend for each point and metric: where the level changed, and drift too slow for two runs.

Only what was measured in one set-up is put into one series: the same machine, power limit and versions (the host's
fingerprint) and the same text. Another set-up starts a series of its own.
"""

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import median
from typing import Literal

from bench import points
from bench.record import Metric, Record, Value
from reports import certainty, change_points, labels
from reports.change_points import Shift, Slope, Split
from reports.study import letters, point

#: A change or a drift of less than this in all is not told, however certain: a build or a layout of addresses does it.
SMALLEST = 0.01
#: The section of the page and a sparkline take this many runs at least.
SHOWN_FROM = 3


@dataclass(frozen=True)
class Reading:
    """What one run says of the metric: SI value with its 95 % interval within the run, or the reason for none."""

    run: str
    started_at: str
    commit: str | None
    branch: str | None
    value: float | None
    low: float | None
    high: float | None
    reason: str


@dataclass(frozen=True)
class Change:
    """A new level from the reading at place `at` of the measured ones on: after / before, with a 95 % interval."""

    at: int
    ratio: float
    low: float | None
    high: float | None
    p: float


@dataclass(frozen=True)
class Drift:
    """Growth from the reading at place `start` to the last: factors a run, with a 95 % interval, and in all."""

    start: int
    per_run: float
    low: float
    high: float
    in_all: float
    p: float


@dataclass(frozen=True)
class Trend:
    """One metric of one point in one set-up, over its runs in the order of time.

    `setup` is a letter, or empty where there is one set-up alone; `says` is what the metric is in words; `direction`
    is -1 where less is better. `axes` are those of the point, `host` the newest run's.
    """

    label: str
    setup: str
    point: str
    axes: dict[str, Value]
    host: dict[str, Value | None]
    metric: str
    says: str
    unit: str
    direction: Literal[-1, 0, 1]
    readings: tuple[Reading, ...]
    changes: tuple[Change, ...] = ()
    drift: Drift | None = None

    @cached_property
    def measured(self) -> tuple[Reading, ...]:
        """The readings that have a value: places of changes and drift count these."""
        return tuple(reading for reading in self.readings if reading.value is not None)

    @cached_property
    def logs(self) -> tuple[float, ...]:
        """ln of each measured value."""
        return tuple(math.log(reading.value) for reading in self.measured if reading.value is not None)

    @property
    def title(self) -> str:
        """The point, and its set-up where there are several."""
        return f"{self.label}, set-up {self.setup}" if self.setup else self.label

    @property
    def moved(self) -> bool:
        """Whether anything is told of it."""
        return bool(self.changes) or self.drift is not None

    @property
    def too_few(self) -> bool:
        """Whether nothing can be told for want of runs."""
        return len(self.measured) < change_points.fewest()

    @cached_property
    def levels(self) -> tuple[tuple[int, int, float], ...]:
        """First place, last place and median (SI) of each stretch between changes."""
        edges = [0, *(change.at for change in self.changes), len(self.logs)]
        return tuple(
            (start, end - 1, math.exp(median(self.logs[start:end])))
            for start, end in itertools.pairwise(edges)
            if end > start
        )


def trends(records: Iterable[Record], metrics: Sequence[str], last: int | None = None) -> tuple[Trend, ...]:
    """A trend for each point, set-up and metric that has a value in some run; over the `last` runs if given.

    Points in the order of their axes, then set-ups by age. Records of `diagnose` and `advise` are left out: they are
    measured beside an intervention. One that is given twice counts once.
    """
    unique = {(r.run, r.point, r.started_at): r for r in records if not (r.advice or r.experiments)}
    ordered = sorted(unique.values(), key=lambda record: (record.started_at, record.run))
    setups = {setup: letters(place) for place, setup in enumerate(dict.fromkeys(map(_setup, ordered)))}
    series: dict[tuple[str, str], list[Record]] = {}
    for record in ordered:
        series.setdefault((record.point, setups[_setup(record)]), []).append(record)
    among = [point(members[0]) for members in series.values()]
    varying = points.varying([each.axes for each in among])
    order = sorted(series, key=lambda key: (labels.order(point(series[key][0]).axes, varying), key[1]))
    found = []
    for key in order:
        members = series[key][-last:] if last else series[key]
        label = labels.plain(points.describe(point(members[0]), among))
        read = [_trend(members, metric, label, key[1] if len(setups) > 1 else "") for metric in metrics]
        found += [trend for trend in read if trend.measured]
    return judged(found)


def _setup(record: Record) -> tuple[object, object]:
    return record.host.get("fingerprint"), record.facts.get("corpus_sha256")


def _trend(records: Sequence[Record], metric: str, label: str, setup: str) -> Trend:
    """The readings of a series, nothing judged yet."""
    known = [record.metrics[metric] for record in records if metric in record.metrics]
    like = known[-1] if known else Metric(None, "", 0, metric)
    newest = records[-1]
    return Trend(
        label=label,
        setup=setup,
        point=newest.point,
        axes=point(newest).axes,
        host=newest.host,
        metric=metric,
        says=labels.plain(like.label),
        unit=like.unit,
        direction=like.direction,
        readings=tuple(_reading(certainty.supported(record), metric) for record in records),
    )


def _reading(record: Record, metric: str) -> Reading:
    found = record.metrics.get(metric)
    value, reason = _value(record, found)
    low, high = (found.low, found.high) if found is not None and value is not None else (None, None)
    bounded = low is not None and high is not None and math.isfinite(low) and math.isfinite(high)
    commit, branch = (record.host.get(name) for name in ("git_commit", "git_branch"))
    return Reading(
        record.run,
        record.started_at,
        None if commit is None else labels.plain(commit),
        None if branch is None else labels.plain(branch),
        value,
        low if bounded else None,
        high if bounded else None,
        reason,
    )


def _value(record: Record, metric: Metric | None) -> tuple[float | None, str]:
    """A positive finite value, or None with the reason."""
    if record.status != "ok":
        return None, f"{labels.status(record)}: {labels.plain(record.reason or 'no reason was recorded')}"
    if metric is None or metric.value is None:
        return None, labels.plain(metric.reason or "") if metric else "not measured in this run"
    if not (math.isfinite(metric.value) and metric.value > 0):
        return None, f"the reading {metric.value:g} is no positive finite number"
    return metric.value, ""


def hides_lone_changes(found: Sequence[Trend]) -> bool:
    """Whether there are so many series of so few runs that a change in one alone could not be told from chance."""
    runs = [len(trend.measured) for trend in found if not trend.too_few and min(trend.logs) < max(trend.logs)]
    return any(2 * change_points.least_p(n) > change_points.ALPHA / len(runs) for n in runs)


def judged(found: Sequence[Trend]) -> tuple[Trend, ...]:
    """The trends with their changes and drifts: those that count among all series together.

    Each series is asked twice, for a change and for a drift, so its p is twice the smaller one of the two. Where the
    runs from some place on are described better by a straight line than by steps, they are told as a drift.
    """
    asked = [_asked(trend) for trend in found]
    smallest = [min([1.0, *(2 * split.p for split in splits[:1]), 2 * slope.p]) for splits, slope in asked if slope]
    most = change_points.threshold(smallest) / 2
    return tuple(_told(trend, *each, most) for trend, each in zip(found, asked, strict=True))


def _asked(trend: Trend) -> tuple[list[Split], Slope | None]:
    """Nothing of a series that is too short or never varies: such a one cannot count, so it is not one among all."""
    if trend.too_few or min(trend.logs) == max(trend.logs):
        return [], None
    return change_points.splits(trend.logs, change_points.ALPHA / 2), change_points.slope(trend.logs)


def _told(trend: Trend, splits: Sequence[Split], slope: Slope | None, most: float) -> Trend:
    if slope is None or min([slope.p, *(split.p for split in splits[:1])]) > most:
        return trend
    # Each split was found given those before it, so the first that does not count ends them. Where a trend alone
    # counts, the first split still competes with it as to what the runs look like.
    counted = list(itertools.takewhile(lambda split: split.p <= most, splits)) or splits[:1]
    places = sorted(split.at for split in counted)
    for start in (0, *places):
        rest, later = trend.logs[start:], [place - start for place in places if place > start]
        growth = change_points.slope(rest) if len(rest) >= change_points.fewest() else None
        if growth and growth.p <= most and not change_points.steps_fit_better(rest, later, growth.log):
            before = [split for split in counted if split.at <= start]
            return replace(trend, changes=_changes(trend.logs, before), drift=_drift(growth, start, len(rest)))
    return replace(trend, changes=_changes(trend.logs, counted))


def _changes(logs: Sequence[float], splits: Sequence[Split]) -> tuple[Change, ...]:
    """The levels on both sides of each split compared; what is smaller than `SMALLEST` is left out."""
    splits = sorted(splits, key=lambda split: split.at)
    while True:
        edges = [0, *(split.at for split in splits), len(logs)]
        shifts = [
            change_points.shift(logs[start:at], logs[at:end])
            for start, at, end in zip(edges, edges[1:], edges[2:], strict=False)
        ]
        large = [s for s, shift in zip(splits, shifts, strict=True) if abs(math.expm1(shift.log)) >= SMALLEST]
        if len(large) == len(splits):
            return tuple(_change(split, shift) for split, shift in zip(splits, shifts, strict=True))
        splits = large


def _change(split: Split, shift: Shift) -> Change:
    low, high = (None if bound is None else math.exp(bound) for bound in (shift.low, shift.high))
    return Change(split.at, math.exp(shift.log), low, high, split.p)


def _drift(slope: Slope, start: int, length: int) -> Drift | None:
    in_all = math.exp(slope.log * (length - 1))
    if abs(in_all - 1) < SMALLEST:
        return None
    return Drift(start, math.exp(slope.log), math.exp(slope.low), math.exp(slope.high), in_all, slope.p)
