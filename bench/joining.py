"""A sweep together with what was tried of its points: proofs and advice come from runs of their own. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from bench.record import Record

#: Names of runs that try single points or compare two sides: their points are not measured as those of a sweep are.
BESIDE = ("diagnose", "advise", "ab")


def joined(runs: Sequence[Sequence[Record]]) -> list[Record]:
    """The newest run that is no diagnosis and no advice, with the newest experiments and advice on its points.

    `runs` are the oldest first. Points that were only diagnosed or advised on follow. What comes from another machine
    than the newest run, or from another state of it, is left out.
    """
    runs = [run for run in runs if run]
    if not runs:
        return []
    measured = next((run for run in reversed(runs) if not any(map(_asked, run))), ())
    newest = measured or runs[-1]
    tried: dict[str, Record] = {}
    for record in (record for run in runs for record in run if _asked(record)):
        if _host(record) == _host(newest[0]):
            tried[record.point] = _with(record, tried.get(record.point, record))
    found = {record.point: record for record in measured}
    for point, record in tried.items():
        found[point] = _with(found[point], record) if point in found else record
    return list(found.values())


def _with(record: Record, other: Record) -> Record:
    """The record with the other's experiments and advice, where it has none of its own."""
    return replace(
        record,
        experiments=record.experiments if _tried(record) else other.experiments,
        advice=record.advice or other.advice,
    )


def _asked(record: Record) -> bool:
    """Whether it is a record of `diagnose` or `advise`."""
    return bool(record.advice) or bool(record.experiments)


def _tried(record: Record) -> bool:
    return any(not each.null for each in record.experiments)


def _host(record: Record) -> object:
    return record.host.get("fingerprint")
