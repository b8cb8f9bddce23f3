"""A run of a spec: how it begins, whether it can be continued, and what there is of it."""

import secrets

from bench import assembly, host, points
from bench.errors import UserError
from bench.record import Record
from bench.spec import Spec
from bench.store import Run, Store


def begin(spec: Spec, store: Store, corpus: str) -> Run:
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
    )
    store.add_run(run)
    return run


def resume(spec: Spec, store: Store, corpus: str) -> Run:
    """The latest run of the store, to go on with. Raises `UserError` where it was another spec, text or machine."""
    runs = store.runs()
    if not runs:
        raise UserError(f"There is no run in {store.where} to resume.", "Start one: leave out --resume.")
    run = runs[-1]
    new = "Give the same spec and flags as before, or leave out --resume to start a new run."
    changed = _changes(run, spec, corpus)
    if changed:
        raise UserError(f"Run {run.run} was started with {changed}.", new)
    here = host.describe()
    if run.host["fingerprint"] != here["fingerprint"]:
        names = [name for name in host.IDENTITY if run.host.get(name) != here[name]]
        was = ", ".join(f"{name} {run.host.get(name)} (now {here[name]})" for name in names)
        raise UserError(f"Run {run.run} was measured on another machine or set-up: {was}.", new)
    return run


def _changes(run: Run, spec: Spec, corpus: str) -> str | None:
    """What differs between a run and a spec, in words; None where nothing does."""
    before = {points.point(axes).id: axes for axes in run.points}
    after = {point.id: point.axes for point in spec.points}
    if before.keys() != after.keys():
        return (
            f"other points ({len(before.keys() - after.keys())} are gone, {len(after.keys() - before.keys())} are new)"
        )
    for name, value in spec.settings.items():
        if run.settings.get(name) != value:
            return f"{name} = {run.settings.get(name)}, not {value}"
    if run.corpus != corpus:
        return f"the corpus {run.corpus or 'that comes with Python'}, not {corpus or 'that one'}"
    return None


def records(store: Store, run: Run) -> list[Record]:
    """Every record of the run, and what was measured of its unfinished points, in the order of its points."""
    order = {points.point(axes).id: place for place, axes in enumerate(run.points)}
    found = [*store.records(run.run), *assembly.unfinished(store, run)]
    return sorted(found, key=lambda record: order.get(record.point, len(order)))
