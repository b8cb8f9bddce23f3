"""Reading the records that a command is about from its STORE arguments."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.errors import UserError
from bench.joining import BESIDE
from bench.record import Record

if TYPE_CHECKING:
    from bench.store import Run
    from reports.comparison import Comparison

run_option = click.option(
    "--run", default="latest", show_default=True, metavar="latest|all|RUN", help="which runs of each store"
)


def records(stores: tuple[str, ...], run: str, *, needed: bool = True) -> tuple[list[Record], str]:
    """The records of the chosen runs of all stores, and a title.

    Raises `UserError` where there is nothing to show, if any are `needed`, and for a run that there is not.
    """
    from bench.joining import joined
    from bench.opening import open_store
    from bench.runs import records as records_of

    found: list[Record] = []
    names: list[str] = []
    for where in stores:
        with open_store(where) as store:
            measured = store.measured()
            runs = [r for r in store.runs() if r.run in measured]
            chosen = _latest(runs) if run == "latest" else [r for r in runs if run in ("all", r.run)]
            if not chosen and runs:
                raise UserError(f"{where} has no run '{run}'.", f"It has: {', '.join(r.run for r in runs)}.")
            of_runs = [records_of(store, each) for each in chosen]
            shown = joined(of_runs) if run == "latest" else [record for kept in of_runs for record in kept]
            names += [each.name for each in chosen if each.run in {record.run for record in shown}]
            found += shown
    if not found and not needed:
        return [], "pinchpoint: comparison"
    if not found:
        raise UserError(f"There is no record in {', '.join(stores)} yet.", "Measure first: pinchpoint sweep.")
    return found, f"pinchpoint: {', '.join(dict.fromkeys(names))}"


def comparisons(stores: Iterable[str]) -> "list[Comparison]":
    """What `pinchpoint ab` measured in the stores, the oldest first."""
    from bench.commands import _ab
    from bench.opening import open_store

    found: list[Comparison] = []
    for where in dict.fromkeys(stores):
        with open_store(where) as store:
            found += _ab.comparisons(store)
    return sorted(found, key=lambda each: each.started_at)


#: Runs of each store that a report looks back on.
LOOKED_BACK = 100


def past(stores: Iterable[str], runs: int = LOOKED_BACK) -> list[Record]:
    """The records of the newest `runs` of each store without their blocks, for trends; no runs beside a sweep."""
    from bench.opening import open_store

    found: list[Record] = []
    for where in dict.fromkeys(stores):
        with open_store(where) as store:
            for run in [each for each in store.runs() if each.name not in BESIDE][-runs:]:
                found += store.records(run.run, with_blocks=False)
    return found


def _latest(runs: "Sequence[Run]") -> "list[Run]":
    """The newest run that only measured, and all those whose proofs and advice may be about its points."""
    measured = [each.run for each in runs if each.name not in BESIDE][-1:]
    return [each for each in runs if each.name in BESIDE or each.run in measured]


def folder_of(where: str) -> Path:
    """The folder beside a store, for what is made from it; the working folder for a URL."""
    if "://" in where:
        return Path()
    path = Path(where)
    return path if path.is_dir() else path.parent
