"""What `diagnose` and `advise` share: ceilings to judge a point by, its record, and a bar with what is being done."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from bench.errors import UserError
from bench.spec import Spec

if TYPE_CHECKING:
    from rich.console import Console

    from bench.diagnosis import Notify, Outcome
    from bench.points import Point
    from bench.record import Ceiling, Record, Status
    from bench.run_ceilings import Pair
    from bench.store import Run, Store

#: Each takes about half a minute, so more points than this are taken for a typing error.
_MOST_POINTS = 20


def refuse_many(spec: Spec) -> None:
    """Raise `UserError` for more points than anyone means to wait for."""
    if len(spec.points) > _MOST_POINTS:
        raise UserError(f"These flags name {len(spec.points)} points.", f"Ask for {_MOST_POINTS} at most at a time.")


def ceilings(spec: Spec, *, quiet: bool) -> "dict[Pair, dict[str, Ceiling]]":
    """What the machine can do at most, by device and threads of the points: kept, or measured now."""
    from bench import run_ceilings
    from bench.ceilings import _gather

    found = {}
    for device, threads in run_ceilings.pairs(each.axes for each in spec.points):
        with progress("ceilings, measured once a month", quiet=quiet) as notify:
            measured, unkept = _gather.obtain(device, threads, notify=lambda name, done, of: notify(done, of, name))
        if unkept is not None:
            click.echo(f"pinchpoint: the ceilings could not be kept: {unkept}", err=True)
        found[device, threads] = run_ceilings.flat(measured)
    return found


def dispatch_s(ceilings: "Mapping[str, Ceiling]") -> float | None:
    """Seconds of an empty operator; None where that was not measured."""
    empty = ceilings.get("dispatch_empty_s")
    return None if empty is None else empty.value


def record(
    point: "Point", run: "Run", store: "Store", ceilings: "Mapping[str, Ceiling]", outcome: "Outcome"
) -> "Record":
    """The record of what a diagnosis measured; its blocks and reports are kept in the store, the record is not yet."""
    from bench import assembly

    status: Status = "ok" if outcome.failed is None else outcome.failed.status
    reason = None if outcome.failed is None else outcome.failed.reason
    for number, report in enumerate(outcome.reports):
        store.add_child(run.run, point.id, number, report)
    for block in outcome.blocks:
        store.add_block(run.run, point.id, block)
    made = assembly.record(run, point.axes, outcome.reports, outcome.blocks, status, reason)
    return replace(made, experiments=outcome.experiments, ceilings=dict(ceilings))


def print_doubts(console: "Console", record: "Record") -> None:
    """The warnings that speak against the times of the record, each with its remedy."""
    from reports import certainty

    for warning in certainty.TIMES.warnings(record):
        console.print(f"Beware: {warning.message} {warning.remedy}", markup=False)


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
