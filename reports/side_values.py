"""What a side of a comparison says of one metric: ln of a typical value for each process, or why there is none."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from bench.record import Block, Metric, Record
from reports.study import metric

_ENERGIES = ("energy_J", "joules_per_token")
_TIMES = ("latency_s", "tpot_s", "throughput_tokens_per_s")


@dataclass(frozen=True)
class Values:
    """One metric of one benchmark on one side, over one run or several.

    `processes` holds ln(value) of each process of all runs, `runs` ln(value) of each run; `typical` is the median of
    the runs in `unit`. `code` (`no_reading`, `bad_reading`) and `reason` say why there are none.
    """

    processes: tuple[float, ...] = ()
    runs: tuple[float, ...] = ()
    typical: float | None = None
    code: str = ""
    reason: str = ""


def values(records: Sequence[Record], name: str) -> Values:
    """The metric `name` over `records`, one a run, all of the same point."""
    found = [(record, metric(record, name)) for record in records]
    read = [(record, kept) for record, kept in found if kept is not None and kept.value is not None]
    if not read:
        reasons = [record.metrics[name].reason for record in records if name in record.metrics]
        return Values(code="no_reading", reason=next((said for said in reasons if said), "nothing reads it there"))
    bad = next((kept.value for _, kept in read if kept.value is None or not _positive(kept.value)), None)
    if bad is not None:
        return Values(typical=None, code="bad_reading", reason=f"it reads {bad:g}, which is no positive number")
    runs = tuple(math.log(kept.value) for _, kept in read if kept.value is not None)
    processes = tuple(value for record, kept in read for value in _processes(record, name, kept))
    return Values(processes, runs, math.exp(median(runs)))


def ln_of_runs(records: Iterable[Record], name: str) -> list[float]:
    """ln(value) of the metric for each record that has a usable one."""
    read = (found.value for record in records if record.status == "ok" and (found := metric(record, name)))
    return [math.log(value) for value in read if value is not None and _positive(value)]


def _processes(record: Record, name: str, kept: Metric) -> list[float]:
    """ln(value) of each process; of the whole record where its blocks do not tell them apart.

    Peaks stand as they were read. Everything else is moved so that the middle one is the record's own value: a block
    then has to tell the metric only up to a factor, such as the tokens of an iteration.
    """
    middle = math.log(kept.value or math.nan)
    by_process: dict[int, list[float]] = {}
    for block in record.blocks:
        value = _figure(block, name)
        if value is not None and _positive(value):
            by_process.setdefault(block.process, []).append(value)
    if not by_process:
        return [middle]
    peak = name.startswith("max_")
    logs = [math.log((max if peak else median)(by_process[process])) for process in sorted(by_process)]
    return logs if peak else [log - median(logs) + middle for log in logs]


def _figure(block: Block, name: str) -> float | None:
    """What a block tells of the metric, as `bench.summary` reckons it, up to a factor that all blocks share."""
    total_s = sum(block.samples_ns) / 1e9
    mean_s = total_s / len(block.samples_ns) if total_s > 0 else None
    if name in _ENERGIES:
        power_W = block.readings.get("avg_power_W")
        return None if power_W is None or mean_s is None else power_W * mean_s
    if name in _TIMES and block.kind == "timed" and mean_s is not None:
        return 1 / mean_s if name == "throughput_tokens_per_s" else median(block.samples_ns) / 1e9
    return block.readings.get(name)


def _positive(value: float) -> bool:
    return math.isfinite(value) and value > 0
