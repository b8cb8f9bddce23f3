"""Architectures beside each other at equal parameters: speed, memory and quality for the same work."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.axes import BY_NAME
from bench.record import Record
from bench.units import digits, interval
from reports import certainty, labels, plots, tables
from reports.document import Cell, Column, Figure, Paragraph, Part, Section, Table
from reports.equals import EQUAL, Race, architecture_of, left_out, races, spread
from reports.plots_forest import Row, dots
from reports.sections import _race_tables
from reports.study import Study, metric, values

ORDER = 55

#: More panels than this make nobody wiser; the tables hold every value.
_MOST_PANELS = 12


@dataclass(frozen=True)
class _Parent:
    """A trained plain model, in one of its records."""

    size: str
    architecture: str
    perplexity: float
    record: Record


def build(study: Study) -> Section | None:
    """None where no two architectures of equal parameters did the same work."""
    found = sorted(races(study), key=lambda race: labels.order(race.axes, ("workload", *study.varying)))
    if not found:
        return None
    named = dict.fromkeys(architecture_of(record) for race in found for record in race.records)
    looks = {name: look for look, name in enumerate(sorted(named, key=lambda n: labels.rank("architecture", n)))}
    parents = _parents(study, found)
    figures, undrawn = _speed_figures(study, found, looks)
    parts: list[Part] = [*figures, *([_quality_figure(parents, looks)] if parents else [])]
    parts += _race_tables.tables_of(study, found, list(looks))
    parts += [_parents_table(parents)] if parents else []
    parts += [Paragraph(" ".join([_conditions(study, found), *undrawn]))]
    return Section(
        "Architectures at equal parameters", " ".join([_fastest(found), *_best_parent(parents)]), tuple(parts)
    )


def _fastest(found: Sequence[Race]) -> str:
    """Who won how many races of each workload, and where nobody did."""
    won: dict[str, list[str]] = {}
    undecided: list[str] = []
    for workload in dict.fromkeys(race.axes["workload"] for race in found):
        members = [race for race in found if race.axes["workload"] == workload]
        wins = Counter(architecture_of(race.winner) for race in members if race.winner)
        word = labels.workload(workload).lower()
        for name, number in wins.most_common():
            won.setdefault(name, []).append(f"{word} ({number} of {len(members)})")
        if not wins:
            undecided.append(word)
    won |= {"nobody by a clear margin": undecided} if undecided else {}
    said = [f"{name} in {labels.listed(workloads)}" for name, workloads in won.items()]
    return f"Fastest at equal parameters: {'; '.join(said)}."


def _best_parent(parents: Sequence[_Parent]) -> list[str]:
    """The least perplexity of each size, with the next."""
    said = []
    for size in dict.fromkeys(parent.size for parent in parents):
        ranked = sorted((p for p in parents if p.size == size), key=lambda parent: parent.perplexity)
        if len(ranked) > 1:
            least, second = ((p.architecture, digits(p.perplexity)) for p in ranked[:2])
            said.append(f"{least[0]} with {least[1]} ({size}; next is {second[0]} with {second[1]})")
    # Each was trained once, so there is no interval to tell.
    return [f"Least perplexity after training (once, so without an interval): {', '.join(said)}."] if said else []


def _conditions(study: Study, found: Sequence[Race]) -> str:
    """How equal the races are, and who is in none."""
    widest = max(spread(race) for race in found)
    text = f"Equal: same work, and parameters that differ by {digits(100 * widest, 2)} % at most."
    others = left_out(study, found)
    missing = f" In no race, for want of an equal within {100 * EQUAL:g} %: {', '.join(others)}." if others else ""
    return f"{text} Bold is the most tokens a second where the interval lies above all others.{missing}"


def _speed_figures(study: Study, found: Sequence[Race], looks: Mapping[str, int]) -> tuple[list[Figure], list[str]]:
    """A panel a workload and size, as many races as there is room for, evenly spaced; and how many stand in none."""
    panels: dict[str, list[Race]] = {}
    for race in found:
        size = f", {labels.value(race.axes['size'])}" if "size" in study.varying else ""
        panels.setdefault(labels.workload(race.axes["workload"]) + size, []).append(race)
    shown = {title: _kept(members) for title, members in list(panels.items())[:_MOST_PANELS]}
    figures = [_speed_figure(study, title, kept, looks) for title, kept in shown.items()]
    undrawn = len(found) - sum(map(len, shown.values()))
    return figures, [f"{labels.count(undrawn, 'race')} not drawn for legibility."] if undrawn else []


def _kept(found: Sequence[Race]) -> Sequence[Race]:
    room = max(plots.MOST_ROWS // max(len(race.records) for race in found), 1)
    return found[:: math.ceil(len(found) / room)]


def _speed_figure(study: Study, title: str, kept: Sequence[Race], looks: Mapping[str, int]) -> Figure:
    timed = [
        (str(place), record, speed)
        for place, race in enumerate(kept)
        for record in race.records
        if (speed := metric(record, "throughput_tokens_per_s"))
    ]
    same = (*tables.constant(r for _, r, _ in timed), *labels.VARIANT_AXES)
    rows = [
        Row(
            study.label(r, same) + certainty.TIMES.sign(r),
            place,
            looks[architecture_of(r)],
            speed.value or 0.0,
            speed.low,
            speed.high,
        )
        for place, r, speed in timed
    ]
    cells = [[row.label, interval(row.value, row.low, row.high, "tokens/s")] for row in rows]
    note = certainty.remarks([record for _, record, _ in timed], ["throughput_tokens_per_s"])
    data = tables.simple(f"{title}: throughput by architecture", ["configuration", "throughput"], cells, note)
    svg = dots(title, rows, "tokens/s", "throughput", "more is better")
    alt = f"Dot plot of throughput for {labels.count(len(rows), 'configuration')} of {title}, grouped by equal work."
    caption = f"{title}. Bars: 95 % interval; a rule parts what did other work. {note}".rstrip()
    return Figure(svg, alt, caption, data)


def _quality_figure(parents: Sequence[_Parent], looks: Mapping[str, int]) -> Figure:
    rows = [
        Row(f"{p.architecture}, {p.size}", p.size, looks[p.architecture], p.perplexity, None, None) for p in parents
    ]
    cells = [[row.label, digits(row.value)] for row in rows]
    data = tables.simple("Perplexity by architecture", ["model", "perplexity"], cells)
    svg = dots("Quality after training", rows, "", "perplexity of held-out text", "less is better")
    alt = f"Dot plot of the perplexity of {labels.count(len(rows), 'trained model')}."
    several = " A rule parts the sizes." if len({row.group for row in rows}) > 1 else ""
    caption = f"Perplexity of each trained model. Each was trained once, so there is no interval.{several}"
    return Figure(svg, alt, caption, data)


def _parents(study: Study, found: Sequence[Race]) -> list[_Parent]:
    """The trained models whose perplexity is known, each once: they do not depend on the work."""
    shapes = [name for name in study.varying if BY_NAME[name].dimension and name not in labels.VARIANT_AXES]
    parents: dict[tuple[str, str], _Parent] = {}
    for record in (record for race in found for record in race.records):
        machine = f", machine {study.host(record).label}" if len(study.hosts) > 1 else ""
        size, name = labels.point(values(record), ["size", *shapes]) + machine, architecture_of(record)
        known = metric(record, "perplexity") or metric(record, "parent_perplexity")
        # No perplexity is below 1, that of a model which is always certain and right.
        if known and known.value and 1 <= known.value < math.inf:
            parents.setdefault((size, name), _Parent(size, name, known.value, record))
    return list(parents.values())


def _parents_table(parents: Sequence[_Parent]) -> Table:
    rows = []
    for parent in parents:
        least = min(other.perplexity for other in parents if other.size == parent.size)
        bits = math.log2(parent.perplexity)
        rows.append(
            (
                Cell(parent.size),
                Cell(parent.architecture),
                Cell(digits(parent.perplexity), parent.perplexity, "best" if parent.perplexity == least else "plain"),
                Cell(digits(bits), bits),
                _fact(parent.record, "trained_steps"),
                _fact(parent.record, "trained_s"),
            )
        )
    heads = ("perplexity", "bits per token", "training steps", "trained for, s")
    columns = (Column("size"), Column("architecture"), *(Column(head, "right") for head in heads))
    note = (
        "Perplexity of held-out text; its logarithm to base 2 is the bits that one token costs. Each model was trained "
        "once, so nothing here has an interval."
    )
    return Table("The trained models", columns, tuple(rows), note)


def _fact(record: Record, name: str) -> Cell:
    found = record.facts.get(name)
    if not isinstance(found, (int, float)):
        return Cell("—", emphasis="muted")
    # A count of a few digits is shown to the last of them.
    text = str(found) if isinstance(found, int) and found < 1000 else digits(float(found))
    return Cell(text, sort=float(found))
