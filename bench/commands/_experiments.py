"""What `diagnose` and `advise` share: ceilings to judge a point by, and a bar with what is being done."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from bench.spec import Spec

if TYPE_CHECKING:
    from bench.diagnosis import Notify
    from bench.record import Ceiling, Value


def threads(asked: "Value") -> int:
    """The number of threads that a point's axis means here."""
    from bench import host

    return host.usable_cores() if asked == "auto" else int(asked)


def ceilings(spec: Spec, *, quiet: bool) -> "dict[int, dict[str, Ceiling]]":
    """What the machine can do at most with each number of threads of the points: kept, or measured now."""
    from bench.ceilings import _gather

    found = {}
    for device, count in {(str(each.axes["device"]), threads(each.axes["threads"])) for each in spec.points}:
        with progress("ceilings, measured once a month", quiet=quiet) as notify:
            measured, unkept = _gather.obtain(device, count, notify=lambda name, done, of: notify(done, of, name))
        if unkept is not None:
            click.echo(f"pinchpoint: the ceilings could not be kept: {unkept}", err=True)
        found[count] = {name: each for figures in measured.ceilings.values() for name, each in figures.items()}
    return found


@contextmanager
def progress(what: str, *, quiet: bool) -> "Iterator[Notify]":
    """A bar on stderr with what is being done and the time left; nothing in a pipe or when quiet."""
    from rich import progress as bars
    from rich.console import Console

    console = Console(stderr=True)
    columns = (
        bars.TextColumn("{task.percentage:>3.0f} %"),
        bars.BarColumn(bar_width=16),
        bars.TimeRemainingColumn(compact=True),
        bars.TextColumn("{task.description}", markup=False),
    )
    with bars.Progress(*columns, console=console, disable=quiet or not console.is_terminal, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total, name: bar.update(task, completed=done, total=total, description=f"{what}: {name}")
