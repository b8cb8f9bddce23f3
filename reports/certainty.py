"""How far the numbers of a record may be trusted: the signs of doubt, and why an interval is missing."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from bench.record import Metric, Record, Warn
from reports import labels

_OVER_PROCESSES = ("latency_s", "throughput_tokens_per_s", "flops_per_s", "tpot_s")
#: Metrics that are computed from a reading of a meter, and that reading.
_FROM_READING = {
    "energy_J": "avg_power_W",
    "joules_per_token": "avg_power_W",
    "net_energy_J": "net_power_W",
    "net_joules_per_token": "net_power_W",
}
_POWERS = ("avg_power_W", "idle_power_W", "net_power_W", "integrated_power_W")
_PEAK = "A peak is the most of all readings, so it has no interval."
_OF_ITERATIONS = "of iterations, which are not independent of each other: it has no interval."
_GRADE = "Perplexity and shares of the text are those of one trained model on one text: they have no interval."
#: Metrics that have no interval however long is measured, and why.
_NEVER = {
    **dict.fromkeys(("latency_p50_s", "latency_p90_s"), f"A percentile {_OF_ITERATIONS}"),
    "latency_p99_s": f"The slowest 1 % is a percentile {_OF_ITERATIONS}",
    "max_allocated_B": _PEAK,
    "ram_above_start_B": _PEAK,
    "max_ram_B": _PEAK,
    **dict.fromkeys(
        ("perplexity", "same_top_1", "accuracy", "macro_precision", "macro_recall", "macro_f1"),
        _GRADE,
    ),
}


@dataclass(frozen=True)
class Doubt:
    """A reason to distrust some numbers of a record: the `sign` that they then carry, what is doubtful, and by which
    codes of warnings."""

    mark: str
    what: str
    codes: frozenset[str]

    def sign(self, *records: Record) -> str:
        """The mark where one of `records` carries such a warning, else nothing."""
        return self.mark if self.found(records) else ""

    def legend(self, records: Iterable[Record]) -> str:
        """What the mark means, with the warnings of `records` that set it; empty where it was not set."""
        found = self.found(records)
        words = ", ".join(code.replace("_", " ") for code in found)
        return f"{self.mark} A warning speaks against {self.what} ({words})." if found else ""

    def warnings(self, record: Record) -> list[Warn]:
        """Those warnings of the record."""
        return [warning for warning in record.warnings if warning.code in self.codes]

    def found(self, records: Iterable[Record]) -> list[str]:
        """The codes of these warnings that `records` carry, in alphabetical order."""
        return sorted({warning.code for record in records for warning in self.warnings(record)})


_TIME_CODES = {
    "imprecise",
    "noisy_host",
    "foreign_load",
    "throttled",
    "memory_pressure",
    "swapping",
    "page_faults",
    "quota_throttled",
    "oversubscribed",
    "spinning_threads",
    "powersave",
    "no_steady_state",
    "short_warmup",
}
_POWER_CODES = {
    "meter_lost",
    "gpu_lost",
    "no_energy_counter",
    "counter_reset",
    "counter_frozen",
    "few_edges",
    "averaged_power",
    "part_time_sensor",
    "window_too_short",
    "meter_disagreement",
}
_IDLE_CODES = {"idle_unread", "idle_unsettled"}
TIMES = Doubt("†", "the times, and what follows from them", frozenset(_TIME_CODES))
POWER = Doubt("‡", "the power, and what follows from it", frozenset(_POWER_CODES))
#: Net power is what is left of the power, so it inherits the doubts about both.
NET_POWER = Doubt("‡", "the power, or that at rest, and what follows from them", frozenset(_POWER_CODES | _IDLE_CODES))


def may_have_interval(name: str) -> bool:
    """Whether the metric `name` has an interval once there are processes enough; a peak or a percentile never has."""
    return name in (*_OVER_PROCESSES, *_FROM_READING, *_POWERS)


def fewest_processes(confidence: float = 0.95) -> int:
    """How many processes an interval of a median takes: [min, max] covers it with 1 - 2 * 0.5^n, so 6 for 95 %."""
    return math.ceil(math.log2(2 / (1 - confidence)))


def processes(record: Record, name: str = "latency_s") -> int:
    """In how many processes the metric `name` was measured; 0 where the record holds no block of it."""
    reading = _FROM_READING.get(name, name)
    if name in _OVER_PROCESSES:
        return len({block.process for block in record.blocks if block.kind == "timed" and block.samples_ns})
    return len({block.process for block in record.blocks if reading in block.readings})


def supported(record: Record) -> Record:
    """The record without the intervals that rest on too few processes.

    Versions that took them from block to block wrote some: they are too narrow, since blocks of one process are alike.
    """

    def kept(name: str, metric: Metric) -> Metric:
        few = metric.low is not None and 0 < processes(record, name) < fewest_processes()
        return replace(metric, low=None, high=None) if few else metric

    return replace(record, metrics={name: kept(name, metric) for name, metric in record.metrics.items()})


def too_few(number: int) -> str:
    """Why so many processes give no interval: `2 processes: too few for a 95 % interval`."""
    counted = labels.count(number, "process", "processes")
    unequal = " of unequal numbers of blocks" if number >= fewest_processes() else ""
    return f"{counted}{unequal}: too few for a 95 % interval"


def why_no_interval(records: Iterable[Record], names: Iterable[str]) -> list[str]:
    """Why those of the metrics `names` that have a value have no interval in some of `records`: each reason once."""
    records = list(records)
    reasons = [reason for name in names for record in records if (reason := reason_of(record, name))]
    return list(dict.fromkeys(reasons))


def reason_of(record: Record, name: str) -> str:
    """Why the metric `name` of the record has a value and no interval, as a sentence; empty where that is not so."""
    found = record.metrics.get(name)
    if found is None or found.value is None or found.low is not None:
        return ""
    if not may_have_interval(name):
        return _NEVER.get(name, "")
    number = processes(record, name)
    if number == 0:
        return "A value without an interval is as its record has it, which holds no blocks to take one from."
    return f"{too_few(number)}, which takes {fewest_processes()}."


def remarks(records: Sequence[Record], names: Iterable[str], doubts: Iterable[Doubt] = (TIMES,)) -> str:
    """What stands under a table of the metrics `names`: why some have no interval, and what the signs mean."""
    legends = [legend for doubt in doubts if (legend := doubt.legend(records))]
    return " ".join([*why_no_interval(records, names), *legends])
