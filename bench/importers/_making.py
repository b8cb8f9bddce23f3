"""From what a file tells to a record: what the formats of language models' benchmarks share."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from bench import points, summary
from bench.axes import BY_NAME, DEFAULTS, FOREIGN
from bench.errors import UserError
from bench.importers import _fields
from bench.importers._fields import Fields
from bench.record import SCHEMA, Block, Metric, Record, Value, Warn

#: Samples are kept in whole nanoseconds. Below so many, rounding would change a time by more than 0.5 %.
LEAST_NS = 100
#: What tells one machine from another; versions of the engine are not among it, since those are what is compared.
_IDENTITY = ("cpu", "cores", "memory_B", "accelerator", "accelerators", "os", "python")
_UNKNOWN_MACHINE = Warn(
    "unknown_machine",
    "The file does not name the machine that it was measured on.",
    "Compare it with another file only where you know that both are of one machine: --anyway.",
)
_UNDATED = "the file tells no time of measurement: this is when it was last changed"


@dataclass(frozen=True)
class Run:
    """A file as a run: its id, the time it stands for, and facts that all of its records share."""

    run: str
    moment: str
    facts: Mapping[str, Value]


@dataclass(frozen=True)
class Measured:
    """One measurement of a file. `axes` are those of ours that the tool's terms are; the rest has its default."""

    name: str
    axes: Mapping[str, Value]
    facts: Mapping[str, Value]
    metrics: Mapping[str, Metric]
    host: Mapping[str, Value | None]
    blocks: Sequence[Block] = ()
    warnings: Sequence[Warn] = ()
    load_s: float | None = None
    moment: str | None = None
    where: Fields | None = field(default=None, compare=False)


def run(path: Path, content: bytes, origin: str, moment: str | None) -> Run:
    """The run of a file that `origin`, a tool and its version, wrote; without a `moment`, of the file's last change.

    The id of an undated one follows from its content alone, so that a copy of it is not imported again.
    """
    facts: dict[str, Value] = {"imported_from": origin}
    if moment is not None:
        return Run(_fields.run_id(moment, content), moment, facts)
    changed = datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="seconds")
    return Run(_fields.run_id("undated", content), changed, facts | {"started_at_is": _UNDATED})


def records(run: Run, measured: Iterable[Measured]) -> list[Record]:
    """The records of a run. Raises `UserError` where two measurements of the file are of the same point."""
    found: dict[str, Record] = {}
    for each in measured:
        record = _record(run, each)
        if record.point in found:
            where = each.where or Fields({}, Path(run.run))
            raise where.refuse("", f"measures {each.name!r} again, as an earlier entry does")
        found[record.point] = record
    return list(found.values())


def _record(run: Run, told: Measured) -> Record:
    axes: dict[str, Value] = {"benchmark": told.name, **FOREIGN, **told.axes}
    given = tuple(sorted((name, value) for name, value in axes.items() if value != DEFAULTS[name]))
    moment = told.moment or run.moment
    known = any(told.host.get(name) for name in ("cpu", "accelerator"))
    identity = {name: told.host.get(name) for name in _IDENTITY} if known else {"unknown": run.run}
    return Record(
        schema=SCHEMA,
        run=run.run,
        point=points.Point(given).id,
        axes=axes,
        status="ok",
        reason=None,
        started_at=moment,
        finished_at=moment,
        metrics=dict(told.metrics),
        costs={},
        facts={**run.facts, **told.facts},
        host={**told.host, "fingerprint": _fields.fingerprint(identity)},
        warnings=[*told.warnings, *([] if known else [_UNKNOWN_MACHINE])],
        unavailable={},
        blocks=list(told.blocks),
        load_s=told.load_s,
    )


def block(samples_s: Sequence[float]) -> tuple[list[Block], dict[str, Value]]:
    """All samples as one block of one process, or the fact that says why not."""
    samples = [round(each * 1e9) for each in samples_s]
    if not samples:
        return [], {"no_samples": "the file holds no single times"}
    if min(samples) < LEAST_NS:
        return [], {"no_samples": f"times of less than {LEAST_NS} ns cannot be kept in whole nanoseconds"}
    return [Block("timed", 0, 0, 0.0, samples)], {}


def times(blocks: Sequence[Block], mean_s: float, tokens: int, steps: int | None, what: str) -> dict[str, Metric]:
    """Latency and throughput of iterations of `tokens` tokens each (0: of none), from samples, else from their mean.

    `steps` are the sequential decode steps of an iteration, None where it has none; `what` is one iteration in words.
    """
    if mean_s <= 0:
        reason = "the file tells a time of 0 s"
        found = {"latency_s": Metric(None, "s", -1, f"time of {what}", reason=reason)}
    elif blocks:
        told = summary.metrics(blocks, tokens, None, {}, {}, steps)
        found = {
            name: each for name, each in told.items() if name.partition("_")[0] in ("latency", "throughput", "tpot")
        }
    else:
        found = {
            "latency_s": Metric(mean_s, "s", -1, f"mean time of {what}"),
            "throughput_tokens_per_s": Metric(tokens / mean_s, "tokens/s", 1, "throughput"),
        }
        if steps:
            found["tpot_s"] = Metric(mean_s / steps, "s", -1, "mean time per output token")
    if not tokens:
        found.pop("throughput_tokens_per_s", None)
    return found


def spread(
    stem: str, label: str, mean: float | None, deviation: float | None, quantiles: Mapping[str, float], n: int = 0
) -> dict[str, Metric]:
    """A time over requests, all in s: `{stem}_s` is its median (its mean where no median is told), percentiles beside.

    `quantiles` are by the percentile as the file writes it, such as `50` and `99.9`.
    """
    found: dict[str, Metric] = {}
    middle = quantiles.get("50")
    if middle is not None:
        found[f"{stem}_s"] = Metric(middle, "s", -1, f"{label}, median", n=n)
    elif mean is not None:
        found[f"{stem}_s"] = Metric(mean, "s", -1, f"{label}, mean", n=n)
    for share, value in quantiles.items():
        found[f"{stem}_p{share}_s"] = Metric(value, "s", -1, f"{label}, {share}th percentile", n=n)
    if mean is not None:
        found[f"{stem}_mean_s"] = Metric(mean, "s", -1, f"{label}, mean", n=n)
    if deviation is not None:
        found[f"{stem}_std_s"] = Metric(deviation, "s", -1, f"{label}, standard deviation", n=n)
    return found


def served(concurrency: int | None, prompt: float | None, output: float | None) -> dict[str, Value]:
    """Requests to a server on our axes: how many ran together (at most), and the mean lengths of the texts.

    A mean that is no whole number is of texts of several lengths, differs from run to run, and is left out, as is what
    is not told or lies beyond the axis.
    """
    told = {"batch_size": concurrency, "sequence_length": prompt, "generated_length": output}
    whole = {name: int(value) for name, value in told.items() if value is not None and value == int(value)}
    return {name: value for name, value in whole.items() if _allowed(name, value)}


def _allowed(name: str, value: int) -> bool:
    try:
        BY_NAME[name].parse(value)
    except UserError:
        return False
    return True


def rate(value: float, unit: str, label: str) -> Metric:
    """A rate, of which more is better."""
    return Metric(value, unit, 1, label)


def varied(rows: Sequence[Mapping[str, Value]]) -> list[str]:
    """What the settings that differ between `rows` say of each, in words; empty texts where none differ."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    differ = [name for name in names if len({row.get(name) for row in rows}) > 1]
    return [", ".join(f"{name} {row[name]}" for name in differ if name in row) for row in rows]
