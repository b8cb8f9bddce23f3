"""Made-up sides of a comparison for tests: records whose processes took given times. Nothing here was measured."""

from collections.abc import Sequence
from dataclasses import replace

from bench.gate import Limit
from bench.record import Block, Metric, Record, Value
from bench.summary import metrics
from reports.compare import Rules, compare
from reports.comparison import Comparison, Finding
from tests import factories

FIVE = Limit(0.05)


def record(
    times_s: Sequence[float], run: str = "a", host: dict[str, Value | None] | None = None, **axes: Value
) -> Record:
    """A record of one run in which each process took one of `times_s`, in two blocks."""
    plain = factories.record(**axes)
    blocks = [
        Block("timed", process, 2 * process + half, float(process), [round(time * 1e9)] * 3, group=f"{run}{process}")
        for process, time in enumerate(times_s)
        for half in range(2)
    ]
    found = metrics(blocks, plain.costs["tokens"], plain.costs["flops"], {}, {}, None)
    day = sum(map(ord, run)) % 28 + 1
    return replace(
        plain,
        run=run,
        blocks=blocks,
        metrics=plain.metrics | found,
        host=factories.HOST | (host or {}),
        started_at=f"2026-01-{day:02}T00:00:00+00:00",
    )


def with_metric(given: Record, name: str, value: float | None, unit: str = "J/token") -> Record:
    """The record with another value of a metric."""
    made = Metric(value, unit, -1, name, reason=None if value is not None else "no meter")
    return replace(given, metrics=given.metrics | {name: made})


def compared(base: Sequence[Record], new: Sequence[Record], past: Sequence[Record] = (), **rules: object) -> Comparison:
    """Both sides under a limit of 5 % on latency, on a machine whose runs differ by 0.1 %, unless told otherwise."""
    told = {"limits": {"latency_s": FIVE}, "run_spread": 0.001, "identity": ("cpu", "torch", "power_limit_W")} | rules
    return compare(base, new, Rules(**told), ("old", "new"), past)  # type: ignore[arg-type]


def finding(comparison: Comparison, metric: str = "latency_s") -> Finding:
    """The only finding about a metric."""
    (found,) = [each for each in comparison.findings if each.metric == metric]
    return found
