"""The wall of each record with its proof: what pages, tables and terminals show of a bottleneck, as plain data.

It joins what `reports.bottleneck` reads from an observation with what `reports.proof` reads from experiments; sections
and renderers know this file, and neither of those.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from bench.axes import BY_NAME, DEFAULTS
from bench.errors import UserError
from bench.record import Experiment, Record
from reports import elasticity, labels, proof, roofline
from reports.bottleneck import Attribution, of_record
from reports.study import values
from reports.wall_words import in_words
from reports.walls import DESCRIPTIONS, MORE_THREADS, Remedy, Wall

Proof = Literal["confirmed", "contradicted", "untested"]

UNEXPLAINED = "unexplained"


@dataclass(frozen=True)
class Effect:
    """What one intervention did to the time, in words too; `change` is (time with / time without) - 1.

    It is `decided` where the 95 % interval of the change leaves 0 out.
    """

    name: str
    words: str
    change: float
    decided: bool


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


def wall_of(record: Record) -> str | None:
    """What the record waits for, without the proof, which takes longer; None where that is not known."""
    found = _attributed(record)
    return None if found is None else found.verdict


def of(record: Record) -> Verdict | None:
    """The verdict on a record; None where it lacks an observation, costs or ceilings."""
    found = _attributed(record)
    if found is None:
        return None
    status, words, elasticities = _proof(record, found)
    return Verdict(
        record,
        found.verdict,
        found.share(found.verdict),
        {each.wall: each.share for each in found.shares if each.share > 0},
        found.observation.iteration_s,
        _reached(found),
        _operators(found),
        remedies(found.verdict, record),
        status,
        words,
        effects(record.experiments),
        elasticities,
        (*found.errors, *found.cautions),
        found,
    )


def unknown(record: Record) -> str | None:
    """Why the record has no verdict, and what to do; None where it has one."""
    found = _read(record)
    return found if isinstance(found, str) else None


def _attributed(record: Record) -> Attribution | None:
    found = _read(record)
    return None if isinstance(found, str) else found


def _read(record: Record) -> Attribution | str:
    if record.status != "ok":
        return f"It was not measured ({record.status})."
    if not record.ceilings:
        return "It holds no ceilings: measure them, then the point again (pinchpoint ceilings)."
    if record.observation is not None and not math.isfinite(record.observation.iteration_s):
        return "Its observation holds no time of an iteration. Measure the point again."
    try:
        return of_record(record, roofline.datasheet(record))
    except UserError as why:
        return f"{why.message} {why.remedy}"


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
    """What the experiments say of the verdict, and the elasticities that they give."""
    tried = [_finite(each) for each in record.experiments]
    if not tried:
        return "untested", "No intervention was tried on it.", ()
    fitted = elasticity.fit(tried)
    judged = proof.proof(found.verdict, fitted, tried)
    shown = tuple(
        Elasticity(labels.listed(each.resources), each.value, each.low, each.high)
        for each in fitted.elasticities
        if each.value is not None
    )
    return judged.verdict, judged.sentence, shown


def effects(experiments: Sequence[Experiment]) -> tuple[Effect, ...]:
    """What each intervention did; those that changed nothing by intent are left out."""
    found = []
    for each in experiments:
        told = None if each.null else elasticity.effect(_finite(each))
        if told is not None:
            phrase = proof.PHRASES.get(each.name, labels.plain(each.name).replace("_", " "))
            decided = told.low is not None and told.high is not None and not told.low <= 0 <= told.high
            found.append(Effect(each.name, f"{phrase} {proof.changed(told)}", told.share, decided))
    return tuple(found)


def _finite(experiment: Experiment) -> Experiment:
    """Without pairs that hold no number, which a stranger's record may."""
    if all(map(math.isfinite, experiment.logs)):
        return experiment
    return replace(experiment, logs=[value for value in experiment.logs if math.isfinite(value)])


def remedies(wall: str, record: Record) -> tuple[str, ...]:
    """What would help against `wall`, the first one most; what the point already has or cannot have is left out."""
    axes = values(record)
    trains = axes["workload"] == "train"
    return tuple(
        _words(remedy, remedy.what.partition(":")[0])
        for remedy in DESCRIPTIONS[_known(wall)].remedies
        if remedy.training in (None, trains)
        and (remedy.axis not in labels.VARIANT_AXES or axes[remedy.axis] == DEFAULTS[remedy.axis])
        and not (remedy is MORE_THREADS and _all_cores(record))
    )


def _all_cores(record: Record) -> bool:
    """Whether the point has a thread for each core that it may use."""
    seen = record.observation
    return seen is not None and seen.threads >= seen.cores


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
