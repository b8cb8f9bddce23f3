"""How commands come by ceilings: kept ones, or measured with a bar on stderr."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from bench.ceilings import Measured
    from bench.ceilings._gather import Notify
    from bench.spec import Spec
    from bench.store import Run

MODES = ("measure", "kept", "none")

option = click.option(
    "--ceilings",
    type=click.Choice(MODES),
    default="measure",
    show_default=True,
    help="what the machine can do at most, to name walls by: measured where none is kept (40 s), as kept, or none",
)


@contextmanager
def progress(*, quiet: bool) -> Iterator["Notify"]:
    """A bar on stderr with the ceiling that is being measured; nothing in a pipe or when quiet."""
    from rich import progress as bars
    from rich.console import Console

    console = Console(stderr=True)
    columns = (bars.BarColumn(bar_width=16), bars.MofNCompleteColumn(), bars.TextColumn("{task.description}"))
    with bars.Progress(*columns, console=console, disable=quiet or not console.is_terminal, transient=True) as bar:
        task = bar.add_task("looking at this machine", total=None)
        yield lambda name, done, total: bar.update(task, description=name, completed=done, total=total)


def into(run: "Run", spec: "Spec", mode: str, *, quiet: bool) -> "Run":
    """`run` with the ceilings of its points; those that it began with stay, so that all its records have the same.

    Raises `UserError` where those that are kept are of another host.
    """
    from bench import host, run_ceilings
    from bench.ceilings import _cache, _gather

    wanted = run_ceilings.pairs(point.axes for point in spec.points)
    if mode == "none" or run.ceilings:
        return run
    facts = host.describe()

    def kept(device: str, threads: int) -> "Measured | None":
        return _cache.read(_cache.path(facts, device, threads), facts)

    def measure(device: str, threads: int) -> "tuple[Measured, str | None]":
        if not quiet:
            click.echo(
                f"pinchpoint: measuring what this machine can do at most ({device}, {threads} threads): about 40 s, "
                "then kept for 30 days.",
                err=True,
            )
        with progress(quiet=quiet) as notify:
            return _gather.obtain(device, threads, notify=notify)

    found = run_ceilings.find(wanted, kept, measure if mode == "measure" else None)
    for reason in found.unkept:
        click.echo(f"pinchpoint: the ceilings could not be kept: {reason}", err=True)
    if found.lacking and not quiet:
        click.echo(f"pinchpoint: no ceilings for {_named(found.lacking)}. {_remedy(found.lacking[0])}", err=True)
    return replace(run, ceilings=found.ceilings)


def _named(pairs: "tuple[tuple[str, int], ...]") -> str:
    return "; ".join(f"{device}, {threads} threads" for device, threads in pairs)


def _remedy(pair: tuple[str, int]) -> str:
    return f"Measure them: pinchpoint ceilings --device {pair[0]} --threads {pair[1]}."
