"""What `sweep` and `run` do with a spec: check, measure with progress, print, report."""

import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import click

from bench import units
from bench.commands import _ceilings, _inputs, _output, _read
from bench.errors import Unsupported, UserError
from bench.inputs import Inputs
from bench.points import Point
from bench.spec import Spec


def measure(spec: Spec, flags: Mapping[str, Any], *, with_report: bool) -> int:
    """Measure `spec` into the store of the output folder, print the results, write a report; the exit code."""
    from bench import runner, runs
    from bench.opening import open_store

    check_devices(spec)
    corpus = corpus_path(flags["corpus"])
    spec, inputs = _inputs.resolve(spec, flags)
    if flags["dry_run"]:
        _dry_run(spec, inputs)
        return 0
    folder: Path = flags["output_dir"]
    with open_store(str(folder), create=True) as store, alone(folder):
        run = (runs.resume if flags["resume"] else runs.begin)(spec, store, corpus, inputs)
        with terminated_like_ctrl_c():
            run = _ceilings.into(run, spec, flags["ceilings"], quiet=flags["quiet"])
        store.keep_ceilings(run)
        stopped = False
        with _output.progress(spec, quiet=flags["quiet"]) as progress, terminated_like_ctrl_c():
            try:
                runner.Sweep(spec, store, run, progress).measure()
            except KeyboardInterrupt:
                stopped = True
        records = runs.records(store, run)
    if stopped and not records:
        click.echo("pinchpoint: stopped before anything was measured.", err=True)
        return 130
    _output.show(records, _title(spec), flags["output"])
    if with_report:
        page = _output.write_report(records, _title(spec), folder, past=_read.past([str(folder)]))
        click.echo(f"\nReport: {page}", err=flags["output"] != "table")
    else:
        click.echo(f"\nKept in {folder}; for a page: pinchpoint report {folder}", err=flags["output"] != "table")
    if stopped:
        click.echo("pinchpoint: stopped; go on with --resume.", err=True)
        return 130
    return 0 if any(record.status == "ok" for record in records) else 3


def _title(spec: Spec) -> str:
    return f"pinchpoint sweep: {spec.name}"


def check_devices(spec: Spec) -> None:
    """A GPU that is not there is an error before anything starts, not a failure of each point."""
    from bench import nvml

    asked = sorted({str(point.axes["device"]) for point in spec.points} - {"auto", "cpu"})
    if not asked:
        return
    present = len(nvml.describe())
    for name in asked:
        index = int(name.partition(":")[2] or 0)
        if index >= present:
            raise UserError(
                f"There is no device '{name}': NVML finds {present or 'no'} NVIDIA GPU{'s' if present > 1 else ''}.",
                "Choose --device cpu, or see `pinchpoint doctor`.",
            )


def corpus_path(given: Path | None) -> str:
    """The corpus' absolute path as text, empty for the default; what is wrong with it is told before the sweep."""
    if given is None:
        return ""
    if not given.exists():
        raise UserError(f"There is no corpus at {given}.", "Give a UTF-8 text file, or a folder of them.")
    return str(given.resolve())


def _dry_run(spec: Spec, inputs: Inputs) -> None:
    from bench import allotment, planning, points

    if spec.description:
        click.echo(f"{spec.description}.\n")
    for point in spec.points:
        memory = units.quantity(planning.memory_B(point, inputs), "B")
        refused = _refusal(point, inputs)
        told = f" (not supported: {refused})" if refused else ""
        click.echo(f"{point.id}  {'—' if refused else memory:>9}  {points.describe(point, spec.points)}{told}")
    least, most = (units.duration(seconds) for seconds in planning.estimate_s(spec, inputs))
    fewest = allotment.first_processes(spec.settings)
    processes = f"{fewest} to {spec.settings['repetitions']}" if fewest < int(spec.settings["repetitions"]) else fewest
    libraries = units.quantity((planning.CHILD_MIB["train"] + planning.LSTM_MIB) * 2**20, "B")
    click.echo(
        f"\n{len(spec.points)} points in {processes} processes each; about "
        f"{least if least == most else f'{least} to {most}'}.\n"
        f"Memory: counts of tensors, how far the heap outgrows them, and up to {libraries} for torch.\n"
        f"Time: a guess at {planning.ASSUMED_FLOPS / 1e9:g} GFLOP/s."
    )


def _refusal(point: Point, inputs: Inputs) -> str | None:
    """Why the point cannot be run, as far as arithmetic tells."""
    from bench import points

    try:
        points.tokens(point.axes, inputs)
    except Unsupported as reason:
        return str(reason)
    return None


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Two measurements into one folder would disturb each other's times: the second is refused."""
    from filelock import FileLock, Timeout

    try:
        with FileLock(folder / ".lock", timeout=0):
            yield
    except Timeout:
        raise UserError(
            f"Another measurement is writing to {folder}.", "Wait for it, or give this one another --output-dir."
        ) from None


@contextmanager
def terminated_like_ctrl_c() -> Iterator[None]:
    """SIGTERM (a CI system's time-out) ends a sweep as cleanly as Ctrl-C does."""

    def interrupt(_: int, __: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
