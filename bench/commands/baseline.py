"""`pinchpoint baseline`: give runs names, so that a later run can be compared with them."""

import json
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from bench.store import Baseline, Run, Store

_EPILOG = """
\b
Examples:
  pinchpoint baseline set main                       the newest run
  pinchpoint baseline set v1.2 --run 0123456789ab    the newest of a commit
  pinchpoint baseline list
  pinchpoint compare main latest

A name is a tag, a branch or any other word; setting it again moves it. A
rolling window needs no name: `compare last:5 latest` takes the five runs
before the newest one.
"""
_store = click.argument("store", default="pinchpoint-results")
_as_json = click.option("--json", "as_json", is_flag=True, help="print it as JSON")


@click.group(epilog=_EPILOG)
def command() -> None:
    """Name runs of a STORE (default: pinchpoint-results) to compare others with."""


@command.command("set")
@click.argument("name")
@_store
@click.option(
    "--run",
    "asked",
    default="latest",
    show_default=True,
    metavar="RUN",
    help="an id, a commit, a tag, a branch or a name",
)
def set_(name: str, store: str, asked: str) -> int:
    """Give a run the NAME, in place of the run that had it."""
    from bench import assembly, baselines, references
    from bench.opening import open_store
    from bench.store import Baseline

    baselines.check_name(name)
    with open_store(store) as opened:
        before = {baseline.name: baseline.run for baseline in opened.baselines()}.get(name)
        run = references.run_of(opened, asked)
        opened.set_baseline(Baseline(name, run.run, assembly.now()))
    moved = f", before {before}" if before not in (None, run.run) else ""
    click.echo(f"{name} is run {run.run}{_commit(run)}{moved}.")
    return 0


@command.command("show")
@click.argument("name")
@_store
@_as_json
def show(name: str, store: str, as_json: bool) -> int:
    """Show which run has the NAME, and what was measured in it."""
    from bench import baselines
    from bench.opening import open_store

    with open_store(store) as opened:
        found = _facts(opened, baselines.named(opened, name))
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return 0
    for key in ("name", "run", "started_at", "commit", "branch", "sweep", "set_at"):
        click.echo(f"{key.replace('_', ' '):<12}{_plain(found[key])}")
    told = ", ".join(f"{number} {status}" for status, number in found["points"].items()) or "none"
    click.echo(f"{'points':<12}{told}")
    return 0


@command.command("list")
@_store
@_as_json
def list_(store: str, as_json: bool) -> int:
    """List all names with their runs."""
    from bench.opening import open_store

    with open_store(store) as opened:
        found = [_facts(opened, baseline) for baseline in opened.baselines()]
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return 0
    if not found:
        click.echo(f"No run in {store} has a name. Set one: pinchpoint baseline set NAME", err=True)
        return 0
    widest = max(4, *(len(each["name"]) for each in found))
    click.echo(f"{'name':<{widest}}  {'run':<20}  {'commit':<18}  set at")
    for each in found:
        click.echo(f"{each['name']:<{widest}}  {each['run']:<20}  {_plain(each['commit']):<18}  {each['set_at'][:16]}")
    return 0


@command.command("remove")
@click.argument("name")
@_store
def remove(name: str, store: str) -> int:
    """Take the NAME from its run; the run and its records stay."""
    from bench import baselines
    from bench.opening import open_store

    with open_store(store) as opened:
        run = baselines.named(opened, name).run
        opened.remove_baseline(name)
    click.echo(f"{name} is gone; run {run} stays.")
    return 0


def _facts(store: "Store", baseline: "Baseline") -> dict[str, Any]:
    """The baseline and its run as plain values; of a run that is gone, only its id."""
    run = next((each for each in store.runs() if each.run == baseline.run), None)
    statuses = list(store.statuses(baseline.run).values())
    return {
        "name": baseline.name,
        "run": baseline.run,
        "set_at": baseline.set_at,
        "started_at": run.started_at if run else None,
        "sweep": run.name if run else None,
        "commit": run.host.get("git_commit") if run else None,
        "branch": run.host.get("git_branch") if run else None,
        "points": {status: statuses.count(status) for status in sorted(set(statuses))},
    }


def _commit(run: "Run") -> str:
    commit = run.host.get("git_commit")
    return f" (commit {commit})" if commit else ""


def _plain(value: object) -> str:
    """A value on one line, since a store may come from a stranger; an em dash where there is none."""
    from reports import labels

    return "—" if value is None else labels.plain(value)
