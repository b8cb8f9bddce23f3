"""Records as a flat table: one row each, SI units in the names of the columns, for spreadsheets and pandas."""

from typing import TYPE_CHECKING, Any

from bench.memory_parts import UNTRACKED, tracked
from bench.record import Record
from reports import certainty, verdict
from reports.study import values

if TYPE_CHECKING:
    from pandas import DataFrame

_FACTS = ("parameters", "stored_weights_B", "sparsity", "device", "threads", "corpus_sha256")
_HOST = ("fingerprint", "cpu", "cores", "memory_B", "accelerator", "power_limit_W", "torch", "python", "git_commit")
#: What a spreadsheet takes for the beginning of a formula (OWASP, CSV Injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def frame(records: list[Record]) -> "DataFrame":
    """One row a record, in the order given: identity, axes, then metrics with `_low`, `_high` and `_n`, then the rest.

    A metric without a value is missing (NaN), with its reason in `NAME_reason`, where it also stands why a value has no
    interval. `doubtful_times` and `doubtful_energy` hold the codes of the warnings that speak against these figures.
    `wall` is what the point waits for, `wall_share` of its time, `proof` whether interventions confirm it.
    Counts of the shape are named `predicted_NAME`, what a tracker of memory saw `tracked_PART_B` and, of a part by
    itself, `tracked_most_PART_B` (or `untracked`: why not), facts of the model `model_NAME`, those of the machine
    `host_NAME`.
    """
    from pandas import DataFrame

    return DataFrame([_row(record) for record in records])


def _row(given: Record) -> dict[str, Any]:
    record = certainty.supported(given)
    row: dict[str, Any] = {"run": record.run, "point": record.point, "status": record.status, "reason": record.reason}
    row |= record.axes | values(record)
    for name, metric in record.metrics.items():
        row |= {name: metric.value, f"{name}_low": metric.low, f"{name}_high": metric.high, f"{name}_n": metric.n}
        if reason := metric.reason or certainty.reason_of(record, name):
            row[f"{name}_reason"] = reason
    row |= {"processes": certainty.processes(record)}
    row |= {"load_s": record.load_s, "warmup_s": record.warmup_s}
    row |= {f"predicted_{name}": count for name, count in record.costs.items()}
    row |= {f"model_{name}": record.facts.get(name) for name in _FACTS}
    seen = tracked(record.facts)
    row |= {UNTRACKED: record.facts.get(UNTRACKED)} if seen is None else seen.facts()
    row |= {f"host_{name}": record.host.get(name) for name in _HOST}
    row |= {"warnings": " ".join(sorted({warning.code for warning in record.warnings}))}
    row |= {"doubtful_times": " ".join(certainty.TIMES.found([record]))}
    row |= {"doubtful_energy": " ".join(certainty.NET_POWER.found([record]))}
    if found := verdict.of(record):
        row |= {"wall": found.wall, "wall_share": found.share, "proof": found.proof}
    return row | {"started_at": record.started_at, "finished_at": record.finished_at}


def render(records: list[Record]) -> str:
    """The frame as CSV (RFC 4180 quoting, UTF-8, line feeds); text that a spreadsheet would run begins with a quote."""
    table = frame(records)
    words = table.select_dtypes(exclude="number").columns
    table[words] = table[words].map(harmless)
    text: str = table.to_csv(index=False, lineterminator="\n")
    return text


def harmless(value: object) -> object:
    """The value; text that a spreadsheet would run gets a quote in front of it."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
