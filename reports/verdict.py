"""The wall of each record with its proof: what pages, tables and terminals show of a bottleneck, as plain data.

It joins what `reports.bottleneck` reads from an observation with what interventions showed; sections and renderers know
this file, and neither of those.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from bench.axes import BY_NAME, DEFAULTS
from bench.errors import UserError
from bench.intervals import median_interval
from bench.record import Experiment, Record
from reports import labels, roofline
from reports.bottleneck import Attribution, of_record
from reports.study import values
from reports.wall_words import in_words
from reports.walls import DESCRIPTIONS, Remedy, Wall

Proof = Literal["confirmed", "contradicted", "untested"]

UNEXPLAINED = "unexplained"


@dataclass(frozen=True)
class Effect:
    """What one intervention did to the time: `change` is (time with / time without) - 1, with its 95 % interval."""

    name: str
    change: float
    low: float | None
    high: float | None

    @property
    def decided(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


@dataclass(frozen=True)
class Elasticity:
    """How much of the time a resource decides, 0 to 1, with its 95 % interval where it is known."""

    resource: str
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Work:
    """One operator that matters, and the share of the iteration that it takes."""

    name: str
    module: str
    calls: float
    seconds: float
    share: float
    flops: float | None
    bytes_moved: float | None
    wall: str


@dataclass(frozen=True)
class Verdict:
    """The wall of one record: what share of the time it takes, how that is known, and what would help.

    `shares` are the parts of the time by wall, the unexplained one among them; they add up to 1. `reached` is the share
    of the ceiling that was attained, by ceiling. `doubts` are errors in counting and ceilings that were missing.
    """

    record: Record
    wall: str
    share: float
    shares: Mapping[str, float]
    iteration_s: float
    reached: Mapping[str, float]
    operators: tuple[Work, ...]
    remedies: tuple[str, ...]
    proof: Proof
    proof_words: str
    effects: tuple[Effect, ...] = ()
    elasticities: tuple[Elasticity, ...] = ()
    doubts: tuple[str, ...] = ()
    attribution: Attribution | None = None

    def sentence(self, subject: str) -> str:
        """What `subject` ("Decode at batch size 1") waits for, without a full stop."""
        if self.attribution is None:
            return f"{subject} waits for {self.wall}"
        return in_words(self.attribution, subject).rstrip(".")


def of(record: Record) -> Verdict | None:
    """The verdict on a record; None where it lacks an observation, costs or ceilings."""
    if record.status != "ok" or record.observation is None or not math.isfinite(record.observation.iteration_s):
        return None
    try:
        found = of_record(record, roofline.datasheet(record))
    except UserError:
        return None
    proof, words, elasticities = _proof(record, found)
    return Verdict(
        record,
        found.verdict,
        found.share(found.verdict),
        {each.wall: each.share for each in found.shares if each.share > 0},
        found.observation.iteration_s,
        _reached(found),
        _operators(found),
        remedies(found.verdict, record),
        proof,
        words,
        effects(record.experiments),
        elasticities,
        (*found.errors, *found.cautions),
        found,
    )


def _reached(found: Attribution) -> dict[str, float]:
    """The arithmetic rung of the number format that did most of the work, and that of main memory."""
    shares: dict[str, float] = {}
    for rung in found.rungs:
        name = "read bandwidth" if rung.unit == "B/s" else "arithmetic"
        if rung.of_machine is not None and math.isfinite(rung.of_machine):
            shares.setdefault(name, rung.of_machine)
    return shares


def _operators(found: Attribution) -> tuple[Work, ...]:
    return tuple(
        Work(
            part.operator.name,
            part.operator.module,
            part.operator.calls,
            part.operator.seconds,
            part.share,
            part.operator.flops,
            part.operator.bytes_moved,
            part.wall,
        )
        for part in found.operators
        if part.operator.seconds > 0
    )


def _proof(record: Record, found: Attribution) -> tuple[Proof, str, tuple[Elasticity, ...]]:
    """What the experiments say of the verdict."""
    tried = [each for each in record.experiments if each.logs and not each.null]
    if tried:
        return "untested", "its experiments do not decide", ()
    reasons = [each.reason for each in record.experiments if each.reason]
    return "untested", reasons[0] if reasons else "no intervention was tried on it", ()


def effects(experiments: Sequence[Experiment]) -> tuple[Effect, ...]:
    """What each intervention did, the null ones left out: the median over pairs of blocks, with its interval."""
    found = []
    for each in experiments:
        logs = [value for value in each.logs if math.isfinite(value)]
        if not each.null and logs:
            middle, low, high = median_interval(logs)
            found.append(Effect(each.name, math.expm1(middle), _expm1(low), _expm1(high)))
    return tuple(found)


def _expm1(value: float | None) -> float | None:
    return None if value is None else math.expm1(value)


def remedies(wall: str, record: Record) -> tuple[str, ...]:
    """What would help against `wall`, the first one most; a variant that the point already has is left out."""
    axes = values(record)
    return tuple(
        _words(remedy, remedy.what.partition(":")[0])
        for remedy in DESCRIPTIONS[_known(wall)].remedies
        if remedy.axis not in labels.VARIANT_AXES or axes[remedy.axis] == DEFAULTS[remedy.axis]
    )


def meaning(wall: str) -> str:
    """What `wall` is, in a sentence for a reader who has not met it."""
    return DESCRIPTIONS[_known(wall)].meaning


def _known(wall: str) -> Wall:
    return next((each for each in DESCRIPTIONS if each == wall), "unexplained")


def tries(wall: str) -> tuple[str, ...]:
    """What to try against `wall`, each with its reason."""
    return tuple(_words(remedy, remedy.what) for remedy in DESCRIPTIONS[_known(wall)].remedies)


def _words(remedy: Remedy, told: str) -> str:
    """`quantization, int8 or int4 weights`; the name of the axis is left out where the words contain it anyway."""
    axis = BY_NAME[remedy.axis].label if remedy.axis in BY_NAME else remedy.axis
    return f"{axis}, {told}" if axis and axis[:5] not in told else told
