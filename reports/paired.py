"""Two sides that were measured in turns: from the pairs of processes in a store to a comparison. Pure.

The looks are replayed as they were taken (`bench.ab.sequence`), so the answer is the one on which measuring stopped.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from bench import gate
from bench.ab.pairs import OVERHEAD, TIME, Half, Key, Pair, given_up, typical, values
from bench.ab.sequence import Decision, replay
from bench.gate import Estimate, Limit
from bench.record import Value
from reports import exact_counts, labels
from reports.comparison import CODES, Comparison, Finding, Outcome, Side, Verdict
from reports.gate_verdicts import judged

#: Shown where both sides have readings of it, limited or not.
_SHOWN = (TIME, "max_ram_B")
_UNITS = {"_s": "s", "_B": "B", "_J": "J", "_W": "W", "joules_per_token": "J/token"}


@dataclass(frozen=True)
class Measured:
    """What is known of the measurement beside its pairs.

    `labels` are benchmark ids with their names for people, `limits` what may be lost, by benchmark and metric, `alone`
    the benchmarks that one side lacks, with the side that has them. `ended` is false while it goes on, or where it was
    stopped.
    """

    base: Side
    new: Side
    labels: Mapping[str, str]
    limits: Mapping[Key, Limit]
    alone: Mapping[str, str] = field(default_factory=dict)
    started_at: str = ""
    spent_s: float | None = None
    ended: bool = True
    culprit: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rules:
    """What becomes of a benchmark that has gone, and which exact counts may grow (`all` for every one)."""

    missing_fails: bool = True
    may_grow: Collection[str] = field(default_factory=frozenset)


def comparison(measured: Measured, pairs: Sequence[Pair], rules: Rules) -> Comparison:
    """Every gated metric of every benchmark, what else was read, exact counts, and what failed or has gone."""
    logs = {
        (name, metric): found
        for metric in {metric for _, metric in measured.limits} | set(_SHOWN)
        for name, found in values(pairs, metric).items()
    }
    decisions = replay(logs, measured.limits, ended=measured.ended)
    shown = {key: found for key, found in logs.items() if key not in measured.limits and key[1] in _SHOWN}
    decisions |= {key: Decision("undecided", gate.estimate(found, gate.look_alpha())) for key, found in shown.items()}
    findings: list[Finding] = []
    for name, label in measured.labels.items():
        own = [pair for pair in pairs if pair.benchmark == name]
        if name in measured.alone:
            findings.append(_gone(label, measured.alone[name], rules))
        elif (failure := _failed(label, own)) is not None:
            findings.append(failure)
        else:
            keys = [key for key in {**measured.limits, **shown} if key[0] == name]
            findings += [_finding(label, key, decisions.get(key), measured, own) for key in keys]
            findings += _counted(label, own, rules)
    notes = (*measured.notes, *_mishaps(measured.labels, pairs), *_too_short(measured.labels, pairs))
    notes = notes if measured.ended else (*notes, "It was stopped before its end.")
    return Comparison(
        measured.base, measured.new, tuple(findings), "ab", notes=notes, started_at=measured.started_at,
        spent_s=measured.spent_s, culprit=measured.culprit,
    )  # fmt: skip


def _finding(label: str, key: Key, decision: Decision | None, measured: Measured, pairs: Sequence[Pair]) -> Finding:
    """One metric of a benchmark that ran on both sides. Less of each of them is better."""
    _, metric = key
    limit = measured.limits.get(key)
    unit = next((unit for suffix, unit in _UNITS.items() if metric.endswith(suffix)), "")
    before, after = (
        typical((getattr(pair, side) for pair in pairs if pair.usable), metric) for side in ("base", "new")
    )
    if decision is None:
        reason = f"{CODES['no_reading']} ({metric})"
        return _plain(label, "not comparable", "inconclusive", "no_reading", reason, metric, limit)
    found = decision.estimate
    judgement = judged(
        found.low,
        found.high,
        limit,
        undecided="given_up" if given_up(pairs) else _open(found, limit),
        decided=None if limit is None else decision.outcome,
    )
    return Finding(
        label,
        metric,
        unit,
        -1,
        before,
        after,
        math.exp(found.value),
        None if found.low is None else math.exp(found.low),
        None if found.high is None else math.exp(found.high),
        found.confidence,
        found.pairs,
        None if limit is None else limit.share,
        judgement.verdict,
        judgement.outcome,
        judgement.code,
        labels.plain(_reason(judgement.code, found, limit, pairs)),
        resolved=None if found.resolution is None else math.expm1(found.resolution),
    )


def _mishaps(names: Mapping[str, str], pairs: Sequence[Pair]) -> list[str]:
    """What is said of benchmarks that ran in most pairs and failed in some: whatever their times are, it matters."""
    found: list[str] = []
    for name, label in names.items():
        own = [pair for pair in pairs if pair.benchmark == name]
        failed = [pair for pair in own if not pair.usable]
        if failed and 2 * len(failed) < len(own):
            told = labels.plain(f"{label} failed in {len(failed)} of {len(own)} pairs: {_why(failed[-1])}")
            found.append(f"{told.rstrip('.')}.")
    return found


def _why(pair: Pair) -> str:
    """How a pair failed that did; of two reasons that of the new side."""
    return pair.new.failed or pair.base.failed or ""


def _too_short(names: Mapping[str, str], pairs: Sequence[Pair]) -> list[str]:
    """What is said of benchmarks of whose time the clock is a part."""
    found: dict[str, float] = {}
    for name, label in names.items():
        halves = [half for pair in pairs if pair.benchmark == name for half in (pair.base, pair.new)]
        overhead_s, time_s = typical(halves, OVERHEAD), typical(halves, TIME)
        if overhead_s and time_s and overhead_s > gate.MOST_OVERHEAD * time_s:
            found[label] = min(overhead_s / time_s, 1.0)
    if not found:
        return []
    worst = max(found, key=lambda each: found[each])
    told = f"Reading the clock is about {100 * found[worst]:.0f} % of an iteration of {labels.plain(worst)}"
    others = f" (and matters in {len(found) - 1} more)" if len(found) > 1 else ""
    return [f"{told}{others}: changes of it show as smaller than they are. Let it do its work several times a call."]


def _open(found: Estimate, limit: Limit | None) -> str:
    """The code of what left an answer open."""
    if found.low is None or limit is None:
        return "few_pairs" if found.low is None else "between"
    if found.resolution is not None and found.resolution > limit.log:
        return "unresolvable"
    return "between" if found.pairs >= gate.LOOKS[-1] else "time_cap"


def _reason(code: str, found: Estimate, limit: Limit | None, pairs: Sequence[Pair]) -> str:
    """The code in words; where the answer is open, with what could be told and what it would take."""
    if code == "given_up":
        return f"{CODES[code]} ({_why(next(pair for pair in reversed(pairs) if not pair.usable))})"
    if limit is None or code not in {"time_cap", "unresolvable", "between", "few_pairs"}:
        return CODES[code]
    counted = labels.count(found.pairs, "pair")
    if found.resolution is None:
        return f"{CODES[code]}: {counted}, and bounds take {fewest_pairs()}"
    told = f"{CODES[code]}: {counted} told a change of {100 * math.expm1(found.resolution):.2g} %"
    wanted = _wanted(found, limit)
    return told if wanted is None else f"{told}; about {wanted} would decide"


def fewest_pairs(alpha: float | None = None) -> int:
    """The fewest pairs of processes that have bounds: all signs alike has the chance 2^-n."""
    return math.ceil(-math.log2(gate.look_alpha() if alpha is None else alpha))


def _wanted(found: Estimate, limit: Limit) -> int | None:
    """How many pairs would tell the estimate from the farther of margin and limit; None where that is out of reach.

    Bounds narrow with the root of the number of pairs.
    """
    room = max(limit.log - found.value, found.value - limit.margin_log)
    if found.resolution is None or room <= 0:
        return None
    wanted = math.ceil(found.pairs * (found.resolution / room) ** 2)
    return wanted if found.pairs < wanted <= 100_000 else None


def _counted(label: str, pairs: Sequence[Pair], rules: Rules) -> list[Finding]:
    """What was counted, without statistics: the first pair stands for all, as each process counts alike."""
    both = next((pair for pair in pairs if pair.usable), None)
    if both is None:
        return []
    base, new = ({**half.counts, **_allocated(pairs, side)} for side, half in (("base", both.base), ("new", both.new)))
    return exact_counts.compare(label, base, new, rules.may_grow)


def _allocated(pairs: Sequence[Pair], side: str) -> dict[str, float]:
    """The allocator's peak on a device, which repeats from process to process."""
    halves: list[Half] = [getattr(pair, side) for pair in pairs if pair.usable]
    found = [half.readings["max_allocated_B"] for half in halves if "max_allocated_B" in half.readings]
    return {"max_allocated_B": median(found)} if found else {}


def _failed(label: str, pairs: Sequence[Pair]) -> Finding | None:
    """What there is to say of a benchmark of which no pair, or less than half of them, ran on both sides."""
    if sum(pair.usable for pair in pairs) * 2 > len(pairs):
        return None
    if not pairs:
        reason = f"{CODES['few_pairs']}: the time was used up before it was begun"
        return _plain(label, "inconclusive", "inconclusive", "few_pairs", reason)
    last = next(pair for pair in reversed(pairs) if not pair.usable)
    base, new = last.base.failed, last.new.failed
    if base is None:
        return _plain(label, "missing", "fail", "new_fails", f"{CODES['new_fails']} ({new})")
    if new is None:
        return _plain(label, "new", "pass", "base_fails", f"{CODES['base_fails']} ({base})")
    return _plain(label, "not comparable", "ungated", "both_fail", f"{CODES['both_fail']} ({new})")


def _gone(label: str, has: str, rules: Rules) -> Finding:
    if has == "new":
        return _plain(label, "new", "pass", "only_in_new", CODES["only_in_new"])
    return _plain(label, "missing", "fail" if rules.missing_fails else "pass", "only_in_base", CODES["only_in_base"])


def _plain(
    label: str,
    verdict: Verdict,
    outcome: Outcome,
    code: str,
    reason: str,
    metric: str = "status",
    limit: Limit | None = None,
) -> Finding:
    share = None if limit is None else limit.share
    return Finding(
        label, metric, "", 0, None, None, None, None, None, 1.0, 0, share, verdict, outcome, code, labels.plain(reason)
    )  # fmt: skip


def side(told: Mapping[str, Value | None]) -> Side:
    """A side as a store keeps it: `label`, `commit`, and facts of what runs there."""
    facts = {name: value for name, value in told.items() if name not in ("label", "commit")}
    commit = told.get("commit")
    return Side(str(told.get("label")), None if commit is None else str(commit), None, facts)
