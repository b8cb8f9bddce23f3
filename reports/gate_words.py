"""Words for a comparison of two sides: the gate's answer, each change with its bounds, and what to do about it."""

import math
from collections.abc import Iterable

from bench import units
from bench.limits import METRICS
from bench.units import quantity
from reports import labels
from reports.comparison import CODES, Comparison, Finding, Outcome, Side

_SHORT = {full: short for short, full in METRICS.items()}
_UNITS = ("_s", "_B", "_J", "_W")
_ABBREVIATIONS = {"ram": "RAM", "vram": "VRAM", "flops": "FLOPs", "ttft": "TTFT", "tpot": "TPOT"}
_OUTCOMES: tuple[Outcome, ...] = ("fail", "inconclusive", "pass", "ungated")
#: Metrics for which faster and slower are the right words; of bytes and joules one says better and worse.
_TIMES = ("latency", "throughput", "TTFT", "TPOT", "time")
#: Codes by which a benchmark has gone, in words for one and for several.
_GONE = {
    "new_fails": ("fails on the new side", "fail on the new side"),
    "only_in_base": ("is missing on the new side", "are missing on the new side"),
}
#: Git's own choice for a commit that a person reads.
_COMMIT_LETTERS = 10
#: No reading is as large, and a percentage of something larger would no longer be a float.
_BEYOND = 1e300
_THOUSAND, _MILLION = 1e3, 1e6


def metric(name: str) -> str:
    """A metric as `--fail-on` calls it, or its full name without the unit.

    >>> metric("latency_s"), metric("max_ram_B"), metric("weights_B")
    ('latency', 'max RAM', 'weights')
    """
    short = _SHORT.get(name, name)
    unit = next((unit for unit in _UNITS if short.endswith(unit)), "")
    words = labels.plain(short.removesuffix(unit).replace("_", " ")).split()
    return " ".join(_ABBREVIATIONS.get(word, word) for word in words)


def heading(name: str) -> str:
    """A metric at the head of a table or figure."""
    words = metric(name)
    return words[:1].upper() + words[1:]


def benchmark(finding: Finding) -> str:
    """The benchmark's name on one line; it comes from a user's repository and may hold anything."""
    return labels.plain(finding.benchmark) or "unnamed"


def usable(value: float | None) -> float | None:
    """`value` where it is a positive finite number, which is what a ratio and its bounds must be to be shown."""
    found = finite(value)
    return found if found is not None and found > 1 / _BEYOND else None


def finite(value: float | None) -> float | None:
    """`value` where it is a finite number, of a size that arithmetic on it stays finite too."""
    return value if value is not None and abs(value) < _BEYOND else None


def worse_by(finding: Finding) -> float:
    """ln of how many times worse the new side is; infinite where it has gone or fails, 0 where that is not known."""
    if finding.code in _GONE:
        return math.inf
    ratio = usable(finding.ratio)
    return 0.0 if ratio is None else (-math.log(ratio) if finding.direction > 0 else math.log(ratio))


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """What fails before what is undecided, passes or has no limit; within these the worst first, then by name."""
    return sorted(findings, key=lambda f: (_OUTCOMES.index(f.outcome), -worse_by(f), f.benchmark, f.metric))


def change(finding: Finding) -> str:
    """The change in percent with its bounds: `+5.2 % [+4.1 %, +6.3 %]`; of a count the difference."""
    ratio, low, high = (usable(value) for value in (finding.ratio, finding.low, finding.high))
    if finding.exact and difference(finding):
        return f"{difference(finding)} against {counted(finding.base, finding.unit)}"
    if ratio is None:
        return "not known"
    middle = percent(ratio)
    return middle if low is None or high is None else f"{middle} {bounds(low, high)}"


def bounds(low: float, high: float) -> str:
    """The bounds of a ratio in percent."""
    return f"[{percent(low)}, {percent(high)}]"


def percent(ratio: float) -> str:
    """The change that a ratio stands for, in percent; what rounds to nothing has no sign.

    >>> percent(1.052), percent(0.5), percent(0.9999)
    ('+5.2 %', '-50 %', '0.0 %')
    """
    text = units.change(math.log(ratio))
    return "0.0 %" if text in ("+0.0 %", "-0.0 %") else text


def counted(value: float | None, unit: str) -> str:
    """A count as a reader takes it in: three digits and a prefix, or all digits of a small one.

    >>> counted(2_000_128, "FLOP"), counted(1_234_567, ""), counted(1234, "")
    ('2.00 MFLOP', '1.23 million', '1,234')
    """
    found = finite(value)
    if found is None:
        return "—"
    if found == int(found) and abs(found) < (_THOUSAND if unit else _MILLION):
        return f"{found:,.0f} {unit}".strip()
    return quantity(found, unit) if unit else f"{units.digits(found / _MILLION)} million"


def difference(finding: Finding) -> str:
    """New minus base of a count, with its sign: a small difference in a large count is a difference.

    Empty where one of the two is not known.
    """
    base, new = finite(finding.base), finite(finding.new)
    if base is None or new is None:
        return ""
    sign = "" if new == base else "+" if new > base else "-"
    return f"{sign}{counted(abs(new - base), finding.unit)}"


def share(value: float) -> str:
    """A share in percent with at most three digits.

    >>> share(0.05), share(0.0123)
    ('5 %', '1.23 %')
    """
    return f"{100 * value:.3g} %"


def verdict(finding: Finding) -> str:
    """The verdict in the words of its metric: bytes and joules get better or worse, not faster or slower."""
    if finding.verdict not in ("faster", "slower") or metric(finding.metric).split()[0] in _TIMES:
        return finding.verdict
    if finding.direction == 0 or finding.exact:
        return "less" if finding.verdict == "faster" else "more"
    return "better" if finding.verdict == "faster" else "worse"


def reason(finding: Finding) -> str:
    """Why the verdict is what it is, as a sentence."""
    return sentence(finding.reason or CODES.get(finding.code, finding.code))


def sentence(text: str) -> str:
    """`text` on one line, with a capital letter and a full stop."""
    told = labels.plain(text)
    told = told[:1].upper() + told[1:]
    return told if not told or told[-1] in ".!?" else f"{told}."


def describe(finding: Finding) -> str:
    """One finding in one line: what changed, by how much, against which limit, and why that decides."""
    if usable(finding.ratio) is None and not finding.exact:
        return f"{metric(finding.metric)} {verdict(finding)}. {reason(finding)}"
    limit = f", limit {share(finding.limit)}" if finding.limit and not finding.exact else ""
    return f"{metric(finding.metric)} {verdict(finding)}: {change(finding)}{limit}. {reason(finding)}"


def side(given: Side) -> str:
    """What a user called the side, and its commit where that is not the name itself."""
    label, commit = labels.plain(given.label) or "unnamed", commit_of(given)
    return label if not commit or label.startswith(commit) else f"{label} ({commit})"


def commit_of(given: Side) -> str:
    """The side's commit, as long as a person needs it; empty where there is none."""
    return labels.plain(given.commit or "")[:_COMMIT_LETTERS]


def answer(comparison: Comparison) -> str:  # noqa: PLR0911 - one for each answer
    """What the gate says, in one or two sentences."""
    found = comparison.findings
    if comparison.refused is not None:
        return f"Not compared. {sentence(comparison.refused)}"
    if not found:
        return "Nothing was compared: the two sides have no benchmark in common."
    if all(each.verdict == "not comparable" for each in found):
        return f"Nothing could be compared. {reason(found[0])}"
    match comparison.outcome:
        case "fail":
            return f"Regression: {_failures(found)}. {_worst(found)}"
        case "inconclusive":
            open_, gated = _names(found, "inconclusive"), _gated(found)
            others = " The others are within their limits." if len(gated) > len(open_) else ""
            return f"Cannot tell yet for {_of(open_, gated)}.{others}"
        case "pass":
            return f"No regression: {_of(_gated(found), _gated(found))} stayed within the limits.{_better(found)}"
    changed = {each.benchmark for each in found if each.verdict in ("faster", "slower")}
    surely = f"{len(changed):,} changed for sure" if changed else "none changed for sure"
    return f"{labels.count(len({each.benchmark for each in found}), 'benchmark')} compared without a limit; {surely}."


def _names(found: Iterable[Finding], outcome: Outcome) -> set[str]:
    return {each.benchmark for each in found if each.outcome == outcome}


def _gated(found: Iterable[Finding]) -> set[str]:
    return {each.benchmark for each in found if each.outcome != "ungated"}


def _of(some: set[str], all_: set[str]) -> str:
    """`2 of 40 benchmarks`, `all 40 benchmarks`, `the one benchmark`."""
    if len(all_) == 1:
        return "the one benchmark"
    return f"all {len(all_):,} benchmarks" if some == all_ else f"{len(some):,} of {len(all_):,} benchmarks"


def _failures(found: Iterable[Finding]) -> str:
    failed = [each for each in found if each.outcome == "fail"]
    gone = {code: {each.benchmark for each in failed if each.code == code} for code in _GONE}
    worse = {each.benchmark for each in failed if each.code not in _GONE}
    said = [f"{_of(worse, _gated(found))} got worse"] if worse else []
    said += [f"{len(names):,} {_GONE[code][len(names) > 1]}" for code, names in gone.items() if names]
    return labels.listed(said)


def _worst(found: Iterable[Finding]) -> str:
    worst = worst_first(found)[0]
    if worst.code in _GONE:
        return f"First to look at: {benchmark(worst)}, which {_GONE[worst.code][0]}."
    return f"The worst: {metric(worst.metric)} of {benchmark(worst)}, {change(worst)}."


def _better(found: Iterable[Finding]) -> str:
    better = {each.benchmark for each in found if each.verdict == "faster"}
    return f" {labels.count(len(better), 'benchmark')} got better." if better else ""


def remedy(comparison: Comparison) -> str:
    """What a maintainer does now; empty where there is nothing to do."""
    if comparison.refused is not None:
        return "Measure both sides on one machine with pinchpoint ab, or compare them all the same with --anyway."
    if comparison.outcome == "fail":
        first = (
            f"The first bad commit is {labels.plain(comparison.culprit)}."
            if comparison.culprit
            else "pinchpoint ab --bisect finds the commit."
        )
        return f"{first} Where the cost is intended, raise that limit in --fail-on, and say why in the change."
    if comparison.outcome == "inconclusive":
        told = [each.resolved for each in comparison.findings if each.outcome == "inconclusive" and each.resolved]
        resolution = f" This run could tell changes of about {share(max(told))}." if told else ""
        first = "Give it more time (--budget)" if comparison.how == "ab" else "Compare in turns (pinchpoint ab)"
        return f"{first}, a quieter machine, or a wider limit.{resolution}"
    return ""
