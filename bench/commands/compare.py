"""`pinchpoint compare`: did a change make it slower, bigger or hungrier? Two stores, runs, commits or tags."""

from typing import Any

import click

from bench.commands import _gate

_EPILOG = """
\b
Examples:
  pinchpoint compare last:5 latest           the newest run against the five before it
  pinchpoint compare main feature/ --fail-on latency:5%,max_ram:2%
  pinchpoint compare old/ new/               two folders of sweeps
  pinchpoint compare old.jsonl new@1a2b3c4   an export, and a commit in a store
\b
What was measured at different times differs by the machine's drift too: where that
leaves the answer open, `pinchpoint ab` measures both sides in turns.
Exit codes: 0 passes, 1 regression, 2 usage, 3 cannot tell or not comparable.
"""


@click.command(epilog=_EPILOG)
@click.argument("base", metavar="BASE")
@click.argument("new", metavar="NEW")
@click.option(
    "--store",
    default="pinchpoint-results",
    show_default=True,
    help="where runs, commits, tags and baselines are looked up that stand alone",
)
@click.option(
    "--run-spread",
    default=None,
    metavar="PERCENT",
    help="by how much runs of the same code differ here; measured where a store has 4 runs, else assumed",
)
@click.option("--anyway", is_flag=True, help="compare although machines, power limits or versions differ")
@_gate.gate_options
def command(base: str, new: str, store: str, run_spread: str | None, anyway: bool, **flags: Any) -> int:
    """Compare NEW with BASE, point by point: a store, a file of records, or within a store WHAT or STORE@WHAT.

    WHAT is `latest`, `last:N` (the newest N runs as one window), a run, a commit, a tag or branch, or a baseline.
    """
    asked = _gate.read(flags)
    spread = _spread(run_spread)

    from bench import host, references
    from reports.compare import Rules, compare

    newer = references.find(new, store)
    older = references.find(base, store, but=newer.runs)
    rules = Rules(asked.limits, spread, asked.missing_fails, asked.may_grow, anyway, host.IDENTITY)
    past = (*older.past, *newer.past)
    comparison = compare(older.records, newer.records, rules, (older.label, newer.label), past)
    if set(older.runs) == set(newer.runs):
        click.echo("BASE and NEW are the same run.", err=True)
    return _gate.finish(comparison, asked)


def _spread(text: str | None) -> float | None:
    from bench import limits

    return None if text is None else limits.limit(text).share
