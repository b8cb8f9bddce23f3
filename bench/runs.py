"""A run of a spec: how it begins, whether it can be continued, and what there is of it."""

import secrets
from collections.abc import Mapping
from dataclasses import fields

from bench import assembly, host, points
from bench.errors import UserError
from bench.inputs import NOTHING, Inputs
from bench.record import Record, Value
from bench.spec import SETTING_DEFAULTS, Spec
from bench.store import Run, Store


def begin(spec: Spec, store: Store, corpus: str, inputs: Inputs = NOTHING) -> Run:
    """Start a new run of the spec in the store."""
    started = assembly.now()
    run = Run(
        run=f"{started[:10].replace('-', '')}-{started[11:19].replace(':', '')}-{secrets.token_hex(2)}",
        name=spec.name,
        started_at=started,
        points=tuple(point.axes for point in spec.points),
        settings=spec.settings,
        corpus=corpus,
        host=host.describe(),
        inputs=inputs,
    )
    store.add_run(run)
    return run


def resume(spec: Spec, store: Store, corpus: str, inputs: Inputs = NOTHING) -> Run:
    """The run to go on with: the newest of this spec, text, inputs and machine of which anything was measured.

    Raises `UserError` where the newest run is of another spec, text, input or machine and no older one fits.
    """
    runs = store.runs()
    if not runs:
        raise UserError(f"There is no run in {store.where} to resume.", "Start one: leave out --resume.")
    here = host.describe()
    fitting = [run for run in runs if _changes(run, spec, corpus, inputs, here) is None]
    if not fitting:
        raise UserError(
            f"Run {runs[-1].run} was {_changes(runs[-1], spec, corpus, inputs, here)}.",
            "Give the same spec and flags as before, or leave out --resume to start a new run.",
        )
    measured = store.measured()
    return ([run for run in fitting if run.run in measured] or fitting)[-1]


def _changes(run: Run, spec: Spec, corpus: str, inputs: Inputs, here: Mapping[str, Value | None]) -> str | None:
    """What differs between a run and what is asked for here, in words; None where nothing does."""
    before = {points.point(axes).id: axes for axes in run.points}
    after = {point.id: point.axes for point in spec.points}
    if before.keys() != after.keys():
        return (
            f"other points ({len(before.keys() - after.keys())} are gone, {len(after.keys() - before.keys())} are new)"
        )
    for name, value in spec.settings.items():
        before_value = run.settings.get(name, SETTING_DEFAULTS[name])
        if before_value != value:
            return f"started with {name} = {before_value}, not {value}"
    if run.corpus != corpus:
        return f"started with the corpus {run.corpus or 'that comes with Python'}, not {corpus or 'that one'}"
    for field in fields(Inputs):
        was, now = getattr(run.inputs, field.name), getattr(inputs, field.name)
        if was != now:
            return f"started with {field.name} = {was or 'none'}, not {now or 'none'}"
    if run.host["fingerprint"] != here["fingerprint"]:
        names = [name for name in host.IDENTITY if run.host.get(name) != here[name]]
        was = ", ".join(f"{name} {run.host.get(name)} (now {here[name]})" for name in names)
        return f"measured on another machine or set-up: {was}"
    return None


def records(store: Store, run: Run) -> list[Record]:
    """Every record of the run, and what was measured of its unfinished points, in the order of its points."""
    order = {points.point(axes).id: place for place, axes in enumerate(run.points)}
    found = [*store.records(run.run), *assembly.unfinished(store, run)]
    return sorted(found, key=lambda record: order.get(record.point, len(order)))
