"""How `pinchpoint diagnose` shows what it found: the wall with its proof, what was tried, and the elasticities."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from bench import points
from bench.commands import _experiments
from bench.record import Experiment, Record, to_json

if TYPE_CHECKING:
    from reports.elasticity import Elasticity, Fit
    from reports.proof import Proof

#: Tables fit a terminal of so many columns.
_WIDTH = 80


def as_json(record: Record) -> dict[str, Any]:
    """Axes, status, the wall with its proof, elasticities and experiments of a diagnosed point."""
    from dataclasses import asdict

    from reports import certainty, elasticity

    fit = elasticity.fit(record.experiments)
    found = _verdict(record, fit)
    wall, judged = (None, None) if isinstance(found, str) else found
    return {
        "point": record.point,
        "axes": record.axes,
        "status": record.status,
        "reason": record.reason,
        "wall": wall,
        "wall_unknown": found if isinstance(found, str) else None,
        "proof": None if judged is None else asdict(judged),
        "elasticities": [asdict(each) for each in fit.elasticities],
        "sum_of_elasticities": asdict(fit.total),
        "notes": list(fit.notes),
        "warnings": [asdict(each) for each in certainty.TIMES.warnings(record)],
        "experiments": json.loads(to_json(record))["experiments"],
    }


def print_all(records: Sequence[Record]) -> None:
    """Each point under its name, with a blank line after it."""
    among = [points.point(record.axes) for record in records]
    for record in records:
        click.echo(points.describe(points.point(record.axes), among))
        if record.status != "ok":
            click.echo(f"{record.status}: {record.reason}\n")
            continue
        _print(record)


def _print(record: Record) -> None:
    from rich.console import Console

    from reports import elasticity

    console = Console(highlight=False, width=_WIDTH)
    fit = elasticity.fit(record.experiments)
    found = _verdict(record, fit)
    if isinstance(found, str):
        console.print(f"Wall: not known. {found}", markup=False)
    else:
        wall, judged = found
        console.print(f"Wall: {wall} ({judged.verdict}). {judged.sentence}", markup=False)
    _print_experiments(console, record.experiments)
    _print_elasticities(console, fit)
    alarms = [elasticity.false_alarm(each) for each in record.experiments if each.null and each.logs]
    if any(alarms):
        console.print(
            f"{sum(alarms)} of {len(alarms)} experiments that changed nothing seem to have: something else disturbed "
            "this machine. Diagnose again when it is quiet.",
            markup=False,
        )
    _experiments.print_doubts(console, record)
    console.print()


def _verdict(record: Record, fit: "Fit") -> "tuple[str, Proof] | str":
    """The wall that the record names, and whether the experiments bear it out; or why it names none."""
    from reports import verdict
    from reports.proof import proof

    wall = verdict.wall_of(record)
    return str(verdict.unknown(record)) if wall is None else (wall, proof(wall, fit, record.experiments))


def _print_experiments(console: Any, experiments: Sequence[Experiment]) -> None:
    from rich.table import Table

    from bench import units
    from reports.elasticity import MOVED, effect
    from reports.proof import PHRASES

    table = Table(box=None, pad_edge=False)
    table.add_column("intervention", no_wrap=True)
    table.add_column("time [95 % interval]", no_wrap=True)
    table.add_column("what the machine gave", overflow="fold")
    refused = []
    for each in experiments:
        found = effect(each)
        if found is None:
            refused.append(f"{each.name.replace('_', ' ')}: {each.reason}")
            continue
        bounds = "" if found.low is None else f" [{units.change(found.low)}, {units.change(found.high or 0.0)}]"
        moved = "\n".join(f"{name} {units.change(rate)}" for name, rate in each.rates.items() if abs(rate) >= MOVED)
        table.add_row(PHRASES.get(each.name, each.name), f"{units.change(found.value)}{bounds}", moved)
    if table.row_count:
        console.print(table)
    for line in refused:
        console.print(f"Not tried: {line}", markup=False)


def _print_elasticities(console: Any, fit: "Fit") -> None:
    from rich.table import Table

    from reports.proof import shown_elasticity

    def row(name: str, found: "Elasticity") -> None:
        plain = fit.nonnegative.get(found.resources)
        told = "" if plain is None else f"{plain:.2f}"
        table.add_row(name, shown_elasticity(found), found.reason or told)

    table = Table(box=None, pad_edge=False)
    table.add_column("elasticity of time to", overflow="fold")
    table.add_column("value [95 % interval]", no_wrap=True)
    table.add_column("if none is negative", overflow="fold")
    for each in fit.elasticities:
        row(" + ".join(each.resources), each)
    row("sum (1 where all was looked at)", fit.total)
    console.print()
    console.print(table)
    for note in fit.notes:
        console.print(note, markup=False)
