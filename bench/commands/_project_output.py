"""How `pinchpoint project` shows its answer: on the terminal, as rows, as a page, and as an acceptance pack."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench import files
from bench.errors import UserError

if TYPE_CHECKING:
    from bench.commands._project import Asked
    from reports.document import Document
    from reports.projection.answers import Answer

PAGE = "project.html"


def show(answer: "Answer", asked: "Asked", chosen: str) -> int:
    """Print the answer on stdout in the chosen form; the exit code: 3 where nothing does what was asked."""
    from reports import answer_words, render_project

    if chosen == "table":
        from rich.console import Console

        render_project.print_answer(answer, Console(highlight=False))
    elif chosen == "md":
        from reports import render_markdown

        click.echo(render_markdown.render(_document(answer, asked)), nl=False)
    else:
        click.echo(_rows(render_project.rows(answer), chosen), nl=False)
    best = answer_words.chosen(answer)
    if best is None and chosen != "table":
        click.echo(answer_words.recommendation(answer), err=True)
    return 0 if best is not None else 3


def _rows(rows: "list[dict[str, Any]]", chosen: str) -> str:
    if chosen == "json":
        return json.dumps(rows, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    if chosen == "jsonl":
        return "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows)
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def write_page(folder: Path, answer: "Answer", asked: "Asked") -> None:
    """Write the page with the answer, and what the stores' own sections say where there are records."""
    from reports import render_html

    path = files.write(folder / PAGE, render_html.render(_document(answer, asked)))
    click.echo(f"Page: {path}", err=True)


def _document(answer: "Answer", asked: "Asked") -> "Document":
    from reports import page

    return page.build(list(asked.records), f"pinchpoint: {answer.workload.model.name}", (), asked.past, answer)


def write_pack(folder: Path, answer: "Answer", asked: "Asked", factor: float, *, overwrite: bool) -> None:
    """Write the acceptance pack for the best option, or of a STORE's point, whose own figures are then what is asked.

    Raises `UserError` where no vendor could run it, or would run it with another engine than was projected.
    """
    from bench.commands import _acceptance, _project_runs

    engine, model = answer.workload.engine, answer.workload.model.name
    if asked.point is not None:
        measured = {(each.run, each.point) for each in asked.point.measured}
        own = [each for each in asked.records if (each.run, each.point) in measured]
        title = f"{model}, {factor:g} times as good as here"
        made = _acceptance.write(folder, own, title=title, factor=factor, metrics=("latency_s",), overwrite=overwrite)
    elif engine is not None:
        raise UserError(
            f"A vendor runs a pack with pinchpoint's own PyTorch, so limits of {engine} say nothing of it.",
            "Leave --engine out, or measure the model yourself and name the STORE: its figures times --factor count.",
        )
    else:
        made = _acceptance.write(
            folder,
            answer,
            title=f"{model} on {_label(answer)}",
            factor=factor,
            runs=_project_runs.axes(asked.model, asked.point, asked.records, answer.workload),
            overwrite=overwrite,
        )
    click.echo(f"Acceptance pack {made.seal} with {made.requirements} limits: {made.folder}", err=True)
    for reason in made.left_out:
        click.echo(f"  not in it: {reason}", err=True)


def _label(answer: "Answer") -> str:
    from reports import answer_words

    best = answer_words.chosen(answer)
    return "nothing" if best is None else answer_words.name(best)


def list_devices(own: Sequence[Path], to: str | None) -> int:
    """Print the catalogue, or the devices of `--to`."""
    from rich.console import Console

    from bench.commands import _project_devices
    from reports import render_catalogue

    known = _project_devices.catalogue(own)
    chosen = [place.device for place in _project_devices.places(known, to)[0]] if to else list(known.device)
    render_catalogue.print_devices(chosen, Console(highlight=False))
    return 0


def list_models() -> int:
    """Print the published models."""
    from rich.console import Console

    from reports import render_catalogue
    from reports.projection import models

    render_catalogue.print_models(list(models.published().values()), Console(highlight=False))
    return 0
