"""Names for runs: which are allowed, and which run a user means by an id, a commit or `latest`."""

import re
from collections.abc import Sequence

from bench.errors import UserError
from bench.joining import BESIDE
from bench.kinds import nearest
from bench.store import Baseline, Run, Store

#: What means a run already, so that no baseline may be called so.
_RESERVED = ("latest", "all", "last")
#: A commit is told by this many digits at least, as git does.
_SHORTEST_COMMIT = 4


def check_name(name: str) -> str:
    """The name, where it is one: a tag, a branch or any other word of at most 100 characters.

    Raises `UserError` for spaces, colons and what cannot be printed, and for words that mean a run already.
    """
    if name in _RESERVED:
        raise UserError(f"'{name}' means a run by its place in time already.", "Choose another name, such as main.")
    if not re.fullmatch(r"[^\s:]{1,100}", name) or not name.isprintable() or name.startswith("-"):
        raise UserError(
            f"{name!r} is no name for a baseline.",
            "Take a tag, a branch or another word of up to 100 characters, without spaces and colons.",
        )
    return name


def run_of(store: Store, asked: str) -> Run:
    """The run that is asked for: `latest` (of those that only measured), an id or the beginning of one alone, or a
    commit (its newest run, by at least 4 digits).

    Only runs of which anything was measured count. Raises `UserError` with the nearest ids where there is none.
    """
    measured = store.measured()
    runs = [run for run in store.runs() if run.run in measured]
    if not runs:
        raise UserError(f"There is no measured run in {store.where} yet.", "Measure first: pinchpoint sweep.")
    plain = [run for run in runs if run.name not in BESIDE]
    beginning = [run for run in runs if run.run.startswith(asked)]
    if asked == "latest":
        fitting = plain or runs
    else:
        exact = [run for run in beginning if run.run == asked]
        fitting = exact or _of_commit(plain, asked) or (beginning if len(beginning) == 1 else [])
    if not fitting:
        raise UserError(
            f"{store.where} has no run or commit '{asked}'.{nearest(asked, [run.run for run in runs])}",
            f"Its newest runs: {', '.join(run.run for run in runs[:-6:-1])}. `pinchpoint history` shows their commits.",
        )
    return fitting[-1]


def _of_commit(runs: Sequence[Run], asked: str) -> list[Run]:
    if len(asked) < _SHORTEST_COMMIT:
        return []
    commits = {run.run: str(run.host.get("git_commit") or "").removesuffix("-dirty") for run in runs}
    # A commit is kept with 12 digits; a user may give fewer of them, or all 40.
    return [r for r in runs if (kept := commits[r.run]) and (kept.startswith(asked) or asked.startswith(kept))]


def named(store: Store, name: str) -> Baseline:
    """The baseline of that name. Raises `UserError` with the nearest name where there is none."""
    known = {baseline.name: baseline for baseline in store.baselines()}
    if name not in known:
        raise UserError(
            f"{store.where} has no baseline '{name}'.{nearest(name, known)}",
            f"It has: {', '.join(known)}." if known else "Set one: pinchpoint baseline set NAME.",
        )
    return known[name]
