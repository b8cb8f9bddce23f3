"""Showing records: progress while they are made, then a table, a machine-readable form, or the report's files."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench import files
from bench.host import PRIVATE
from bench.record import Record, to_json
from bench.spec import Spec

if TYPE_CHECKING:
    from bench.progress import Progress
    from reports.comparison import Comparison


@contextmanager
def progress(spec: Spec, *, quiet: bool) -> Iterator["Progress"]:
    """A bar on stderr with the current point, done/total, failures and time left; nothing in a pipe or when quiet."""
    from rich import progress as bars
    from rich.console import Console

    from bench import allotment
    from bench.progress import Progress

    total = len(spec.points) * int(spec.settings["rounds"]) * allotment.first_processes(spec.settings)
    console = Console(stderr=True)
    columns = (
        bars.TextColumn("{task.percentage:>3.0f} %"),
        bars.BarColumn(bar_width=16),
        bars.TimeRemainingColumn(compact=True),
        bars.TextColumn("{task.fields[failures]} failed"),
        bars.TextColumn("{task.description}", markup=False),
    )
    with bars.Progress(*columns, console=console, disable=quiet or not console.is_terminal, transient=True) as bar:
        task = bar.add_task("starting", total=total, failures=0)
        yield Progress(
            total,
            changed=lambda p: bar.update(
                task, total=p.total, completed=p.done, failures=p.failures, description=p.current
            ),
        )


def show(
    records: list[Record],
    title: str,
    chosen: str,
    comparisons: "Sequence[Comparison]" = (),
    past: Sequence[Record] = (),
) -> None:
    """Print `records` on stdout in the chosen form; a page has `comparisons` and the trend over the `past` too."""
    from rich.console import Console

    from reports import page, render_csv, render_html, render_markdown, render_terminal

    if chosen == "table":
        render_terminal.print_table(records, Console())
    elif chosen == "csv":
        click.echo(render_csv.render(records), nl=False)
    elif chosen == "sql":
        click.echo(_sql(records), nl=False)
    elif chosen in {"json", "jsonl"}:
        click.echo(exported(records, chosen, with_names=False), nl=False)
    else:
        document = page.build(records, title, comparisons, past)
        click.echo((render_html if chosen == "html" else render_markdown).render(document), nl=False)


def exported(records: list[Record], chosen: str, *, with_names: bool) -> str:
    """Complete records as JSON lines, or as one JSON list; names of hosts are left out unless `with_names`."""
    lines = []
    for record in records:
        content = json.loads(to_json(record))
        if not with_names:
            content["host"] = {key: value for key, value in content["host"].items() if key not in PRIVATE}
        lines.append(json.dumps(content, ensure_ascii=False))
    if chosen == "jsonl":
        return "".join(line + "\n" for line in lines)
    return "[\n" + ",\n".join(lines) + "\n]\n"


def _sql(records: list[Record]) -> str:
    """The flat table as CREATE TABLE and INSERT statements, as llama-bench prints them."""
    import sqlite3

    from reports import render_csv

    connection = sqlite3.connect(":memory:")
    render_csv.frame(records).to_sql("records", connection, index=False)
    return "".join(line + "\n" for line in connection.iterdump())


def write_report(
    records: list[Record],
    title: str,
    folder: Path,
    comparisons: "Sequence[Comparison]" = (),
    past: Sequence[Record] = (),
) -> Path:
    """Write report.html, report.md and report.csv into `folder`; the path of the page. `past` is for its trends."""
    from reports import page, render_csv, render_html, render_markdown

    document = page.build(records, title, comparisons, past)
    files.write(folder / "report.md", render_markdown.render(document))
    files.write(folder / "report.csv", render_csv.render(records))
    return files.write(folder / "report.html", render_html.render(document))
