"""Acceptance: what a vendor's measurements must reach, and whether returned records do. Pure.

A pack names points of a sweep and limits on their figures; `judge` holds returned records against it. A figure meets
its limit only where its whole interval does, so noise never buys a machine.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, Strict

from bench import points
from bench.record import Metric, Record, Value
from reports import acceptance_checks, certainty, labels, study
from reports.acceptance_checks import Check
from reports.acceptance_score import Ratio, Score, score

#: Layout of a pack's files; 1 is the first.
SCHEMA = 1

Relation = Literal["at least", "at most"]
Verdict = Literal["met", "missed", "cannot tell", "missing"]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Text = Annotated[str, Strict()]

_KNOWN_KEYS_ONLY = ConfigDict(extra="forbid")


@dataclass(frozen=True)
class Requirement:
    """A limit on one figure of one point. `point` holds the axes that differ from their default.

    `limit` is in `unit`, which is SI as in records. `weight` is the figure's part in the score. `source` says in words
    where the limit is from.
    """

    point: dict[str, Value]
    metric: Text
    relation: Relation
    limit: Positive
    unit: Text
    source: Text
    weight: Positive = 1.0
    __pydantic_config__ = _KNOWN_KEYS_ONLY

    @cached_property
    def id(self) -> str:
        """The id of its point. Raises `UserError` for an axis or a value that there is not."""
        return points.point(self.point).id


@dataclass(frozen=True)
class Pack:
    """What is asked for. `created` is ISO 8601; `pinchpoint` is the version to measure with, None where unknown.

    `settings` are those of the sweep; `terms` are sentences on how it is judged; `left_out` says what the source would
    have asked for that pinchpoint cannot measure, and why.
    """

    schema: int
    title: Text
    created: Text
    requirements: Annotated[tuple[Requirement, ...], Field(min_length=1)]
    pinchpoint: Text | None = None
    settings: dict[str, Value] = field(default_factory=dict)
    terms: tuple[Text, ...] = ()
    left_out: tuple[Text, ...] = ()
    __pydantic_config__ = _KNOWN_KEYS_ONLY

    @cached_property
    def points(self) -> tuple[points.Point, ...]:
        """Each point that is asked for, once, in order."""
        return tuple(dict.fromkeys(points.point(each.point) for each in self.requirements))

    @cached_property
    def model(self) -> str | None:
        """The model of transformers that its points run, as NAME@HASH; None where they run none."""
        return next((str(point.axes["model"]) for point in self.points if point.axes["architecture"] == "hf"), None)

    def name(self, requirement: Requirement) -> str:
        """What tells the requirement's point from the pack's others, in words."""
        return points.describe(points.point(requirement.point), self.points)


@dataclass(frozen=True)
class Judged:
    """One requirement and what was returned: the figure with its 95 % interval in the requirement's unit.

    `ratio` is how many times as good as asked; None where there is no figure. `reason` is a sentence, empty where the
    figure meets the limit and nothing speaks against it.
    """

    requirement: Requirement
    name: str
    verdict: Verdict
    reason: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None
    ratio: Ratio | None = None


@dataclass(frozen=True)
class Verdicts:
    """Every requirement judged, whether the records are fit for it, and the score. `machine` is what they ran on."""

    title: str
    machine: str
    judged: tuple[Judged, ...]
    checks: tuple[Check, ...]
    score: Score

    @property
    def counts(self) -> dict[Verdict, int]:
        """How many requirements have each verdict."""
        found = Counter(each.verdict for each in self.judged)
        order: tuple[Verdict, ...] = ("met", "missed", "cannot tell", "missing")
        return {verdict: found[verdict] for verdict in order}

    @property
    def faults(self) -> tuple[Check, ...]:
        """What makes the records unfit to be accepted, whatever their figures."""
        return tuple(check for check in self.checks if check.outcome == "fault")

    @property
    def exit_code(self) -> int:
        """0: all is met; 1: something was missed; 3: something is open or missing, or the records are unfit."""
        if self.counts["missed"]:
            return 1
        return 0 if self.counts["met"] == len(self.judged) and not self.faults else 3


def judge(pack: Pack, records: Iterable[Record], settings: Mapping[str, Value] | None = None) -> Verdicts:
    """Hold the records of one run against the pack. `settings` are those that it ran with, None where not known."""
    kept = [certainty.supported(record) for record in records]
    found = {study.point(record).id: record for record in sorted(kept, key=lambda record: record.started_at)}
    judged = tuple(_judged(pack, requirement, found.get(requirement.id)) for requirement in pack.requirements)
    checks = acceptance_checks.checks(
        {point.id for point in pack.points}, pack.pinchpoint, pack.settings, kept, settings
    )
    total = score([(each.ratio, each.requirement.weight) for each in judged])
    return Verdicts(pack.title, machine(kept), judged, checks, total)


def machine(records: Sequence[Record]) -> str:
    """What the records were measured on, in words."""
    names = (record.host.get("accelerator") or record.host.get("cpu") or "unknown" for record in records)
    return labels.listed(list(dict.fromkeys(map(labels.plain, names)))) or "nothing"


def _judged(pack: Pack, asked: Requirement, record: Record | None) -> Judged:
    name = pack.name(asked)
    if record is None:
        return Judged(asked, name, "missing", "there is no record of this point")
    metric = record.metrics.get(asked.metric)
    if reason := _unusable(record, metric, asked):
        return Judged(asked, name, "missing", reason)
    assert metric is not None
    assert metric.value is not None
    low, high = _bounds(asked, metric)
    ratio = _ratio(asked, metric.value, low, high)
    verdict, reason = _verdict(asked, ratio, record)
    shown = (low, high) if certainty.may_have_interval(asked.metric) else (None, None)
    return Judged(asked, name, verdict, reason, metric.value, *shown, ratio)


def _unusable(record: Record, metric: Metric | None, asked: Requirement) -> str:
    """Why the record has no figure to judge; empty where it has."""
    if record.status != "ok":
        return f"{labels.status(record)}: {labels.plain(record.reason or 'no reason was recorded').rstrip('.')}"
    if tool := study.imported_from(record):
        return f"it was measured by {tool}, not by pinchpoint"
    if not any(block.samples_ns for block in record.blocks):
        return "its record holds no samples"
    if metric is None or metric.value is None:
        return labels.plain((metric.reason if metric else None) or "it was not measured").rstrip(".")
    if metric.unit != asked.unit:
        return f"it is in {labels.plain(metric.unit) or 'no unit'}, and the limit in {asked.unit or 'none'}"
    return "" if _comparable(metric.value, asked) else f"it reads {metric.value:g}, which has no ratio to the limit"


def _bounds(asked: Requirement, metric: Metric) -> tuple[float | None, float | None]:
    """The interval; the value itself where the metric never has one, such as a peak."""
    if not certainty.may_have_interval(asked.metric):
        return metric.value, metric.value
    known = all(bound is not None and _comparable(bound, asked) for bound in (metric.low, metric.high))
    return (metric.low, metric.high) if known else (None, None)


def _ratio(asked: Requirement, value: float, low: float | None, high: float | None) -> Ratio:
    if asked.relation == "at least":
        bounds = [None if each is None else each / asked.limit for each in (low, high)]
        return Ratio(value / asked.limit, *bounds)
    bounds = [None if each is None else asked.limit / each for each in (high, low)]
    return Ratio(asked.limit / value, *bounds)


def _verdict(asked: Requirement, ratio: Ratio, record: Record) -> tuple[Verdict, str]:
    if ratio.low is None or ratio.high is None:
        why = certainty.reason_of(record, asked.metric).rstrip(".")
        return "cannot tell", why or "it has no interval"
    if codes := acceptance_checks.unread(record, asked.metric):
        return "cannot tell", f"its meter is in doubt ({codes})"
    if ratio.low >= 1:
        return "met", ""
    if ratio.high >= 1:
        return "cannot tell", "its interval holds the limit; a quieter machine narrows it"
    if codes := acceptance_checks.disturbed(record, asked.metric):
        return "cannot tell", f"it is beyond the limit, but was disturbed ({codes}): run it again undisturbed"
    return "missed", "surely beyond the limit"


def _comparable(value: float, asked: Requirement) -> bool:
    """Whether its ratio to the limit is a number, either way round."""
    return all(math.isfinite(each) and each > 0 for each in (value, value / asked.limit)) and math.isfinite(
        asked.limit / value
    )
