"""The JSON of pytest-benchmark: `--benchmark-json FILE`, or a file of its storage.

With `--benchmark-save-data` (and always with `--benchmark-json`) it holds the time of each round, which become samples;
the mean over a round's iterations is all that it has of them. A file is of one process, so no time has an interval.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path

from bench import points, summary
from bench.axes import FOREIGN
from bench.errors import UserError
from bench.importers import _fields
from bench.importers._fields import Fields
from bench.intervals import quantile
from bench.record import SCHEMA, Block, Metric, Record, Value

NAME = "pytest-benchmark"
DESCRIPTION = "its JSON, from --benchmark-json or --benchmark-save"

#: The fields below are in all of them; the JSON of another one may mean something else.
_MAJORS = ("3", "4", "5")
#: Samples are kept in whole nanoseconds. Below so many, rounding would change a time by more than 0.5 %.
_LEAST_NS = 100
_STATS = ("min", "max", "mean", "stddev")


def recognises(raw: bytes) -> bool:
    """Whether it names what every such file holds."""
    return b'"machine_info"' in raw and b'"benchmarks"' in raw


def records(path: Path) -> list[Record]:
    """One record a benchmark. Raises `UserError` that names the benchmark and the field that is wrong."""
    whole, content = _fields.json_object(path)
    version = whole.text("version")
    if re.split(r"\D", version)[0] not in _MAJORS:
        raise UserError(
            f"{path} was written by pytest-benchmark {version[:40]}; this pinchpoint reads its versions 3 to 5.",
            "Write it with a version that is known, or upgrade: pip install --upgrade pinchpoint.",
        )
    moment = whole.moment("datetime")
    host = _host(whole.within("machine_info"))
    commit = whole.raw.get("commit_info")
    host["git_commit"] = _commit(commit if isinstance(commit, dict) else {})
    facts: dict[str, Value] = {"imported_from": f"{NAME} {version}", **_of_commit(commit)}
    run = _fields.run_id(moment, content)
    found: dict[str, Record] = {}
    for benchmark in whole.all_of("benchmarks"):
        name = benchmark.text("fullname")
        if name in found:
            raise benchmark.refuse("fullname", f"is {name!r}, as that of an earlier benchmark")
        found[name] = _record(benchmark, name, run, moment, host, facts)
    return list(found.values())


def _record(
    benchmark: Fields,
    name: str,
    run: str,
    moment: str,
    host: Mapping[str, Value | None],
    facts: Mapping[str, Value],
) -> Record:
    stats = benchmark.within("stats")
    seconds = _data(stats)
    axes: dict[str, Value] = {"benchmark": name, **FOREIGN}
    told: dict[str, Value] = {"rounds": stats.count("rounds"), "iterations": stats.count("iterations")}
    told |= {f"{each}_s": stats.amount(each) for each in _STATS}
    extra = benchmark.raw.get("extra_info")
    blocks, why = _blocks(seconds, extra.get("processes") if isinstance(extra, dict) else None)
    return Record(
        schema=SCHEMA,
        run=run,
        point=points.Point(tuple(sorted(axes.items()))).id,
        axes=axes,
        status="ok",
        reason=None,
        started_at=moment,
        finished_at=moment,
        metrics=_metrics(stats.amount("median"), seconds, int(told["rounds"]), blocks),
        costs={},
        facts={**facts, **told, **_fields.scalars(extra, "extra_"), **why},
        host=dict(host),
        warnings=[],
        unavailable={},
        blocks=blocks,
    )


def _data(stats: Fields) -> list[float]:
    """The time of an iteration in each round, in s; empty where the file holds none."""
    raw = stats.raw.get("data") or []
    if not isinstance(raw, list):
        raise stats.refuse("data", "is no list")
    if raw and len(raw) != stats.count("rounds"):
        raise stats.refuse("data", f"holds {len(raw)} times for {stats.count('rounds')} rounds")
    return [stats.checked(f"data[{place}]", each) for place, each in enumerate(raw)]


def _metrics(middle: float, seconds: Sequence[float], rounds: int, blocks: Sequence[Block]) -> dict[str, Metric]:
    """Times as summaries of ours name them; no time is 0, so one of 0 is a clock that stood still."""
    if middle <= 0:
        reason = "the clock of pytest-benchmark showed 0 s"
        return {"latency_s": Metric(None, "s", -1, "time of one iteration", reason=reason)}
    if len(blocks) > 1:
        return {
            name: each for name, each in summary.metrics(blocks, 0, None, {}, {}, None).items() if "latency" in name
        }
    found = {"latency_s": Metric(middle, "s", -1, "time of one iteration", n=rounds)}
    for share in (50, 90, 99) if seconds else ():
        label = f"time of one iteration, {share}th percentile"
        found[f"latency_p{share}_s"] = Metric(quantile(seconds, share / 100), "s", -1, label, n=rounds)
    return found


def _blocks(seconds: Sequence[float], processes: object) -> tuple[list[Block], dict[str, Value]]:
    """All rounds as one block of one process, or the fact that says why not.

    An export of ours tells by `processes`, pairs of a process and a count, which of them were measured together.
    """
    if not seconds:
        return [], {"no_samples": "the file holds no times of rounds: save it with --benchmark-save-data"}
    samples = [round(each * 1e9) for each in seconds]
    if min(samples) < _LEAST_NS:
        return [], {"no_samples": f"iterations of less than {_LEAST_NS} ns cannot be kept in whole nanoseconds"}
    parts = _parts(processes, len(samples)) or [(0, len(samples))]
    ends = list(accumulate(count for _, count in parts))
    return [
        Block("timed", process, place, 0.0, samples[end - count : end])
        for place, ((process, count), end) in enumerate(zip(parts, ends, strict=True))
    ], {}


def _parts(processes: object, samples: int) -> list[tuple[int, int]]:
    """The pairs of a process and its number of samples; none where that is not what it is, or adds up to another."""
    found = [tuple(each) for each in processes if isinstance(each, list)] if isinstance(processes, list) else []
    whole = all(len(each) == 2 and all(type(part) is int and part >= 0 for part in each) for each in found)
    if not whole or any(count == 0 for _, count in found) or sum(count for _, count in found) != samples:
        return []
    return found


def _host(machine: Fields) -> dict[str, Value | None]:
    """What the file says of the machine, as facts of a host; what it does not say is None."""
    cpu = machine.raw.get("cpu")
    processor = Fields(cpu if isinstance(cpu, dict) else {}, machine.path)
    cores = processor.raw.get("count")
    told = [machine.optional_text(name) for name in ("system", "machine")]
    facts: dict[str, Value | None] = {
        "cpu": processor.optional_text("brand_raw", "brand") or machine.optional_text("processor", "machine"),
        "cores": cores if isinstance(cores, int) and not isinstance(cores, bool) else None,
        "os": " ".join(word for word in told if word) or None,
        "python": machine.optional_text("python_version"),
        "kernel": machine.optional_text("release"),
        "host_name": machine.optional_text("node"),
    }
    ours = machine.raw.get("pinchpoint")
    more = _fields.scalars(ours, "")
    identity = {name: facts[name] for name in ("cpu", "cores", "os", "python")}
    identity["implementation"] = machine.optional_text("python_implementation")
    return (
        facts
        | {name: more.get(name) for name in _HARDWARE}
        | {"fingerprint": str(more.get("fingerprint") or _fields.fingerprint(identity))}
    )


#: What an export of ours says of the machine beyond pytest-benchmark's own fields.
_HARDWARE = ("memory_B", "accelerator", "power_limit_W", "torch")


def _commit(commit: Mapping[str, object]) -> str | None:
    """The commit that was measured, `-dirty` where the checkout was changed; None where git was not asked."""
    name = commit.get("id")
    if not isinstance(name, str) or name in ("", "unknown", "unversioned"):
        return None
    return f"{name[:12]}-dirty" if commit.get("dirty") is True else name[:12]


def _of_commit(commit: object) -> dict[str, Value]:
    names = ("branch", "project", "time")
    return {name: value for name, value in _fields.scalars(commit, "commit_").items() if name[7:] in names}
