"""Reading the records that a command is about from its STORE arguments."""

from pathlib import Path

import click

from bench.errors import UserError
from bench.record import Record

run_option = click.option(
    "--run", default="latest", show_default=True, metavar="latest|all|RUN", help="which runs of each store"
)


def records(stores: tuple[str, ...], run: str) -> tuple[list[Record], str]:
    """The records of the chosen runs of all stores, and a title. Raises `UserError` where there is nothing to show."""
    from bench.opening import open_store
    from bench.runs import records as records_of

    found: list[Record] = []
    names: list[str] = []
    for where in stores:
        with open_store(where) as store:
            measured = store.measured()
            runs = [r for r in store.runs() if r.run in measured]
            chosen = runs if run == "all" else runs[-1:] if run == "latest" else [r for r in runs if r.run == run]
            if not chosen and runs:
                raise UserError(f"{where} has no run '{run}'.", f"It has: {', '.join(r.run for r in runs)}.")
            for each in chosen:
                names.append(each.name)
                found += records_of(store, each)
    if not found:
        raise UserError(f"There is no record in {', '.join(stores)} yet.", "Measure first: pinchpoint sweep.")
    return found, f"pinchpoint: {', '.join(dict.fromkeys(names))}"


def folder_of(where: str) -> Path:
    """The folder beside a store, for what is made from it; the working folder for a URL."""
    if "://" in where:
        return Path()
    path = Path(where)
    return path if path.is_dir() else path.parent
