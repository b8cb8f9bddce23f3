"""`pinchpoint compare`: did a change make it slower, bigger or hungrier? Two stores, runs, commits or tags.

Where BASE is an acceptance pack, what came back is judged by the pack's limits.
"""

from typing import Any

import click
from click.core import ParameterSource

from bench.commands import _acceptance, _gate
from bench.errors import UserError

_EPILOG = """
\b
Examples:
  pinchpoint compare last:5 latest           the newest run against the five before it
  pinchpoint compare main feature/ --fail-on latency:5%,max_ram:2%
  pinchpoint compare old/ new/               two folders of sweeps
  pinchpoint compare old.jsonl new@1a2b3c4   an export, and a commit in a store
  pinchpoint compare pack/ here/ there/      what vendors sent back, by a pack's limits
\b
What was measured at different times differs by the machine's drift too: where that
leaves the answer open, `pinchpoint ab` measures both sides in turns.
Exit codes: 0 passes, 1 regression, 2 usage, 3 cannot tell or not comparable. Of a pack:
0 all limits met, 1 one missed, 3 one cannot be told or has no figure; of several, the best.
"""
#: Flags that a pack's own limits and terms leave no room for.
_NOT_OF_A_PACK = ("run_spread", "fail_on", "allow_more", "inconclusive", "missing", "write")


@click.command(epilog=_EPILOG)
@click.argument("base", metavar="BASE")
@click.argument("new", metavar="NEW...", nargs=-1, required=True)
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
def command(base: str, new: tuple[str, ...], store: str, run_spread: str | None, anyway: bool, **flags: Any) -> int:
    """Compare NEW with BASE, point by point: a store, a file of records, or within a store WHAT or STORE@WHAT.

    WHAT is `latest`, `last:N` (the newest N runs as one window), a run, a commit, a tag or branch, or a baseline.
    Where BASE is the folder of an acceptance pack, each NEW is judged by its limits, and several are ranked.
    """
    if _acceptance.is_pack(base):
        _refuse_gates(flags["output"])
        return _acceptance.judge(base, new, store, flags["output"], anyway=anyway)
    if len(new) > 1:
        raise UserError(
            f"Two sides are compared, and {len(new) + 1} are named.", "Several at once are judged by a pack alone."
        )
    asked = _gate.read(flags)
    spread = _spread(run_spread)

    from bench import host, references
    from reports.compare import Rules, compare

    newer = references.find(new[0], store)
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


def _refuse_gates(output: str) -> None:
    given = click.get_current_context().get_parameter_source
    named = [name for name in _NOT_OF_A_PACK if given(name) is ParameterSource.COMMANDLINE]
    if named:
        raise UserError(f"--{named[0].replace('_', '-')} is not for a pack: its limits stand in it.", "Leave it out.")
    if output not in ("table", "json"):
        raise UserError(f"A pack is judged as a table or as JSON, not as {output}.", "Give -o table or -o json.")
