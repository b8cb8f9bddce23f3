"""Throughput against batch size: where more work at once stops paying."""

from collections.abc import Sequence

from bench.record import Record
from bench.units import interval
from reports import certainty, labels, plots, tables
from reports.canvas import shorten
from reports.document import Figure, Paragraph, Section
from reports.plots import Line
from reports.study import Study, metric, point, values

ORDER = 40

#: More panels than this make nobody wiser; the tables hold every value.
_MOST_PANELS = 12


def build(study: Study) -> Section | None:
    """None where the batch size was not varied."""
    numbered = [r for r in study.ok if isinstance(values(r)["batch_size"], int)]
    records = [r for r in numbered if metric(r, "throughput_tokens_per_s")]
    if "batch_size" not in study.varying or not records:
        return None
    hidden, panels = _panels(study, records)
    shown = panels[:_MOST_PANELS]
    kept = [_kept(_series(study, members, hidden)) for members in shown]
    looks = _looks(kept)
    figures = [_figure(members, hidden, series, looks) for members, series in zip(shown, kept, strict=True)]
    notes = _left_out(study, panels, kept, hidden)
    lead = "A rising line means that a larger batch still pays; a flat one, that some resource is used up."
    return Section("Throughput and batch size", lead, (*figures, *notes))


def _panels(study: Study, records: Sequence[Record]) -> tuple[tuple[str, ...], list[list[Record]]]:
    """The axes that are constant in a panel: the workload, and the size too where panels would be overfull."""
    panels = _groups(records, ("workload",))
    if all(len(_series(study, members, ("workload",))) <= plots.MOST_SERIES for members in panels):
        return ("workload",), panels
    return ("workload", "size"), _groups(records, ("workload", "size"))


def _kept(series: dict[str, list[Record]]) -> dict[str, list[Record]]:
    """As many series as can be told apart: references first, then the fastest; in the order of the study."""
    ranked = sorted(series, key=lambda name: (not point(series[name][0]).is_reference, -_top(series[name])))
    chosen = ranked[: plots.MOST_SERIES]
    return {name: members for name, members in series.items() if name in chosen}


def _looks(panels: Sequence[dict[str, list[Record]]]) -> dict[str, int]:
    """A look for each series, the same in every panel as long as there are looks enough."""
    names = list(dict.fromkeys(name for series in panels for name in series))
    if len(names) <= plots.MOST_SERIES:
        return {name: look for look, name in enumerate(names)}
    return {name: look for series in panels for look, name in enumerate(series)}


def _left_out(
    study: Study, panels: Sequence[list[Record]], kept: Sequence[dict[str, list[Record]]], hidden: tuple[str, ...]
) -> list[Paragraph]:
    series = sum(len(_series(study, members, hidden)) - len(some) for members, some in zip(panels, kept, strict=False))
    text = [f"{labels.count(series, 'slower series', 'slower series')} left out for legibility."] if series else []
    undrawn = len(panels) - len(kept)
    text += [f"{labels.count(undrawn, 'panel')} not drawn."] if undrawn else []
    return [Paragraph(" ".join([*text, "The tables of results hold every value."]))] if text else []


def _groups(records: Sequence[Record], names: tuple[str, ...]) -> list[list[Record]]:
    groups: dict[tuple[object, ...], list[Record]] = {}
    for record in records:
        groups.setdefault(tuple(values(record)[name] for name in names), []).append(record)
    return sorted(groups.values(), key=lambda members: labels.order(values(members[0]), names))


def _series(study: Study, records: Sequence[Record], hidden: tuple[str, ...]) -> dict[str, list[Record]]:
    series: dict[str, list[Record]] = {}
    for record in records:
        series.setdefault(study.label(record, [*hidden, "batch_size"]), []).append(record)
    return series


def _figure(
    records: Sequence[Record], hidden: tuple[str, ...], series: dict[str, list[Record]], looks: dict[str, int]
) -> Figure:
    axes = values(records[0])
    title = ", ".join([labels.workload(axes["workload"]), *(labels.value(axes[name]) for name in hidden[1:])])
    rows = [
        [
            name,
            labels.value(values(r)["batch_size"]),
            interval(m.value, m.low, m.high, m.unit) + certainty.TIMES.sign(r),
        ]
        for name, members in series.items()
        for r in members
        for m in [r.metrics["throughput_tokens_per_s"]]
    ]
    drawn_records = [record for drawn in series.values() for record in drawn]
    note = certainty.remarks(drawn_records, ["throughput_tokens_per_s"])
    heads = ["series", "batch size", "throughput [95 % interval]"]
    data = tables.simple(f"{title}: throughput by batch size", heads, rows, note)
    alt = f"Line chart of throughput against batch size for {title}: {labels.count(len(series), 'series', 'series')}."
    drawn = [_line(shorten(name, 48), looks[name], members) for name, members in series.items()]
    unit = records[0].metrics["throughput_tokens_per_s"].unit
    svg = plots.lines(title, drawn, "batch size (sequences at once)", unit)
    return Figure(svg, alt, f"{title}. Whiskers: 95 % interval. {note}".rstrip(), data)


def _top(records: Sequence[Record]) -> float:
    return max(r.metrics["throughput_tokens_per_s"].value or 0.0 for r in records)


def _line(label: str, look: int, records: Sequence[Record]) -> Line:
    ordered = sorted(records, key=lambda r: int(values(r)["batch_size"]))
    found = [r.metrics["throughput_tokens_per_s"] for r in ordered]
    return Line(
        label,
        look,
        tuple(float(values(r)["batch_size"]) for r in ordered),
        tuple(m.value or 0.0 for m in found),
        tuple(m.low for m in found),
        tuple(m.high for m in found),
        tuple(certainty.TIMES.sign(r) for r in ordered),
    )
