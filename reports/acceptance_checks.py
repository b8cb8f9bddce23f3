"""Whether returned records are fit to be judged at all: as asked for, from one machine, undisturbed. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from bench.record import Record, Value
from reports import certainty, labels, study

Outcome = Literal["ok", "note", "fault"]

#: Others than the machine on offer slowed it: a figure that misses its limit may do so through them.
_BY_OTHERS = frozenset({"noisy_host", "foreign_load", "foreign_gpu_process", "memory_pressure", "swapping"})
#: Of a GPU; they speak against times as those of `certainty.TIMES` do.
_OF_GPU = frozenset({"gpu_throttled", "foreign_gpu_process"})
#: What makes a metric one of energy or power.
_OF_METER = ("joules", "energy_J", "power_W")
_MOST_NAMED = 4


@dataclass(frozen=True)
class Check:
    """One condition: `ok`, a `note` that a reader must know, or a `fault` with which nothing is accepted."""

    name: str
    outcome: Outcome
    sentence: str


def checks(
    asked: Collection[str],
    version: str | None,
    wanted: Mapping[str, Value],
    records: Sequence[Record],
    settings: Mapping[str, Value] | None,
) -> tuple[Check, ...]:
    """Every check of the records of one run against the ids of the points `asked`, the pinchpoint `version` and the
    settings that were `wanted`; `settings` are those it ran with, None where they are not known."""
    return (
        _points(asked, records),
        _settings(wanted, settings),
        _processes(asked, records),
        _machine(records),
        _version(version, records),
        _origin(records),
        _warnings(records),
    )


def unread(record: Record, metric: str) -> str:
    """The warnings that the meter of an energy or power was not read well, in words; empty where there are none."""
    return _words([record], certainty.NET_POWER.codes) if _metered(metric) else ""


def disturbed(record: Record, metric: str) -> str:
    """The warnings that something else than the machine on offer slowed it, in words; empty where there are none."""
    slowed = certainty.may_have_interval(metric) or metric.startswith("latency")
    return _words([record], _BY_OTHERS) if slowed else ""


def _metered(metric: str) -> bool:
    return any(part in metric for part in _OF_METER)


def _points(asked: Collection[str], records: Sequence[Record]) -> Check:
    run = {study.point(record).id for record in records}
    more, gone = len(run.difference(asked)), len(set(asked) - run)
    if more:
        told = f"{labels.count(more, 'point')} that the pack does not ask for"
        return Check("points", "fault", f"{told}: another spec than its own was run.")
    if gone:
        return Check("points", "fault", f"{gone} of {len(asked)} points were not run.")
    return Check("points", "ok", f"All {labels.count(len(asked), 'point')} of the pack were run, and no others.")


def _settings(wanted: Mapping[str, Value], settings: Mapping[str, Value] | None) -> Check:
    if settings is None:
        return Check("settings", "note", "An export does not hold the settings of its sweep, so they were not checked.")
    differ = [
        f"{name} {labels.value(settings[name])} for {labels.value(value)}"
        for name, value in wanted.items()
        if name in settings and settings[name] != value
    ]
    if differ:
        return Check("settings", "fault", f"It ran with other settings: {', '.join(differ)}.")
    return Check("settings", "ok", "It ran with the settings of the pack.")


def _processes(asked: Collection[str], records: Sequence[Record]) -> Check:
    fewest = certainty.fewest_processes()
    measured = [record for record in records if record.status == "ok" and study.point(record).id in asked]
    few = [record for record in measured if certainty.processes(record) < fewest]
    if few:
        told = f"{len(few)} of {labels.count(len(measured), 'point')} ran in fewer than {fewest} processes"
        return Check("processes", "note", f"{told}, too few for a 95 % interval.")
    return Check("processes", "ok", f"Every measured point ran in {fewest} processes or more.")


def _machine(records: Sequence[Record]) -> Check:
    number = len({str(record.host.get("fingerprint")) for record in records})
    if number > 1:
        return Check("machine", "fault", f"The records are of {number} machines or set-ups, not of one.")
    return Check("machine", "ok", "All records are of one machine in one set-up.")


def _version(version: str | None, records: Sequence[Record]) -> Check:
    found = list(dict.fromkeys(record.host.get("pinchpoint") for record in records))
    told = labels.listed([labels.plain(each) for each in found if each is not None])
    if version is None or None in found:
        return Check(
            "version", "note", f"The pinchpoint it ran with is not known; the pack asks for {version or 'any'}."
        )
    if found != [version]:
        return Check("version", "fault", f"It ran with pinchpoint {told}; the pack asks for {version}.")
    return Check("version", "ok", f"It ran with pinchpoint {version}.")


def _origin(records: Sequence[Record]) -> Check:
    foreign = [tool for record in records if (tool := study.imported_from(record))]
    if foreign:
        tools = labels.listed(list(dict.fromkeys(foreign)))
        return Check(
            "origin", "fault", f"{labels.count(len(foreign), 'record')} measured by {tools}, not by pinchpoint."
        )
    empty = [r for r in records if r.status == "ok" and not any(block.samples_ns for block in r.blocks)]
    if empty:
        return Check(
            "origin", "fault", f"{labels.count(len(empty), 'record')} without samples: nothing can be checked."
        )
    return Check("origin", "ok", "Every figure comes with its samples.")


def _warnings(records: Sequence[Record]) -> Check:
    codes = certainty.TIMES.codes | certainty.NET_POWER.codes | _OF_GPU
    speaking = [record for record in records if any(warning.code in codes for warning in record.warnings)]
    if speaking:
        said = f"Warnings speak against figures of {len(speaking)} of {labels.count(len(records), 'point')}"
        return Check("warnings", "note", f"{said}: {_words(speaking, codes)}.")
    return Check("warnings", "ok", "No warning speaks against a figure.")


def _words(records: Sequence[Record], codes: Collection[str]) -> str:
    found = sorted({warning.code for record in records for warning in record.warnings if warning.code in codes})
    more = f" and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
    return ", ".join(code.replace("_", " ") for code in found[:_MOST_NAMED]) + more
