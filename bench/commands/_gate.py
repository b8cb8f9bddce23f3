"""What every gate shares: its flags, how a comparison is shown and written, its last sentence and its exit code."""

import csv
import io
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bench import files, gate, limits
from bench.errors import UserError
from bench.kinds import nearest
from model import plugins

if TYPE_CHECKING:
    from reports.comparison import Comparison

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

#: What a change may cost where nothing is said.
DEFAULT_LIMITS = ("latency:5%",)
#: Forms for other programs; `reports/ci` has them.
_FORMS = {"json": "complete", "md": "github_summary"}
_CI = "reports.ci"
#: Sentences fit a terminal of so many columns.
_WIDTH = 80


@dataclass(frozen=True)
class Gate:
    """What a change may cost, what becomes of an open answer, and where it is all shown and written."""

    limits: Mapping[str, gate.Limit]
    inconclusive_passes: bool
    missing_fails: bool
    may_grow: frozenset[str]
    output: str
    writes: tuple[tuple[str, Path], ...]


def gate_options(function: Decorated) -> Decorated:
    """`--fail-on`, `--allow-more`, `--inconclusive`, `--missing`, `--output` and `--write`."""
    for option in reversed(
        (
            click.option(
                "--fail-on",
                multiple=True,
                metavar="METRIC:PERCENT",
                help=f"how much worse it may get: latency:5%,max_ram:2%; default {','.join(DEFAULT_LIMITS)}",
            ),
            click.option(
                "--allow-more",
                multiple=True,
                metavar="COUNT",
                help="exact counts that may grow, such as flops,operators, or all; others fail when they do",
            ),
            click.option(
                "--inconclusive",
                type=click.Choice(("pass", "fail")),
                default="fail",
                show_default=True,
                help="what becomes of an open answer: exit code 0, or 3",
            ),
            click.option(
                "--missing",
                type=click.Choice(("pass", "fail")),
                default="fail",
                show_default=True,
                help="what becomes of a benchmark that the new side lacks",
            ),
            click.option(
                "-o", "--output", type=click.Choice(("table", "json", "md", "csv")), default="table", show_default=True
            ),
            click.option(
                "--write",
                multiple=True,
                metavar="KIND=FILE",
                help="also write it for a CI system; an unknown KIND lists them",
            ),
        )
    ):
        function = option(function)
    return function


def read(flags: Mapping[str, Any]) -> Gate:
    """What the flags of `gate_options` say. Raises `UserError` for a metric, count, percentage or kind there is not."""
    return Gate(
        limits.parse(flags["fail_on"] or DEFAULT_LIMITS),
        flags["inconclusive"] == "pass",
        flags["missing"] == "fail",
        _may_grow(flags["allow_more"]),
        flags["output"],
        tuple(_write(text) for text in flags["write"]),
    )


def finish(comparison: "Comparison", asked: Gate) -> int:
    """Show and write the comparison, say in a sentence what the gate says, and return its exit code.

    The sentence stands on stdout below a table, and on stderr beside a form for programs.
    """
    from reports import gate_words

    show(comparison, asked.output)
    write(comparison, asked.writes)
    culprit = f" The first bad commit is {comparison.culprit}." if comparison.culprit else ""
    answer = textwrap.fill(gate_words.answer(comparison) + culprit, _WIDTH, break_long_words=False)
    click.echo(answer, err=asked.output != "table")
    return comparison.exit_code(inconclusive_passes=asked.inconclusive_passes)


def show(comparison: "Comparison", output: str) -> None:
    """Print the comparison on stdout."""
    if output == "table":
        from rich.console import Console

        from reports.comparison_table import print_comparison

        print_comparison(comparison, Console(highlight=False))
    elif output == "csv":
        click.echo(as_csv(comparison), nl=False)
    else:
        click.echo(plugins.load(_CI, _FORMS[output]).render(comparison), nl=False)


def write(comparison: "Comparison", asked: tuple[tuple[str, Path], ...]) -> None:
    """Write the forms that were asked for, each to its file, or to stdout for `-`.

    A form with `APPENDS` goes behind what the file holds: other steps of a job write into the same summary.
    """
    for kind, path in asked:
        form = plugins.load(_CI, kind)
        text = form.render(comparison)
        if str(path) == "-":
            click.echo(text, nl=False)
        elif getattr(form, "APPENDS", False) and path.exists():
            files.write(path, path.read_text(encoding="utf-8") + text)
        else:
            files.write(path, text)


def as_csv(comparison: "Comparison") -> str:
    """One row a finding, with the names of its fields as heads; nothing where a value is not known."""
    from reports.comparison import Finding
    from reports.render_csv import harmless

    stream = io.StringIO()
    names = [field.name for field in fields(Finding)]
    rows = csv.writer(stream, lineterminator="\n")
    rows.writerow(names)
    rows.writerows([harmless(getattr(each, name)) for name in names] for each in comparison.findings)
    return stream.getvalue()


def _may_grow(texts: tuple[str, ...]) -> frozenset[str]:
    from reports.exact_counts import COUNTS

    names = [part.strip() for text in texts for part in text.split(",")]
    known = [*COUNTS, "all"]
    for name in names:
        if name not in known:
            raise UserError(f"There is no exact count '{name}'.{nearest(name, known)}", f"Name: {', '.join(known)}.")
    return frozenset(names)


def _write(text: str) -> tuple[str, Path]:
    kind, equals, path = text.partition("=")
    known = plugins.names(_CI)
    if not equals or not path or kind.replace("-", "_") not in known:
        told = "".join(f"\n    {name}: {plugins.load(_CI, name).DESCRIPTION}" for name in known)
        raise UserError(f"'{text}' names no form and file.{nearest(kind, known)}", f"Give KIND=FILE; kinds are:{told}")
    return kind.replace("-", "_"), Path(path)
