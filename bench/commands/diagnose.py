"""`pinchpoint diagnose`: what limits a point, proved by experiment."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench import axes
from bench.commands import _experiments, _inputs, _measure, _options
from bench.errors import UserError
from bench.spec import parse

if TYPE_CHECKING:
    from bench.diagnosis import Notify
    from bench.points import Point
    from bench.record import Ceiling, Record
    from bench.store import Run, Store

_EPILOG = """
\b
Examples:
  pinchpoint diagnose -w decode                  some 30 s for one point
  pinchpoint diagnose -s tiny -w prefill,decode  two points
  pinchpoint diagnose -b 8 --try fewer_dispatches
                                                 also compiled, which takes long
  pinchpoint diagnose --device cuda --try lower_power
                                                 as root: also at 3/4 of its power limit
"""


@click.command(epilog=_EPILOG)
@_options.axis_options(several=True)
@_options.corpus
@_inputs.options
@_options.output_dir
@click.option(
    "--budget", type=click.FloatRange(1, 3600), default=25.0, show_default=True, help="seconds of experiments a point"
)
@click.option(
    "--try",
    "asked",
    multiple=True,
    metavar="INTERVENTION",
    help="one that is tried only when asked: fewer_dispatches; lower_clock or lower_power, of a GPU by root, undone "
    "however it ends",
)
@click.option(
    "-o", "--output", type=click.Choice(("table", "json")), default="table", show_default=True, help="what is printed"
)
@_options.quiet
def command(budget: float, asked: tuple[str, ...], output: str, quiet: bool, **flags: Any) -> int:
    """Find what limits a point, by experiment: change one thing at a time, and see how time answers.

    Threads, a loaded memory bus, batch size, extra operators, other routines for its products and memory that is kept
    need no privileges. A quarter of the experiments change nothing, and show what chance does.
    """
    from bench import points, run_ceilings, runs
    from bench.commands import _diagnosis
    from bench.opening import open_store

    spec = parse("", "diagnose", _options.given(flags, axes.AXES), {})
    _experiments.refuse_many(spec)
    _check(asked)
    _measure.check_devices(spec)
    corpus = _measure.corpus_path(flags["corpus"])
    spec, inputs = _inputs.resolve(spec, flags)
    folder: Path = flags["output_dir"]
    found: list[Record] = []
    with open_store(str(folder), create=True) as store, _measure.alone(folder), _measure.terminated_like_ctrl_c():
        measured = _experiments.ceilings(spec, quiet=quiet)
        run = runs.begin(spec, store, corpus, inputs)
        for point in spec.points:
            ceilings = measured[run_ceilings.pair(point.axes)]
            with _experiments.progress(points.describe(point, spec.points), quiet=quiet) as notify:
                found.append(_one(point, run, store, ceilings, notify, budget, asked))
    if output == "json":
        click.echo(json.dumps([_diagnosis.as_json(each) for each in found], indent=2, ensure_ascii=False))
    else:
        _diagnosis.print_all(found)
        click.echo(f"Kept in {folder}; for a page: pinchpoint report {folder}")
    return 0 if any(experiment.logs for each in found for experiment in each.experiments) else 3


def _check(asked: tuple[str, ...]) -> None:
    """Raise `UserError` for an intervention that does not exist."""
    from bench import interventions

    for name in asked:
        if name not in interventions.names():
            known = [each for each in interventions.names() if interventions.asked_only(each)]
            raise UserError(f"There is no intervention '{name}'.", f"Those to ask for: {', '.join(known)}.")


def _one(
    point: "Point",
    run: "Run",
    store: "Store",
    ceilings: "Mapping[str, Ceiling]",
    notify: "Notify",
    budget_s: float,
    asked: tuple[str, ...],
) -> "Record":
    """Diagnose one point, and keep its record with what the experiments measured of it beside them."""
    from bench.diagnosis import Diagnosis

    outcome = Diagnosis(
        point,
        dispatch_s=_experiments.dispatch_s(ceilings),
        corpus=run.corpus or None,
        inputs=run.inputs,
        budget_s=budget_s,
        asked=asked,
        notify=notify,
    ).run()
    made = _experiments.record(point, run, store, ceilings, outcome)
    store.put_record(made)
    return made
