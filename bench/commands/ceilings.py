"""`pinchpoint ceilings`: what this machine can do at most."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from bench.commands import _options

if TYPE_CHECKING:
    from bench.ceilings import Measured
    from bench.ceilings._gather import Notify

#: Load per core from which the figures are doubted: half a core's worth of others shows in two-threaded products.
BUSY = 0.5

_EPILOG = """
\b
Examples:
  pinchpoint ceilings               measured once, then kept for 30 days
  pinchpoint ceilings --refresh     measured again, in about a minute
  pinchpoint ceilings --threads 1   what one thread can do
  pinchpoint ceilings -o json       with every interval, for scripts
"""


@click.command(epilog=_EPILOG)
@_options.axis_options("device", "threads", several=False)
@click.option("--refresh", is_flag=True, help="measure again, however young the last ceilings are")
@click.option(
    "-o", "--output", type=click.Choice(("table", "json")), default="table", show_default=True, help="what is printed"
)
@_options.quiet
def command(device: str | None, threads: str | None, refresh: bool, output: str, quiet: bool) -> int:
    """Measure what this machine can do at most: products, memory, caches, calls, transfers, text, disk, ranks.

    These are the ceilings that a model's speed is judged against. Leave the machine alone meanwhile.
    """
    from bench import axes, host
    from bench.ceilings import _cache, _gather

    chosen = str(axes.find("device").parse(device or "auto"))
    asked = axes.find("threads").parse(threads or "auto")
    with _progress(quiet=quiet) as notify:
        measured, unkept = _gather.obtain(
            chosen, host.usable_cores() if asked == "auto" else int(asked), refresh=refresh, notify=notify
        )
    if measured.load_1min is not None and measured.load_1min > BUSY * host.usable_cores():
        click.echo(
            f"pinchpoint: the machine was busy (load {measured.load_1min}), so these ceilings may be too low.\n"
            "  Measure again when it is quiet: pinchpoint ceilings --refresh.",
            err=True,
        )
    if unkept is not None:
        click.echo(f"pinchpoint: the ceilings could not be kept: {unkept}", err=True)
    if output == "json":
        click.echo(_cache.to_json(measured), nl=False)
    else:
        _print(measured)
    some = any(figure.value is not None for figures in measured.ceilings.values() for figure in figures.values())
    return 0 if some else 3


@contextmanager
def _progress(*, quiet: bool) -> Iterator["Notify"]:
    """A bar on stderr with the ceiling that is being measured; nothing in a pipe or when quiet."""
    from rich import progress as bars
    from rich.console import Console

    console = Console(stderr=True)
    columns = (bars.BarColumn(bar_width=16), bars.MofNCompleteColumn(), bars.TextColumn("{task.description}"))
    with bars.Progress(*columns, console=console, disable=quiet or not console.is_terminal, transient=True) as bar:
        task = bar.add_task("looking at this machine", total=None)
        yield lambda name, done, total: bar.update(task, description=name, completed=done, total=total)


def _print(measured: "Measured") -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from bench import units

    console = Console(highlight=False)
    console.print(
        f"{measured.host}; {measured.threads} threads, device {measured.device}", markup=False, soft_wrap=True
    )
    console.print(f"Measured at {measured.measured_at}. The datasheet's figures of this machine are not known.\n")
    table = Table(box=None, pad_edge=False)
    for heading in ("ceiling", "measured [95 % interval]", "how"):
        table.add_column(heading, overflow="fold")
    for figures in measured.ceilings.values():
        for each in figures.values():
            shown = units.interval(each.value, each.low, each.high, each.unit)
            table.add_row(each.label, shown, escape(each.how or each.reason or ""))
    console.print(table)
