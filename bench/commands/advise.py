"""`pinchpoint advise`: what would help a point, predicted, and proven where it is asked for."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench import axes
from bench.commands import _experiments, _inputs, _measure, _options
from bench.errors import UserError
from bench.spec import Spec, parse

if TYPE_CHECKING:
    from bench.diagnosis import Notify
    from bench.interventions import Change
    from bench.observation import Observation
    from bench.points import Point
    from bench.record import Advice, Ceiling, Metric, Record, Value
    from bench.store import Run, Store

    #: Quality by the values that decide the answers of a model.
    Graded = dict[tuple[Value, ...], Metric]

_EPILOG = """
\b
Examples:
  pinchpoint advise -w decode                   ranked changes, in some 20 s
  pinchpoint advise -s tiny -w prefill --prove  and the first three measured
  pinchpoint advise -w train -b 16 --prove --top 5 -o json
  pinchpoint advise -w decode --from results/   on what a sweep has measured
"""


@click.command(epilog=_EPILOG)
@_options.axis_options(several=True)
@_options.corpus
@_inputs.options
@_options.output_dir
@click.option("--prove", is_flag=True, help="measure the first changes, interleaved with the point as it is")
@click.option(
    "--top", type=click.IntRange(1, 8), default=3, show_default=True, help="how many changes --prove measures"
)
@click.option(
    "--budget",
    type=click.FloatRange(1, 3600),
    default=25.0,
    show_default=True,
    help="seconds in which --prove measures the changes of a point",
)
@click.option(
    "--from", "source", default=None, metavar="STORE", help="advise on the newest record of the point in this store"
)
@click.option(
    "-o",
    "--output",
    type=click.Choice(("table", "md", "json")),
    default="table",
    show_default=True,
    help="what is printed",
)
@_options.quiet
def command(prove: bool, top: int, budget: float, source: str | None, output: str, quiet: bool, **flags: Any) -> int:
    """Advise what would make a point faster: which change, by how much, at what cost.

    Each piece of an iteration is timed beside the piece that a change would put in its place; nothing else is run,
    unless --prove asks for it. Gain is the time of a token before / after, less 1.
    """
    from bench import points, run_ceilings, runs
    from bench.commands import _advice
    from bench.opening import open_store

    spec = parse("", "advise", _options.given(flags, axes.AXES), {})
    _experiments.refuse_many(spec)
    _measure.check_devices(spec)
    corpus = _measure.corpus_path(flags["corpus"])
    spec, inputs = _inputs.resolve(spec, flags)
    known, graded = (None, {}) if source is None else _kept(source, spec)
    folder: Path = flags["output_dir"]
    found: list[Record] = []
    with open_store(str(folder), create=True) as store, _measure.alone(folder), _measure.terminated_like_ctrl_c():
        measured = _experiments.ceilings(spec, quiet=quiet)
        run = runs.begin(spec, store, corpus, inputs)
        graded = graded | _graded(store)
        for point in spec.points:
            ceilings = measured[run_ceilings.pair(point.axes)]
            with _experiments.progress(points.describe(point, spec.points), quiet=quiet) as notify:
                one = _One(point, run, store, ceilings, graded, notify, budget, top if prove else 0)
                found.append(one.record(None if known is None else known[point.id]))
    if output == "json":
        click.echo(json.dumps([_advice.as_json(each) for each in found], indent=2, ensure_ascii=False))
    elif output == "md":
        click.echo(_advice.markdown(found), nl=False)
    else:
        _advice.print_all(found)
        click.echo(f"Kept in {folder}; for a page: pinchpoint report {folder}")
    return 0 if any(each.log is not None for record in found for each in record.advice) else 3


def _kept(where: str, spec: Spec) -> "tuple[dict[str, Record], Graded]":
    """The newest record of each point that the store holds, and the quality that it knows of.

    Raises `UserError` where a record lacks, or is of another machine.
    """
    from bench import host
    from bench.opening import open_store

    found: dict[str, Record] = {}
    with open_store(where) as store:
        graded = _graded(store)
        for run in store.runs():
            found |= {each.point: each for each in store.records(run.run) if each.observation is not None}
    here = host.describe()
    for point in spec.points:
        record = found.get(point.id)
        if record is None:
            raise UserError(
                f"{where} holds no record of this point that tells what an iteration consists of.",
                "Leave --from out: the point is then looked at now.",
            )
        if record.host.get("fingerprint") != here["fingerprint"]:
            theirs, ours = (f"{each.get('cpu')} ({each.get('fingerprint')})" for each in (record.host, here))
            raise UserError(
                f"The record is of another machine, {theirs}; this is {ours}.",
                "Advise there, or leave --from out: the point is then looked at now.",
            )
    return found, graded


@dataclass
class _One:
    """One point on its way from what is observed of it to its record with advice."""

    point: "Point"
    run: "Run"
    store: "Store"
    ceilings: "Mapping[str, Ceiling]"
    graded: "Graded"
    notify: "Notify"
    budget_s: float
    top: int

    def record(self, known: "Record | None") -> "Record":
        """Advise, prove where that is asked for, and keep the record."""
        if known is not None and known.observation is not None and not self.top:
            made = replace(known, run=self.run.run, advice=self._advise(known.observation))
        else:
            made = self._measured(known)
        self.store.put_record(made)
        return made

    def _advise(self, observation: "Observation") -> "list[Advice]":
        from bench import points
        from bench.advising import Adviser
        from bench.executors.local import ChildFailed

        try:
            return Adviser(
                self.point,
                self.run.inputs,
                _experiments.dispatch_s(self.ceilings),
                quality=lambda changed: self.graded.get(points.answers(changed)),
                notify=self.notify,
            ).advise(observation)
        except ChildFailed as failed:
            click.echo(f"pinchpoint: no advice, since the process that times pieces was lost: {failed}", err=True)
            return []

    def _measured(self, known: "Record | None") -> "Record":
        """Look at the point in a process of its own; the changes are tried in it and others beside it."""
        from bench import advising, planning
        from bench.diagnosis import PROCESSES, Diagnosis
        from bench.record import observation_of

        advice: list[Advice] = []

        def choose(report: Mapping[str, Any]) -> "Mapping[str, Change]":
            seen = known.observation if known is not None else observation_of(report.get("observation"))
            if seen is not None:
                advice.extend(self._advise(seen))
            room_B = planning.shared_memory_B(self.run.host) - planning.memory_B(self.point, self.run.inputs)
            return advising.to_try(self.point, advice, self.top, room_B, self.run.inputs)

        outcome = Diagnosis(
            self.point,
            _experiments.dispatch_s(self.ceilings),
            self.run.corpus or None,
            self.run.inputs,
            self.budget_s,
            PROCESSES if self.top else 1,
            notify=self.notify,
            choose=choose,
        ).run()
        made = _experiments.record(self.point, self.run, self.store, self.ceilings, outcome)
        # a change that was tried stands with the advice that it proves
        nulls = [each for each in outcome.experiments if each.null]
        return replace(made, experiments=nulls, advice=advising.proven(advice, outcome.experiments))


def _graded(store: "Store") -> "Graded":
    """The quality that runs in the store measured, by what decides the answers of a model; of several the newest."""
    from bench import points
    from reports import tradeoffs

    found: Graded = {}
    for run in store.runs():
        for record in store.records(run.run):
            metric = tradeoffs.quality(record)
            if metric is not None and metric.value is not None:
                found[points.answers(points.point(record.axes))] = metric
    return found
