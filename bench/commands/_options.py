"""Flags that several commands share; those of axes and settings derive from their rows."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from bench import axes, spec
from bench.axes import Axis
from model.tokens import LANGUAGES, UNITS, TokenOptions

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

FORMATS = ("table", "md", "csv", "json", "jsonl", "html", "sql")


def _option(row: Axis, heading: str) -> Callable[[Decorated], Decorated]:
    default = "" if row.default == "preset" else f"; default {row.default}"
    return click.option(
        *row.options, row.name, default=None, metavar=heading, help=f"{row.help} ({row.kind.describe()}{default})"
    )


def axis_options(*names: str, several: bool) -> Callable[[Decorated], Decorated]:
    """A flag for each of the axes `names` (all where none is given); `several` allows lists and ranges in its help."""

    def add(function: Decorated) -> Decorated:
        chosen = [row for row in axes.AXES if row.name in names or not (names or row.found)]
        for row in reversed(chosen):
            function = _option(row, "VALUES" if several else "VALUE")(function)
        return function

    return add


def setting_options(function: Decorated) -> Decorated:
    """A flag for each setting of a sweep."""
    for row in reversed(spec.SETTINGS):
        function = _option(row, "NUMBER")(function)
    return function


def given(values: Mapping[str, Any], rows: tuple[Axis, ...]) -> dict[str, object]:
    """Those of `values` that belong to `rows` and were given."""
    return {row.name: values[row.name] for row in rows if values.get(row.name) is not None}


def text_options(function: Decorated) -> Decorated:
    """`--language`, `--unit`, `--without-stop-words` and `--stems`: how a text becomes tokens."""
    for option in reversed(
        (
            click.option("--language", type=click.Choice(LANGUAGES), default=LANGUAGES[0], show_default=True),
            click.option(
                "--unit", type=click.Choice(UNITS), default=UNITS[0], show_default=True, help="what a token is"
            ),
            click.option("--without-stop-words", is_flag=True, help="leave out the commonest words of the language"),
            click.option("--stems", is_flag=True, help="train on word stems (Snowball)"),
        )
    ):
        function = option(function)
    return function


def tokens_of(flags: Mapping[str, Any]) -> TokenOptions:
    """What the flags of `text_options` say."""
    return {
        "language": flags["language"],
        "unit": flags["unit"],
        "stop_words": flags["without_stop_words"],
        "stems": flags["stems"],
    }


corpus = click.option(
    "--corpus",
    type=click.Path(path_type=Path),
    default=None,
    metavar="FILE_OR_FOLDER",
    help="UTF-8 text to read instead of Python's own documentation",
)
output = click.option(
    "-o", "--output", type=click.Choice(FORMATS), default="table", show_default=True, help="what is printed on stdout"
)
output_dir = click.option(
    "--output-dir",
    type=click.Path(path_type=Path),
    default=Path("pinchpoint-results"),
    show_default=True,
    metavar="FOLDER",
    help="where the store and the report go",
)
resume = click.option("--resume", is_flag=True, help="measure only what the same run in the folder lacks")
quiet = click.option("-q", "--quiet", is_flag=True, help="no progress on stderr")
