"""Trends for other programs: CSV with a row a run, JSON, and the CSV that apache-otava reads.

otava's importer (0.8, `otava.importer.CsvImporter`) takes the columns `time` and `branch` by name, any others as
attributes or metrics by its configuration, and needs a number for every metric in every row.
"""

import csv
import dataclasses
import io
import json
from collections.abc import Iterable, Sequence

from bench.errors import UserError
from reports import labels
from reports.history import Reading, Trend
from reports.render_csv import harmless


def to_csv(trends: Sequence[Trend]) -> str:
    """A row for each reading, in SI units; the row that begins a new level has `change`, new / old, with its bounds."""
    heads = ["time", "commit", "branch", "run", "point", "label", "setup", "metric", "unit", "value", "low", "high"]
    rows: list[list[object]] = []
    for trend in trends:
        changes = {trend.measured[change.at]: change for change in trend.changes}
        for reading in trend.readings:
            row = [*_when(reading), trend.point, trend.label, trend.setup, trend.metric, trend.unit]
            found = changes.get(reading)
            told = (found.ratio, found.low, found.high, found.p) if found else (None,) * 4
            rows.append([*row, reading.value, reading.low, reading.high, *told, reading.reason])
    return _written([*heads, "change", "change_low", "change_high", "change_p", "reason"], rows)


def to_otava(trends: Sequence[Trend]) -> str:
    """`time,commit,branch,run` and a column for each metric of one point, for the runs that have them all.

    Of several set-ups, the one of the newest run is taken. Raises `UserError` where there are several points, since a
    file is one test of otava, or no such run.
    """
    points = {trend.point: trend.label for trend in trends}
    if len(points) > 1:
        some = "; ".join(f"{point[:6]} ({label})" for point, label in list(points.items())[:4])
        raise UserError(
            f"A file for otava holds one point, and here are {len(points)}.", f"Choose one with --point: {some}."
        )
    newest = max(trends, key=lambda trend: trend.measured[-1].started_at)
    chosen = [trend for trend in trends if trend.setup == newest.setup]
    values = [{reading.run: reading.value for reading in trend.measured} for trend in chosen]
    complete = [reading for reading in chosen[0].measured if all(reading.run in found for found in values)]
    if not complete:
        raise UserError("No run has a value of every metric.", "Ask for one --metric at a time.")
    rows = [[*_when(reading), *(found[reading.run] for found in values)] for reading in complete]
    return _written(["time", "commit", "branch", "run", *(trend.metric for trend in chosen)], rows)


def _when(reading: Reading) -> list[object]:
    return [reading.started_at, reading.commit, reading.branch, reading.run]


def to_json(trends: Iterable[Trend]) -> str:
    """A list of trends with their readings, changes and drift; ratios are after / before."""
    content = [dataclasses.asdict(trend) | {"host": _host(trend)} for trend in trends]
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _host(trend: Trend) -> dict[str, object]:
    return {name: trend.host.get(name) for name in ("fingerprint", "cpu", "cores", "accelerator", "torch", "python")}


def _written(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(heads)
    for row in rows:
        writer.writerow([labels.plain(harmless(cell)) if isinstance(cell, str) else cell for cell in row])
    return buffer.getvalue()
