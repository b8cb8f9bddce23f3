"""`pinchpoint history`: the trend of each point over the runs of stores, its changes and its drift."""

from collections.abc import Sequence

import click

from bench import limits
from bench.commands import _read
from bench.errors import UserError
from bench.kinds import nearest
from bench.record import Record

_EPILOG = """
\b
Examples:
  pinchpoint history                                   the store of `sweep`
  pinchpoint history --point workload=decode,batch_size=8
  pinchpoint history nightly/ --metric max_ram --last 30
  pinchpoint history --point 3f2a9c -o otava > decode.csv

Runs of one machine, with the same power limit, versions and text, form a
series. It takes nine runs to tell a change, so a history never fails a build:
`compare` and `ab` do that.
"""
#: Runs of each store that are read: a point need not be in each of them.
_MOST_RUNS = 1000


@click.command(epilog=_EPILOG)
@click.argument("stores", metavar="[STORE]...", nargs=-1)
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    default=("latency",),
    show_default=True,
    metavar="NAME",
    help="may be given several times",
)
@click.option(
    "--point",
    "chosen",
    multiple=True,
    metavar="ID|AXIS=VALUE,...",
    help="these points alone; the start of an id will do",
)
@click.option("--branch", default=None, help="runs of this git branch alone")
@click.option("--last", type=click.IntRange(1, 300), default=50, show_default=True, help="so many of the newest runs")
@click.option(
    "-o",
    "--output",
    type=click.Choice(("table", "json", "csv", "otava")),
    default="table",
    show_default=True,
    help="otava: CSV of one point for apache-otava",
)
def command(
    stores: tuple[str, ...], metrics: tuple[str, ...], chosen: tuple[str, ...], branch: str | None, last: int,
    output: str,
) -> int:  # fmt: skip
    """Show how each point of STOREs (default: pinchpoint-results) did from run to run, where it changed, and drift."""
    from rich.console import Console

    from reports import history, history_data, render_history

    records = _of_branch(_read.past(stores or ("pinchpoint-results",), _MOST_RUNS), branch)
    records = _of_points(records, chosen)
    names = [_metric(name, records) for name in metrics]
    trends = history.trends(records, list(dict.fromkeys(names)), last)
    if not trends:
        raise UserError(
            f"No run has a value of {', '.join(names)}: {_reason(records, names)}", "Choose another metric."
        )
    if output == "table":
        render_history.print_trends(trends, Console(highlight=False))
    else:
        formats = {"json": history_data.to_json, "csv": history_data.to_csv, "otava": history_data.to_otava}
        click.echo(formats[output](trends), nl=False)
    return 0


def _of_branch(records: Sequence[Record], branch: str | None) -> list[Record]:
    if not records:
        raise UserError("There is no finished run there yet.", "Measure first: pinchpoint sweep.")
    found = [record for record in records if branch in (None, record.host.get("git_branch"))]
    if not found:
        known = sorted({str(record.host.get("git_branch") or "none") for record in records})
        raise UserError(f"No run is of branch '{branch}'.{nearest(str(branch), known)}", f"Known: {', '.join(known)}.")
    return found


def _of_points(records: Sequence[Record], chosen: Sequence[str]) -> list[Record]:
    """The records of the points that any of `chosen` means: by the start of an id, or by values of axes."""
    if not chosen:
        return list(records)
    found: list[Record] = []
    for asked in chosen:
        fitting = _with_axes(records, asked) if "=" in asked else [r for r in records if r.point.startswith(asked)]
        if not fitting:
            raise UserError(
                f"No point is '{asked}'.{nearest(asked, {record.point for record in records})}",
                "Name the start of an id, as the table shows it, or axes: workload=decode,batch_size=8.",
            )
        found += fitting
    return found


def _with_axes(records: Sequence[Record], asked: str) -> list[Record]:
    from bench import axes
    from reports.study import values

    wanted = {}
    for part in asked.split(","):
        name, _, value = part.partition("=")
        axis = axes.find(name.strip().replace("-", "_"))
        wanted[axis.name] = axis.parse(value.strip())
    return [record for record in records if wanted.items() <= values(record).items()]


def _metric(asked: str, records: Sequence[Record]) -> str:
    """The full name of a metric by its short one, or by that of any metric that some record has."""
    known = {name for record in records for name in record.metrics}
    name = limits.METRICS.get(asked, asked)
    if name not in known and name not in limits.METRICS.values():
        raise UserError(
            f"There is no metric '{asked}' in these runs.{nearest(asked, [*limits.METRICS, *known])}",
            f"Short names are {', '.join(limits.METRICS)}; these runs have {', '.join(sorted(known))}.",
        )
    return name


def _reason(records: Sequence[Record], names: Sequence[str]) -> str:
    """Why the newest record that knows lacks the first of the metrics."""
    reasons = [r.metrics[name].reason for r in reversed(records) for name in names if name in r.metrics]
    return next((reason for reason in reasons if reason), "the runs do not hold it.")
