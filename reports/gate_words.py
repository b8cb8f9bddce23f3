"""What a finding of a gate says to people: words by unit, sentences, remedies. Data keeps the names of verdicts."""

from collections.abc import Iterable

from bench.limits import METRICS
from reports.comparison import Comparison, Finding

#: What a metric with more or less of it is called; times are the plain case.
_WORDS = {
    "B": {"slower": "bigger", "faster": "smaller"},
    "J": {"slower": "hungrier", "faster": "thriftier"},
    "J/token": {"slower": "hungrier", "faster": "thriftier"},
    "W": {"slower": "hungrier", "faster": "thriftier"},
    "": {"slower": "more", "faster": "less"},
    "FLOP": {"slower": "more", "faster": "less"},
}
_SHORT = {full: short.replace("_", " ") for short, full in METRICS.items()}
#: Metrics that `--fail-on` does not name.
_NAMES = {"bytes_moved": "bytes moved", "flops": "FLOPs", "status": "outcome"}
_REMEDIES = {
    "above_margin": "If the cost is meant, make the new run the baseline.",
    "between": "Measure with more --repetitions, or compare in turns: pinchpoint ab.",
    "time_cap": "Give it more time.",
    "few_pairs": "Measure with more --repetitions.",
    "drift": "Compare in turns, which is free of drift: pinchpoint ab; a dedicated machine: --run-spread 1%.",
    "unresolvable": "Choose a wider limit, or a quieter machine.",
    "new_fails": "Run it alone to see why: pinchpoint run.",
    "only_in_base": "If it was dropped on purpose: --missing pass.",
    "no_reading": "See what can be measured here: pinchpoint doctor; or leave its limit out.",
    "bad_reading": "Measure that side again.",
    "no_interval": "Measure with more --repetitions.",
    "other_host": "Measure both on one machine, or compare all the same: --anyway.",
    "exact_more": "If it is meant: --allow-more {metric}, or make the new run the baseline.",
}


def word(finding: Finding) -> str:
    """The verdict as people say it: `bigger` for memory, `hungrier` for energy, `broken` for what fails now."""
    if finding.code in {"new_fails", "base_fails"}:
        return "broken" if finding.code == "new_fails" else "mended"
    if finding.direction > 0 and finding.unit.startswith("tokens"):
        return finding.verdict
    return _WORDS.get(finding.unit, {}).get(finding.verdict, finding.verdict)


def metric(name: str) -> str:
    """`latency` for `latency_s`, `max ram` for `max_ram_B`."""
    return _SHORT.get(name) or _NAMES.get(name) or name.removesuffix("_B").replace("_", " ")


def remedy(finding: Finding) -> str:
    """What to do about it; empty where nothing need be done."""
    return _REMEDIES.get(finding.code, "").format(metric=finding.metric)


def sentence(finding: Finding) -> str:
    """One finding with its reason and its remedy."""
    said = f"{finding.benchmark}: {metric(finding.metric)} {word(finding)}: {finding.reason}. {remedy(finding)}"
    return said.strip()


def summary(comparison: Comparison) -> str:
    """The last line: what the gate says, and of how much."""
    if comparison.refused is not None:
        return f"Not compared. {comparison.refused}"
    gated = [each for each in comparison.findings if each.outcome != "ungated"]
    told = f"{_count(len({each.benchmark for each in comparison.findings}), 'benchmark')}, {len(gated)} checks"
    failed = [each for each in gated if each.outcome == "fail"]
    unclear = [each for each in gated if each.outcome == "inconclusive"]
    if failed:
        return f"FAIL: {_named(failed)} ({told})."
    if unclear:
        return f"CANNOT TELL: {_named(unclear)} ({told})."
    return f"PASS: nothing is worse than its limit ({told})." if gated else "Nothing is limited, so nothing can fail."


def _named(findings: Iterable[Finding], most: int = 3) -> str:
    words = list(dict.fromkeys(f"{each.benchmark}: {metric(each.metric)} {word(each)}" for each in findings))
    return "; ".join(words[:most]) + (f"; and {len(words) - most} more" if len(words) > most else "")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
