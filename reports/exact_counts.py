"""Counts that are compared without statistics: the same code on the same point gives the same number."""

from collections.abc import Collection, Mapping
from typing import Literal

from bench.record import Record
from reports.comparison import CODES, Finding, Outcome, Verdict
from reports.study import metric

#: Every exact count with its unit, in the order in which they are shown. `tokens` is the work itself: with more of it
#: nothing else may be compared. `operators` counts what an iteration dispatches; it depends on torch's version.
COUNTS = {
    "tokens": "",
    "parameters": "",
    "flops": "FLOP",
    "bytes_moved": "B",
    "operators": "",
    "stored_weights_B": "B",
    "weights_B": "B",
    "gradients_B": "B",
    "optimizer_B": "B",
    "activations_B": "B",
    "state_B": "B",
    "max_allocated_B": "B",
}
#: What a process counted in the model that it built; that stands above what the shape predicts.
_OF_RECORD = ("parameters", "stored_weights_B")


def counts(record: Record) -> dict[str, float]:
    """Every exact count that the record has, by its name in `COUNTS`."""
    found: dict[str, float] = {name: count for name, count in record.costs.items() if name in COUNTS}
    for name in _OF_RECORD:
        if isinstance(told := record.facts.get(name), int):
            found[name] = told
    if record.observation is not None:
        found["operators"] = round(record.observation.calls, 2)
    if (peak := metric(record, "max_allocated_B")) is not None and peak.value is not None:
        found["max_allocated_B"] = peak.value
    return {name: found[name] for name in COUNTS if name in found}


def compare(
    benchmark: str, base: Mapping[str, float], new: Mapping[str, float], allowed: Collection[str] = ()
) -> list[Finding]:
    """A finding for each count: more of it fails, unless it is among those `allowed` to grow; less and equal pass."""
    return [
        _finding(benchmark, name, base.get(name), new.get(name), name in allowed or "all" in allowed)
        for name in COUNTS
        if name in base or name in new
    ]


def _finding(benchmark: str, name: str, base: float | None, new: float | None, allowed: bool) -> Finding:
    verdict, outcome, code = _judged(name, base, new)
    reason = CODES[code]
    if base is not None and new is not None and base != new:
        reason = f"{reason}: {new:,.15g} against {base:,.15g}" + (
            ", and it cannot be the same work" * (name == "tokens")
        )
    direction: Literal[-1, 0] = 0 if name == "tokens" else -1
    if allowed and outcome == "fail":
        outcome, reason = "ungated", f"{reason}, which is allowed"
    return Finding(
        benchmark, name, COUNTS[name], direction, base, new, new / base if base and new is not None else None,
        None, None, 1.0, 0, None, verdict, outcome, code, reason, exact=True,
    )  # fmt: skip


def _judged(name: str, base: float | None, new: float | None) -> tuple[Verdict, Outcome, str]:
    if base is None or new is None:
        return "not comparable", "ungated", "no_reading"
    if base == new:
        return "same", "pass", "exact_equal"
    code = "exact_more" if new > base else "exact_less"
    if name == "tokens":
        return "not comparable", "inconclusive", code
    return ("slower", "fail", code) if new > base else ("faster", "pass", code)
