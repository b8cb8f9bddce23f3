"""`pinchpoint ab`: two commits, or two interpreters, measured in turns until the gate's answer is clear."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.commands import _ab, _experiments, _gate, _measure, _options
from bench.errors import UserError
from bench.kinds import Duration

if TYPE_CHECKING:
    from bench.ab.sides import Environment
    from bench.store import Run, Store
    from reports.comparison import Comparison
    from reports.paired import Rules

_EPILOG = """
\b
SUBJECTS are tests that use the fixture `benchmark` (pytest-benchmark) or
`pinchpoint`, as pytest names them; or one sweep, shipped or a TOML file. A side
is a commit (branch, tag, id), `.` for the working tree as it is, or the path of
a Python.
\b
Examples:
  pinchpoint ab --base main tests/bench      the working tree against main
  pinchpoint ab --base v1.2 --new HEAD tests/bench/test_io.py::test_load
  pinchpoint ab --base main ci               the models of the sweep `ci`
  pinchpoint ab --base old/bin/python --new new/bin/python ci
                                             another torch, the same code
  pinchpoint ab --base main tests/bench --fail-on latency:5%,max_ram:2% --bisect
\b
Exit codes: 0 pass, 1 regression, 2 usage or environment, 3 cannot tell.
"""


@click.command(epilog=_EPILOG)
@click.argument("subjects", nargs=-1)
@click.option("--base", required=True, metavar="SIDE", help="what it is compared with")
@click.option("--new", default=".", show_default=True, metavar="SIDE", help="what is judged")
@_gate.gate_options
@click.option(
    "--budget",
    default="60s",
    show_default=True,
    metavar="TIME",
    help="what a benchmark may take; what one does not need, the others may use",
)
@click.option(
    "--time-limit",
    default="5m",
    show_default=True,
    metavar="TIME",
    help="a process that gives no answer for so long counts as hanging",
)
@click.option(
    "--python",
    default=sys.executable,
    metavar="PATH",
    help="whose packages commits share (default: the Python that runs pinchpoint)",
)
@click.option(
    "--install",
    type=click.Choice(("auto", "pip", "none")),
    default="auto",
    show_default=True,
    help="how a commit is installed: by pip without its dependencies, or not at all",
)
@click.option("--bisect", is_flag=True, help="after a regression, find the commit that brought it")
@_options.output_dir
@_options.quiet
def command(subjects: tuple[str, ...], base: str, new: str, bisect: bool, **flags: Any) -> int:
    """Measure two sides in turns, and say whether the new one is worse than its limits allow."""
    asked = _ab.Asked(
        subjects,
        Path.cwd(),
        flags["python"],
        flags["install"],
        _seconds("--budget", flags["budget"]),
        _seconds("--time-limit", flags["time_limit"]),
        (gate := _gate.read(flags)).limits,
    )
    from bench.opening import open_store
    from reports.paired import Rules

    quiet: bool = flags["quiet"]
    folder: Path = flags["output_dir"]

    def say(what: str) -> None:
        if not quiet and sys.stderr.isatty():
            click.echo(f"{what} ...", err=True)

    rules = Rules(missing_fails=gate.missing_fails, may_grow=gate.may_grow)
    with (
        _measure.terminated_like_ctrl_c(),
        open_store(str(folder), create=True) as store,
        _measure.alone(folder),
    ):
        sides = _ab.environment(base, asked, say), _ab.environment(new, asked, say)
        if bisect:
            _ab.refuse_interpreters(sides)
        run, stopped = _measured(store, sides, asked, quiet=quiet)
        if run is None:
            return 130
        found = _ab.comparison(store, run, rules)
        assert found is not None
        if bisect and found.outcome == "fail" and not stopped:
            stopped = _searched(store, run, sides, found, asked, rules, quiet=quiet)
            found = _ab.comparison(store, run, rules)
            assert found is not None
    code = _gate.finish(found, gate)
    if gate.output == "table":
        click.echo(f"Kept in {folder}; for a page: pinchpoint report {folder}")
    if stopped:
        click.echo("pinchpoint: stopped.", err=True)
    return 130 if stopped else code


def _seconds(flag: str, text: str) -> float:
    """The seconds of a flag such as `90s`, `2m` or `1h`. Raises `UserError` for what is no time."""
    try:
        return float(Duration(0.1, 86400).parse(text))
    except ValueError as error:
        raise UserError(f"{flag} {text} {error}", f"Write it such as {flag} 60s.") from error


def _searched(
    store: "Store",
    run: "Run",
    sides: "tuple[Environment, Environment]",
    found: "Comparison",
    asked: _ab.Asked,
    rules: "Rules",
    *,
    quiet: bool,
) -> bool:
    """Search for the commit, and keep it where one is found; whether it was stopped. The answer stands without it."""
    try:
        with _experiments.progress("searching for the commit", quiet=quiet) as notify:
            culprit = _ab.culprit(sides, found, _ab.labels(store, run), asked, rules, notify)
    except KeyboardInterrupt:
        return True
    except UserError as error:
        click.echo(f"pinchpoint: {error.message}\n  {error.remedy}", err=True)
    else:
        _ab.ended(store, run, culprit=culprit)
    return False


def _measured(
    store: "Store", sides: "tuple[Environment, Environment]", asked: _ab.Asked, *, quiet: bool
) -> "tuple[Run | None, bool]":
    """Measure into a run of the store; the run, None where nothing was measured, and whether it was stopped."""
    with _experiments.progress("starting", quiet=quiet) as notify:
        match = _ab.match(*sides, asked, notify)
        match.prepare()
        run = _ab.begin(store, asked)
        match.keep = lambda pair: store.add_pair(run.run, match.done, pair)
        _ab.keep_about(store, run, match, *sides)
        began = time.monotonic()
        try:
            match.run()
        except KeyboardInterrupt:
            return (run if match.done else None), True
        _ab.ended(store, run, ended=True, spent_s=round(time.monotonic() - began, 3))
    return run, False
