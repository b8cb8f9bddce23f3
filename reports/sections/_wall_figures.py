"""The figures of the bottleneck page: points under the roofs of their machine, where time goes, and elasticities."""

import math
from collections.abc import Sequence

from bench.record import Record
from bench.units import digits, interval, quantity
from reports import labels, plots, plots_roofline, plots_walls, roofline, tables
from reports.canvas import shorten
from reports.document import Figure, Table
from reports.plots_roofline import Mark, Roof
from reports.plots_walls import OTHER, UNEXPLAINED, Bar, Pull
from reports.roofline import Roofs, Spot
from reports.sections._wall_words import percent, where
from reports.study import Study, values
from reports.verdict import Verdict

#: More panels than this make nobody wiser; the tables hold every value.
_MOST_PANELS = 4
#: Points that have a name in a roofline: more labels would stand on each other.
_MOST_NAMED = 6
#: Points with elasticities that are drawn.
_MOST_POINTS = 8
_READ_ROOFLINE = (
    "How to read it: a mark further up is faster, and one further to the right does more arithmetic with each byte "
    "that it moves; no mark can rise above the lines, of which the sloping ones are what memory and caches allow, and "
    "the flat ones what arithmetic allows."
)
_READ_WALLS = (
    "How to read it: a bar is the time of one iteration, split among what it is spent on; the hatched part is time "
    "that no measurement accounts for."
)
_READ_ELASTICITIES = (
    "How to read it: at 1 the point slows down by as much as the resource does, so it is what the point waits for; at "
    "0 the point does not notice; lines are 95 % intervals, and a hollow mark has none."
)


def rooflines(study: Study) -> list[Figure]:
    """A panel for each set of ceilings under which points stand; none where no ceilings or no counts are known."""
    groups: dict[object, list[Spot]] = {}
    for record in study.ok:
        if spot := roofline.spot(record):
            key = study.host(record).label, tuple(sorted((name, c.value) for name, c in record.ceilings.items()))
            groups.setdefault(key, []).append(spot)
    drawn = [found for members in groups.values() if (found := _roofline(study, members, len(groups) > 1))]
    return drawn[:_MOST_PANELS]


def _roofline(study: Study, spots: Sequence[Spot], several: bool) -> Figure | None:
    record = spots[0].record
    roofs = roofline.measured(record.ceilings)
    if not roofs.peaks or not roofs.bands:
        return None
    datasheet = roofline.promised(record)
    lines = [_roof(each) for found in (datasheet, roofs) for each in _lines(found)]
    named = _named(spots)
    marks = [_mark(study, spot, id(spot) in named) for spot in spots]
    threads = record.facts.get("threads") or values(record)["threads"]
    place = [f"machine {study.host(record).label}"] if len(study.hosts) > 1 else []
    place += [f"threads {labels.value(threads)}"] if several else []
    title = ", ".join(["Speed and its limits", *place])
    svg = plots_roofline.roofline(title, lines, marks, "FLOP per byte moved")
    alt = (
        f"Roofline plot of {labels.count(len(spots), 'configuration')} under "
        f"{labels.count(len(roofs.peaks) + len(roofs.bands), 'measured limit')} of the machine."
    )
    data = _roofline_data(study, spots, roofs, datasheet, title)
    return Figure(svg, alt, f"{title}. {_READ_ROOFLINE}", data)


def _lines(roofs: Roofs) -> list[roofline.Peak | roofline.Band]:
    return [*roofs.peaks, *roofs.bands]


def _roof(each: roofline.Peak | roofline.Band) -> Roof:
    return Roof(each.name, each.value, isinstance(each, roofline.Band), each.rung == "datasheet")


def _named(spots: Sequence[Spot]) -> set[int]:
    """All where they are few, else the fastest and the slowest of each phase."""
    if len(spots) <= _MOST_NAMED:
        return {id(spot) for spot in spots}
    phases: dict[object, list[Spot]] = {}
    for spot in spots:
        phases.setdefault(values(spot.record)["workload"], []).append(spot)
    ends = [(max(m, key=lambda s: s.rate), min(m, key=lambda s: s.rate)) for m in phases.values()]
    return {id(spot) for pair in ends[: _MOST_NAMED // 2] for spot in pair}


def _mark(study: Study, spot: Spot, named: bool) -> Mark:
    workload = values(spot.record)["workload"]
    look = list(labels.WORKLOADS).index(str(workload)) if workload in labels.WORKLOADS else len(labels.WORKLOADS)
    label = shorten(study.label(spot.record, ["workload"]), 26) if named else ""
    return Mark(labels.workload(workload), look, spot.intensity, spot.rate, spot.low, spot.high, label)


def _roofline_data(study: Study, spots: Sequence[Spot], roofs: Roofs, datasheet: Roofs, title: str) -> Table:
    rows = []
    for spot in spots:
        allowed = roofline.bound(roofs, spot.intensity, roofline.number_format(spot.record))
        rows.append(
            [
                where(study, spot.record),
                digits(spot.intensity),
                interval(spot.rate, spot.low, spot.high, "FLOP/s"),
                quantity(allowed, "FLOP/s"),
                "—" if allowed is None else percent(spot.rate / allowed),
            ]
        )
    said = [f"{peak.name} {quantity(peak.value, 'FLOP/s')}" for peak in roofs.peaks]
    said += [f"{band.name} {quantity(band.value, 'B/s')}" for band in roofs.bands]
    note = f"Measured limits: {', '.join(said)}."
    promised = [f"{peak.name} {quantity(peak.value, 'FLOP/s')}" for peak in datasheet.peaks]
    promised += [f"{band.name} {quantity(band.value, 'B/s')}" for band in datasheet.bands]
    note += f" Datasheet: {', '.join(promised)}." if promised else f" {_no_datasheet(spots[0].record)}"
    heads = ["point", "FLOP per byte", "attained [95 % interval]", "memory and arithmetic allow", "of it reached"]
    return tables.simple(title, heads, rows, note)


def _no_datasheet(record: Record) -> str:
    reason = roofline.device_of(record).reason
    return f"The datasheet's figures are not known: {labels.plain(reason)}" if reason else ""


def bars(study: Study, verdicts: Sequence[Verdict]) -> tuple[list[Figure], int]:
    """A panel of bars a workload, the slowest points where they are too many; and how many were left out."""
    palette = plots_walls.palette(_bar(study, verdict) for verdict in verdicts)
    figures, left_out = [], 0
    for workload in dict.fromkeys(values(verdict.record)["workload"] for verdict in verdicts):
        members = [verdict for verdict in verdicts if values(verdict.record)["workload"] == workload]
        kept = _slowest(members)
        left_out += len(members) - len(kept)
        figures.append(_bars(study, labels.workload(workload), kept, palette))
    return figures, left_out


def _slowest(verdicts: Sequence[Verdict]) -> list[Verdict]:
    ranked = sorted(verdicts, key=lambda verdict: -verdict.iteration_s)
    chosen = {id(verdict) for verdict in ranked[: plots.MOST_ROWS]}
    return [verdict for verdict in verdicts if id(verdict) in chosen]


def _bar(study: Study, verdict: Verdict) -> Bar:
    return Bar(study.label(verdict.record, ["workload"]), verdict.shares)


def _bars(study: Study, title: str, verdicts: Sequence[Verdict], palette: dict[str, int]) -> Figure:
    drawn = [_bar(study, verdict) for verdict in verdicts]
    parts = [plots_walls.parts_of(bar, palette) for bar in drawn]
    used = [name for name in (*palette, OTHER, UNEXPLAINED) if any(name in found for found in parts)]
    rows = [
        [bar.label, *(percent(found[name]) if name in found else "—" for name in used)]
        for bar, found in zip(drawn, parts, strict=True)
    ]
    caption = f"{title}, where the time goes"
    note = ""
    if any(OTHER in found for found in parts):
        rest = sorted(
            {wall for bar in drawn for wall, share in bar.shares.items() if share > 0} - {*palette, UNEXPLAINED}
        )
        note = f"Other: {labels.listed(rest)}."
    data = tables.simple(caption, ["point", *used], rows, note)
    alt = (
        f"Bars of where the time of {labels.count(len(drawn), 'configuration')} of {title} goes: {labels.listed(used)}."
    )
    return Figure(plots_walls.walls(caption, drawn, palette), alt, f"{caption}. {_READ_WALLS}", data)


def elasticities(study: Study, verdicts: Sequence[Verdict]) -> tuple[list[Figure], int]:
    """A row a resource and point, panels of as many points as fit; and how many points were left out."""
    tried = [verdict for verdict in verdicts if _finite(verdict)]
    looks: dict[str, int] = {}
    for verdict in tried:
        for each in verdict.elasticities:
            looks.setdefault(each.resource, len(looks))
    shown, figures = tried[:_MOST_POINTS], []
    panel: list[Verdict] = []
    for verdict in shown:
        if panel and sum(len(each.elasticities) + 1 for each in [*panel, verdict]) > plots_walls.MOST_RESOURCES:
            figures.append(_elasticities(study, panel, looks))
            panel = []
        panel.append(verdict)
    figures += [_elasticities(study, panel, looks)] if panel else []
    return figures, len(tried) - len(shown)


def _finite(verdict: Verdict) -> bool:
    return any(math.isfinite(each.value) for each in verdict.elasticities)


def _elasticities(study: Study, verdicts: Sequence[Verdict], looks: dict[str, int]) -> Figure:
    pulls = [
        Pull(where(study, verdict.record), labels.plain(e.resource), looks[e.resource], e.value, e.low, e.high)
        for verdict in verdicts
        for e in verdict.elasticities
        if math.isfinite(e.value)
    ]
    title = "What decides the time"
    rows = [[pull.point, pull.resource, interval(pull.value, pull.low, pull.high, "")] for pull in pulls]
    data = tables.simple(title, ["point", "resource", "elasticity [95 % interval]"], rows)
    alt = f"Elasticities of the time of {labels.count(len(verdicts), 'configuration')} by resource, between 0 and 1."
    return Figure(plots_walls.elasticities(title, pulls), alt, f"{title}. {_READ_ELASTICITIES}", data)
