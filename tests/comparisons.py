"""Plausible comparisons for tests. Nothing here was measured, and nothing here is ever shown as a measurement."""

import random
from dataclasses import replace
from typing import Any

from reports.comparison import Comparison, Finding, Side

BASE = Side("main", commit="0badcafe0badcafe", run="r1", facts={"torch": "2.12.1", "python": "3.11.2"})
NEW = Side("faster-attention", commit="fedcbafedcba00", run="r2", facts={"torch": "2.13.0", "python": "3.11.2"})
_UNITS = {"latency_s": "s", "max_ram_B": "B", "joules_per_token": "J/token", "throughput_tokens_per_s": "tokens/s"}


def finding(name: str = "test_decode", ratio: float | None = 1.0, **changes: Any) -> Finding:
    """One metric of one benchmark, with an interval of 1 % on both sides and a limit of 5 %."""
    metric = changes.get("metric", "latency_s")
    base = {"latency_s": 0.0021, "max_ram_B": 3.2e8, "throughput_tokens_per_s": 9000.0}.get(metric, 0.4)
    made = Finding(
        benchmark=name, metric="latency_s", unit=_UNITS.get(metric, ""), direction=-1, base=base,
        new=None if ratio is None else base * ratio, ratio=ratio,
        low=ratio and ratio * 0.99, high=ratio and ratio * 1.01,
        confidence=0.9975, samples=16, limit=0.05, verdict="same", outcome="pass", code="below_limit",
        reason="surely within the limit", resolved=0.01,
    )  # fmt: skip
    return replace(made, **changes)


def slower(name: str = "test_prefill", ratio: float = 1.12, **changes: Any) -> Finding:
    told = {"verdict": "slower", "outcome": "fail", "code": "above_margin", "reason": "surely more than +2 %"}
    return finding(name, ratio, **told | changes)


def undecided(name: str = "test_train", **changes: Any) -> Finding:
    told = {"verdict": "inconclusive", "outcome": "inconclusive", "code": "time_cap", "low": 0.97, "high": 1.09}
    reason = "the time was used up before the answer was clear"
    return finding(name, 1.03, **told | {"reason": reason, "resolved": 0.061} | changes)


def gone(name: str = "test_translate", code: str = "only_in_base", **changes: Any) -> Finding:
    told = {"verdict": "missing", "outcome": "fail", "code": code, "reason": "", "low": None, "high": None}
    return finding(name, None, **told | {"samples": 0, "resolved": None} | changes)


def incomparable(name: str = "test_energy", **changes: Any) -> Finding:
    told = {"verdict": "not comparable", "outcome": "ungated", "code": "no_reading", "limit": None, "base": None}
    reason = "joules could not be read: this machine has no meter"
    return finding(name, None, **told | {"reason": reason, "metric": "joules_per_token"} | changes)


def exact(name: str = "test_decode", base: float = 1_048_576.0, new: float = 1_048_576.0, **changes: Any) -> Finding:
    code = "exact_more" if new > base else "exact_less" if new < base else "exact_equal"
    verdict = {"exact_more": "slower", "exact_less": "faster", "exact_equal": "same"}[code]
    told = {"metric": "flops", "unit": "FLOP", "base": base, "new": new, "low": None, "high": None, "reason": ""}
    told |= {"samples": 0, "limit": 0.0, "confidence": 1.0, "exact": True, "code": code, "verdict": verdict}
    return finding(name, new / base, **told | {"outcome": "fail" if new > base else "pass"} | changes)


def comparison(*findings: Finding, **changes: Any) -> Comparison:
    """A comparison measured in turns; by default with one finding of each kind."""
    found = findings or (
        finding(), slower(), undecided(), gone(), gone("test_summary", "new_fails"), incomparable(),
        slower("test_decode", 1.08, metric="max_ram_B", unit="B", limit=0.02),
        slower("test_prefill", 0.9, metric="throughput_tokens_per_s", unit="tokens/s", direction=1),
        finding("test_generate", 0.8, verdict="faster", code="surely_less", reason="surely less than before"),
        exact(), exact("test_prefill", 2_000_000.0, 2_000_128.0), finding("test_decode", 1.002, metric="avg_power_W",
        unit="W", limit=None, outcome="ungated"),
    )  # fmt: skip
    made = Comparison(BASE, NEW, tuple(found), "ab", started_at="2026-01-02T03:04:05+00:00", spent_s=93.4)
    return replace(made, **changes)


def many(number: int = 40, seed: int = 1) -> Comparison:
    """As a large repository has them: long names of tests, in files that begin alike."""
    draws = random.Random(seed)
    files = ("tests/bench/test_attention.py", "tests/bench/test_tokenizer.py", "tests/bench/models/test_end.py")
    found: list[Finding] = []
    for place in range(number):
        name = (
            f"{files[place % 3]}::TestThroughput::test_{'decode' if place % 2 else 'prefill'}_with_cache[batch-{place}]"
        )
        ratio = 1 + draws.gauss(0, 0.006)
        made = finding(name, ratio, low=ratio * (1 - draws.uniform(0.002, 0.02)), high=ratio * 1.012)
        if place in (3, 17):
            made = slower(name, 1.08 + place / 100)
        elif place in (5, 21, 30):
            made = undecided(name)
        elif place in (8, 9):
            made = finding(name, 0.86, verdict="faster", code="surely_less", reason="surely less than before")
        found += [made, finding(name, 1 + draws.gauss(0, 0.002), metric="max_ram_B", unit="B", limit=0.02)]
        found += [exact(name), exact(name, metric="parameters", unit="")]
    found += [gone(f"{files[0]}::test_removed"), exact(files[1] + "::test_vocabulary", 4_194_304.0, 4_194_560.0)]
    notes = ("The base was built with torch 2.12.1 and the new side with torch 2.13.0.",)
    return comparison(*found, notes=notes, culprit="9c1f0a7 use the fused kernel")
