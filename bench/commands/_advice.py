"""How `pinchpoint advise` shows what it found: the wall, the ranked changes with their costs, what is impossible."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from bench import points
from bench.commands import _experiments
from bench.record import Record

if TYPE_CHECKING:
    from rich.console import Console

#: Tables fit a terminal of so many columns.
_WIDTH = 80
_TITLE = "What would help"


def as_json(record: Record) -> dict[str, Any]:
    """Axes, status, the wall and the advice on one point."""
    from reports import advice, certainty, verdict

    return {
        "point": record.point,
        "axes": record.axes,
        "status": record.status,
        "reason": record.reason,
        "wall": verdict.wall_of(record),
        "iteration_s": None if record.observation is None else record.observation.iteration_s,
        "warnings": [asdict(each) for each in certainty.TIMES.warnings(record)],
        "advice": advice.as_json(record),
    }


def markdown(records: Sequence[Record]) -> str:
    """The same as a page of Markdown."""
    from reports import advice, render_markdown
    from reports.document import Bullets, Document, Paragraph, Part, Section

    among = [points.point(record.axes) for record in records]
    sections = []
    for record in records:
        parts: list[Part] = []
        found = advice.table(record, "Changes, the most promising first")
        parts += [found] if found is not None else [Paragraph("Nothing can be changed here.")]
        impossible = advice.refused(record.advice)
        parts += [Bullets(tuple(impossible))] if impossible else []
        name = points.describe(points.point(record.axes), among)
        sections.append(Section(name, _lead(record), tuple(parts)))
    return render_markdown.render(Document(_TITLE, f"{len(records)} of the configurations", tuple(sections)))


def print_all(records: Sequence[Record]) -> None:
    """Each point under its name, with a blank line after it."""
    from rich.console import Console

    console = Console(highlight=False, width=_WIDTH)
    among = [points.point(record.axes) for record in records]
    for record in records:
        click.echo(points.describe(points.point(record.axes), among))
        console.print(_lead(record), markup=False)
        if record.status == "ok":
            _print(console, record)
        click.echo()


def _lead(record: Record) -> str:
    """The wall in a sentence, or how the point failed."""
    from reports import verdict

    if record.status != "ok":
        return f"{record.status}: {record.reason}"
    found = verdict.of(record)
    if found is None:
        return f"Wall: not known. {verdict.unknown(record)}"
    return f"Wall: {found.wall}. {found.sentence('It')}."


def _print(console: "Console", record: Record) -> None:
    from rich.table import Table

    from reports import advice

    found = advice.rows(record)
    tried = any(each.proven for each in found)
    table = Table(box=None, pad_edge=False)
    table.add_column("change", overflow="fold", min_width=12)
    table.add_column(advice.PREDICTED, no_wrap=True)
    if tried:
        table.add_column(advice.PROVEN, overflow="fold")
    table.add_column("memory", justify="right", no_wrap=True)
    table.add_column("quality", overflow="fold")
    for each in found:
        proven = [each.proven or "—"] if tried else []
        table.add_row(
            f"{each.change}{' *' if each.at_wall else ''}", each.predicted, *proven, each.memory, each.quality
        )
    if found:
        console.print(table)
        console.print(advice.note(found), markup=False)
    for names, reason in advice.refused(record.advice):
        console.print(f"Not here: {names}. {reason}", markup=False)
    _experiments.print_doubts(console, record)
