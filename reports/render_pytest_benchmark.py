"""Records as the JSON of pytest-benchmark, so that its `compare` and its histogram work on a store.

A round is one timed iteration, and all samples of all blocks are there; what pytest-benchmark has no place for is in
`extra_info`.
"""

from collections.abc import Sequence
from typing import Any

from bench import benchmark_json
from bench.errors import UserError
from bench.record import Metric, Record, Value
from reports import labels, study, verdict

#: Readings that pytest-benchmark has no place for.
_READINGS = (
    "throughput_tokens_per_s", "max_ram_B", "ram_above_start_B", "max_allocated_B", "max_reserved_B", "avg_power_W",
    "energy_J", "joules_per_token", "perplexity",
)  # fmt: skip


def render(records: Sequence[Record], *, with_names: bool = False) -> str:
    """The records that hold samples, as one file; the machine's name is left out unless `with_names`.

    Raises `UserError` where there is none, and where they are of several machines or hold a point twice, since a file
    is of one run on one machine.
    """
    kept = [record for record in records if record.status == "ok" and samples_s(record)]
    if not kept:
        raise UserError("No record holds samples, which pytest-benchmark needs.", "Measure first: pinchpoint sweep.")
    one = "Choose one run: --run RUN."
    if len({record.host.get("fingerprint") for record in kept}) > 1:
        raise UserError("These records are of several machines; a file of pytest-benchmark is of one.", one)
    entries = [_entry(record) for record in kept]
    names = [entry.fullname for entry in entries]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UserError(f"{twice} was measured more than once; pytest-benchmark has each name once.", one)
    host = kept[0].host
    return benchmark_json.document(
        entries,
        benchmark_json.machine(host, with_name=with_names),
        benchmark_json.commit(host.get("git_commit")),
        max(record.finished_at for record in kept),
    )


def samples_s(record: Record) -> list[float]:
    """The time of each timed iteration, in s, in the order of the blocks."""
    return [sample / 1e9 for block in record.blocks if block.kind == "timed" for sample in block.samples_ns]


def _entry(record: Record) -> benchmark_json.Entry:
    given = dict(study.point(record).given)
    seconds, info = samples_s(record), extra_info(record)
    if benchmark := given.get("benchmark"):
        name = str(benchmark)
        return benchmark_json.Entry(name.rpartition("::")[2], name, None, seconds, 1, extra_info=info)
    workload = str(study.values(record)["workload"])
    params = {name: value for name, value in given.items() if name != "workload"}
    param = "-".join(f"{name}={labels.value(value)}" for name, value in params.items())
    name = f"{workload}[{param}]" if param else workload
    return benchmark_json.Entry(name, f"pinchpoint::{name}", workload, seconds, 1, params or None, param or None, info)


def extra_info(record: Record) -> dict[str, Any]:
    """What the point is, its exact costs, what it stores, what the probes read, and what it waits for.

    A reading that could not be had stands as its reason; `processes` counts the samples of each block, since those of
    one process are alike.
    """
    timed = [block for block in record.blocks if block.kind == "timed" and block.samples_ns]
    return {
        "axes": dict(study.point(record).given),
        "costs": record.costs,
        "facts": record.facts,
        "read": {name: _value(record.metrics[name]) for name in _READINGS if name in record.metrics},
        "wall": _wall(record),
        "processes": [[block.process, len(block.samples_ns)] for block in timed],
    }


def _value(metric: Metric) -> Value | None:
    return metric.reason if metric.value is None else metric.value


def _wall(record: Record) -> dict[str, object] | str:
    """The wall, its share of the time, and whether interventions confirm it; else why it is not known."""
    found = verdict.of(record)
    if found is None:
        return verdict.unknown(record) or "It is not known."
    return {
        "wall": found.wall,
        "share": found.share,
        "shares": dict(found.shares),
        "proof": found.proof,
        "proof_words": found.proof_words,
        "would_help": list(found.remedies),
    }
