"""What each point waits for, how that is known, and what would help: the wall, its proof, and the time it takes."""

import math
from collections import Counter
from collections.abc import Sequence

from bench.record import Record
from bench.units import digits, quantity
from reports import advice, labels, tables, verdict
from reports.document import Bullets, Cell, Column, Paragraph, Part, Section, Table
from reports.sections import _wall_figures
from reports.sections._wall_words import percent, sentence, where
from reports.study import Study
from reports.verdict import UNEXPLAINED, Verdict

ORDER = 15

TITLE = "What it waits for"
#: Points whose operators are listed.
_MOST_LISTED = 3
#: A part of a bar that is explained in words; remedies named for each wall; doubts written out.
_SEEN, _MOST_TRIED, _MOST_DOUBTS = 0.05, 3, 4
_UNKNOWN = "What each configuration waits for is not known"
_MEASURE = "run `pinchpoint ceilings`, then sweep again"
_UNTRIED = "None of these walls was tried by experiment: pinchpoint diagnose does that for a point."
_SWEEP = "sweep again with this version of pinchpoint"


def build(study: Study) -> Section | None:
    """None where nothing was measured, or another tool measured all of it."""
    if not study.ours:
        return None
    verdicts = [found for record in study.ok if (found := verdict.of(record))]
    figures: list[Part] = list(_wall_figures.rooflines(study))
    if not verdicts:
        return Section(TITLE, _why_none(study.ours), (*figures, *_advised(study)))
    first = telling(verdicts)
    parts: list[Part] = [_points(study, verdicts)]
    bars, unbarred = _wall_figures.bars(study, verdicts)
    pulls, undrawn = _wall_figures.elasticities(study, verdicts)
    parts += [*figures, *bars, *pulls]
    notes = [
        *(
            [f"{labels.count(unbarred, 'faster configuration')} left out of the bars for legibility."]
            if unbarred
            else []
        ),
        *(
            [f"{labels.count(undrawn, 'configuration')} left out of the elasticities for legibility."]
            if undrawn
            else []
        ),
        _missing(study.ours),
    ]
    parts += [Paragraph(" ".join(note for note in notes if note))] if any(notes) else []
    parts += [table for each in _listed(verdicts, first) if (table := _operators(study, each)) is not None]
    parts += _advised(study)
    parts += [_glossary(verdicts)]
    relief = advice.sentence(first.record)
    return Section(TITLE, " ".join([sentence(study, first), *([relief] if relief else [])]), tuple(parts))


def telling(verdicts: Sequence[Verdict]) -> Verdict:
    """The verdict that says most: proven before untested, named before unexplained, then by its share of the time."""
    return max(
        verdicts,
        key=lambda each: (each.wall != UNEXPLAINED, _PROOFS.index(each.proof), round(each.share, 2)),
    )


#: From the one that says least.
_PROOFS = ("untested", "contradicted", "confirmed")


def _why_none(records: Sequence[Record]) -> str:
    """Why nothing has a verdict, in one sentence with what to do."""
    if not any(record.ceilings for record in records):
        return f"{_UNKNOWN}, since the records hold no ceilings, the most that this machine can do: {_MEASURE}."
    told = [record for record in records if record.ceilings and record.observation is not None]
    if not told:
        return f"{_UNKNOWN}, since the records do not tell what an iteration consists of: {_SWEEP}."
    return f"{_UNKNOWN}. {labels.plain(verdict.unknown(told[0]) or '')}"


def _missing(records: Sequence[Record]) -> str:
    """How many points have no verdict, where some have none, and why the first of them has none."""
    lacking = [why for record in records if (why := verdict.unknown(record)) is not None]
    if not lacking:
        return ""
    return (
        f"{len(lacking)} of {labels.count(len(records), 'configuration')} have no verdict. {labels.plain(lacking[0])}"
    )


def _points(study: Study, verdicts: Sequence[Verdict]) -> Table:
    identity = tables.Identity(study, but=tables.unsaid(each.record for each in verdicts))
    ceilings = dict.fromkeys(kind for each in verdicts for kind in each.reached)
    tried = any(not experiment.null for each in verdicts for experiment in each.record.experiments)
    columns = [
        *identity.columns,
        Column("wall"),
        Column("of the time", "right"),
        *(Column(f"reached of {kind}", "right") for kind in ceilings),
        *([Column("proof")] if tried else []),
        Column("what would help"),
    ]
    rows = tuple(
        (
            *identity.cells(each.record),
            Cell(labels.plain(each.wall), emphasis="muted" if each.wall == UNEXPLAINED else "plain"),
            _share(each.share),
            *(_share(each.reached.get(kind)) for kind in ceilings),
            *([_proof(each)] if tried else []),
            Cell(advice.in_short(each.record) or labels.plain("; ".join(each.remedies[:2])) or "—"),
        )
        for each in verdicts
    )
    note = _note(verdicts) if tried else f"{_UNTRIED} {_note(verdicts)}".strip()
    return Table("Walls and their proof" if tried else "Walls", tuple(columns), rows, note)


def _advised(study: Study) -> list[Table]:
    """The advice on some points: those whose changes were tried come first."""
    with_advice = [record for record in study.ok if advice.possible(record.advice)]
    with_advice.sort(key=lambda record: all(each.proof is None for each in record.advice))
    found = (advice.table(r, f"{where(study, r)}: what would help") for r in with_advice[:_MOST_LISTED])
    return [table for table in found if table is not None]


def _share(share: float | None) -> Cell:
    if share is None or not math.isfinite(share):
        return Cell("—", emphasis="muted")
    return Cell(percent(share), sort=share)


def _proof(each: Verdict) -> Cell:
    words = labels.plain(each.proof_words)
    emphasis = {"confirmed": "plain", "contradicted": "bad", "untested": "muted"}[each.proof]
    return Cell(f"{each.proof}. {words}" if words else each.proof, emphasis=emphasis)  # type: ignore[arg-type]


def _listed(verdicts: Sequence[Verdict], first: Verdict) -> list[Verdict]:
    """The most telling point, then the slowest ones of other walls."""
    listed = [first]
    for each in sorted(verdicts, key=lambda each: -each.iteration_s):
        if len(listed) < _MOST_LISTED and each.wall not in [known.wall for known in listed]:
            listed.append(each)
    return listed


def _operators(study: Study, each: Verdict) -> Table | None:
    rows = []
    for work in each.operators:
        intensity = work.flops / work.bytes_moved if work.flops and work.bytes_moved else None
        rows.append(
            (
                Cell(labels.plain(work.name)),
                Cell(labels.plain(work.module) or "—"),
                Cell(digits(work.calls), sort=work.calls),
                _quantity(work.seconds, "s"),
                _share(work.share),
                _quantity(work.flops, "FLOP"),
                _quantity(work.bytes_moved, "B"),
                _quantity(intensity, "FLOP/B"),
                Cell(labels.plain(work.wall)),
            )
        )
    if not rows:
        return None
    heads = ("calls", "time", "of the time", "FLOPs", "bytes", "intensity")
    columns = (Column("operator"), Column("module"), *(Column(head, "right") for head in heads), Column("wall"))
    return Table(f"{where(study, each.record)}: the operators that matter", columns, tuple(rows))


def _quantity(value: float | None, unit: str) -> Cell:
    if value is None or not math.isfinite(value):
        return Cell("—", emphasis="muted")
    return Cell(quantity(value, unit), sort=value)


def _glossary(verdicts: Sequence[Verdict]) -> Bullets:
    """Every wall that is named or has a part in a bar: what it means, and what to try."""
    named = dict.fromkeys(each.wall for each in verdicts)
    seen = dict.fromkeys(wall for each in verdicts for wall, share in each.shares.items() if share >= _SEEN)
    items = []
    for wall in dict.fromkeys((*named, *seen)):
        tries = "; ".join(verdict.tries(wall)[:_MOST_TRIED])
        items.append((labels.plain(wall).capitalize(), f"{verdict.meaning(wall)} To try: {tries}."))
    return Bullets(tuple(items))


def _note(verdicts: Sequence[Verdict]) -> str:
    """What is doubtful about counts and ceilings, each reason once with how many points it concerns."""
    found = Counter(labels.plain(doubt) for each in verdicts for doubt in dict.fromkeys(each.doubts))
    said = [f"{doubt} ({labels.count(number, 'configuration')})" for doubt, number in found.most_common(_MOST_DOUBTS)]
    rest = len(found) - len(said)
    return " ".join([*said, *([f"And {labels.count(rest, 'more caution')}."] if rest > 0 else [])])
