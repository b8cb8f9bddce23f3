"""Two sides that were measured at different times, compared by point and metric. Pure.

What the processes of a run say of each other is one thing, how far the machine drifted until the next run another:
bounds hold both (`reports.run_spread`). Where they leave the answer open, the code is `drift`, and only measuring in
turns (`pinchpoint ab`) can tell.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from bench import gate, rank_sum
from bench.gate import ALPHA, Estimate, Limit
from bench.record import Metric, Record
from bench.stopping import log_ratios
from reports import exact_counts, labels, run_spread, side_values, study
from reports.comparison import CODES, Comparison, Finding, Outcome, Side, Verdict
from reports.gate_verdicts import Judgement, judged, worse
from reports.matching import Match, match
from reports.run_spread import NO_DRIFT, Spread
from reports.side_values import Values

#: Shown where they were read, whether or not they are limited.
_SHOWN = ("latency_s", "max_ram_B", "joules_per_token")


@dataclass(frozen=True)
class Rules:
    """What may be compared, and what a change may cost.

    `limits` are by metric. `run_spread` is the share by which runs of the same code differ (0.02 for 2 %), None where
    it is to be measured or assumed. `may_grow` names exact counts that may (`all` for every one). `identity` is
    `bench.host.IDENTITY`.
    """

    limits: Mapping[str, Limit]
    run_spread: float | None = None
    missing_fails: bool = True
    may_grow: Collection[str] = field(default_factory=frozenset)
    anyway: bool = False
    identity: Sequence[str] = ()


def side(label: str, records: Sequence[Record], identity: Sequence[str]) -> Side:
    """What a side is, from the newest of its records."""
    if not records:
        return Side(label)
    newest = max(records, key=lambda record: record.started_at)
    commit = newest.host.get("git_commit")
    facts = {name: newest.host.get(name) for name in (*identity, "pinchpoint")}
    return Side(label, None if commit is None else str(commit), newest.run, facts)


def compare(
    base: Sequence[Record], new: Sequence[Record], rules: Rules, names: tuple[str, str], past: Sequence[Record] = ()
) -> Comparison:
    """Every metric and exact count of every point of both sides.

    Several runs on a side are one window. `past` are records of earlier runs, from which the spread between runs is
    measured. One false alarm in all of the limited metrics counts as one, so each bound is at ALPHA over their number.
    """
    found = match(base, new, rules.identity, anyway=rules.anyway)
    sides = [side(label, records, rules.identity) for label, records in zip(names, (base, new), strict=True)]
    shared = [each for each in found.matches if _works(each.base) and _works(each.new)]
    alpha = ALPHA / max(len(shared) * len(rules.limits), 1)
    by_point: dict[str, list[Record]] = {}
    for record in past:
        by_point.setdefault(record.point, []).append(record)
    findings = [
        finding
        for each in found.matches
        for finding in _findings(each, rules, alpha, by_point.get((each.base or each.new)[0].point, []))
    ]
    started = max((record.started_at for record in new), default="")
    return Comparison(sides[0], sides[1], tuple(findings), "stores", found.refused, found.notes, started)


def _works(records: Sequence[Record]) -> bool:
    """Whether the newest run of a side gave a result."""
    return bool(records) and records[-1].status == "ok"


def _findings(each: Match, rules: Rules, alpha: float, past: Sequence[Record]) -> list[Finding]:
    if (presence := _presence(each, rules)) is not None:
        return [presence]
    if each.other_set_up and not rules.anyway:
        reason = f"{CODES['other_host']}: {each.other_set_up}"
        return [_plain(each.benchmark, "not comparable", "inconclusive", "other_host", reason)]
    base, new = (tuple(r for r in records if r.status == "ok") for records in (each.base, each.new))
    usable = Match(each.benchmark, base, new)
    counts = [
        {name: count for name, count in exact_counts.counts(records[-1]).items() if name not in rules.limits}
        for records in (base, new)
    ]
    shown = [name for name in _SHOWN if name not in rules.limits and _read(base, name) and _read(new, name)]
    measured = [_measured(usable, name, rules, alpha, past) for name in (*rules.limits, *shown)]
    return [*measured, *exact_counts.compare(each.benchmark, counts[0], counts[1], rules.may_grow)]


def _read(records: Sequence[Record], name: str) -> bool:
    return any(study.metric(record, name) is not None for record in records)


def _presence(each: Match, rules: Rules) -> Finding | None:
    """What there is to say of a benchmark that one side lacks, or on which one fails; None where both work."""
    gone: Outcome = "fail" if rules.missing_fails else "pass"
    if not each.new:
        return _plain(each.benchmark, "missing", gone, "only_in_base", CODES["only_in_base"])
    if not each.base:
        return _plain(each.benchmark, "new", "pass", "only_in_new", CODES["only_in_new"])
    base, new = each.base[-1], each.new[-1]
    if _works(each.base) and _works(each.new):
        return None
    if _works(each.base):
        reason = f"{CODES['new_fails']} ({labels.status(new)}: {_cause(new)})"
        return _plain(each.benchmark, "missing", "fail", "new_fails", reason)
    if _works(each.new):
        return _plain(each.benchmark, "new", "pass", "base_fails", f"{CODES['base_fails']} ({_cause(base)})")
    return _plain(each.benchmark, "not comparable", "ungated", "both_fail", f"{CODES['both_fail']} ({_cause(new)})")


def _cause(record: Record) -> str:
    return labels.plain(record.reason or record.status).rstrip(".")


def _plain(benchmark: str, verdict: Verdict, outcome: Outcome, code: str, reason: str) -> Finding:
    """A finding about a benchmark as a whole."""
    return Finding(
        benchmark, "status", "", 0, None, None, None, None, None, 1.0, 0, None, verdict, outcome, code, reason,
        paired=False,
    )  # fmt: skip


def _measured(each: Match, name: str, rules: Rules, alpha: float, past: Sequence[Record]) -> Finding:
    """One metric of a benchmark that works on both sides."""
    base, new = (side_values.values(records, name) for records in (each.base, each.new))
    limit, info = rules.limits.get(name), _info(each, name)
    paired = _pairs(each, name)
    if base.code or new.code:
        where, bad = ("the base", base) if base.code else ("the new side", new)
        reason = f"{CODES[bad.code]} ({where}: {labels.plain(bad.reason).rstrip('.')})"
        judgement = Judgement("not comparable", "ungated" if limit is None else "inconclusive", bad.code)
        found, spread, half = None, NO_DRIFT, 0.0
    else:
        spread = NO_DRIFT if each.same_run else _spread(each, name, rules, past)
        half = spread.half_width(alpha, len(base.runs), len(new.runs))
        within = gate.estimate(paired, alpha) if paired else _unpaired(base, new, alpha, name)
        found = _widened(within, half)
        judgement = _judgement(info.direction, within, found, limit, half, "no_interval" if _is_peak(name) else "drift")
        reason = _reason(judgement.code, found, spread, (len(base.processes), len(new.processes)))
    return Finding(
        each.benchmark,
        name,
        info.unit,
        info.direction,
        base.typical,
        new.typical,
        None if found is None else math.exp(found.value),
        None if found is None or found.low is None else math.exp(found.low),
        None if found is None or found.high is None else math.exp(found.high),
        1 - alpha,
        len(paired) or min(len(base.processes), len(new.processes)),
        None if limit is None else limit.share,
        judgement.verdict,
        judgement.outcome,
        judgement.code,
        reason,
        paired=bool(paired),
        resolved=None if found is None or found.resolution is None else math.expm1(found.resolution),
    )


def _info(each: Match, name: str) -> Metric:
    """The metric's unit and direction, from a record that has it."""
    found = [record.metrics[name] for record in (*each.base, *each.new) if name in record.metrics]
    return found[0] if found else Metric(None, "", -1, name)


def _pairs(each: Match, name: str) -> list[float]:
    """ln(new / base) of each pair of processes that ran in turns; none where the sides did not."""
    if name != "latency_s" or not each.same_run:
        return []
    return [median(group) for group in log_ratios(each.new[0].blocks, each.base[0].blocks)]


def _unpaired(base: Values, new: Values, alpha: float, name: str) -> Estimate:
    """The shift between the processes of both sides. A peak of memory needs no bounds: it differs from run to run."""
    found = rank_sum.shift(base.processes, new.processes, alpha)
    if found.low is None and _is_peak(name):
        return Estimate(found.value, found.value, found.value, found.confidence, found.pairs)
    return found


def _is_peak(name: str) -> bool:
    return name.endswith("_B")


def _spread(each: Match, name: str, rules: Rules, past: Sequence[Record]) -> Spread:
    """How much runs of this benchmark differ: as given, as its windows or the past show, or else as assumed."""
    if rules.run_spread is not None and not _is_peak(name):
        return Spread(rules.run_spread, "given")
    windows = [side_values.ln_of_runs(records, name) for records in (each.base, each.new)]
    ours = {record.run for record in (*each.base, *each.new)}  # a regression must not widen the bounds that judge it
    by_host: dict[str, dict[str, Record]] = {}
    for record in past:
        if record.run not in ours:
            by_host.setdefault(str(record.host.get("fingerprint")), {})[record.run] = record
    hosts = {str(record.host.get("fingerprint")) for record in (*each.base, *each.new)}
    history = [side_values.ln_of_runs(by_host.get(host, {}).values(), name) for host in sorted(hosts)]
    assumed = Spread(run_spread.ASSUMED_PEAK if _is_peak(name) else run_spread.ASSUMED_TIME, "assumed")
    return run_spread.measured(windows) or run_spread.measured(history) or assumed


def _widened(within: Estimate, half: float) -> Estimate:
    """The bounds with what drift adds to them."""
    if within.low is None or within.high is None:
        return within
    low = within.value - run_spread.combined(within.value - within.low, half)
    high = within.value + run_spread.combined(within.high - within.value, half)
    return Estimate(within.value, low, high, within.confidence, within.pairs)


def _judgement(
    direction: int, within: Estimate, found: Estimate, limit: Limit | None, drift: float, by_drift: str
) -> Judgement:
    """The verdict, with the code that says what left it open: drift, the limit, or too few processes.

    `drift` is the half-width that it adds: where it is the larger part, or processes alone would have told, the code is
    `by_drift`.
    """
    told = judged(*worse(direction, found.low, found.high), limit)
    if told.code != "between" or found.low is None or found.high is None:
        return told
    alone = judged(*worse(direction, within.low, within.high), limit)
    if drift and (alone.code != "between" or drift > (found.high - found.low) / 2 * math.sqrt(0.5)):
        code = by_drift
    else:
        code = "unresolvable" if limit is not None and (found.high - found.low) / 2 > limit.log else "between"
    return Judgement(told.verdict, told.outcome, code)


def _reason(code: str, found: Estimate, spread: Spread, processes: tuple[int, int]) -> str:
    """The code in words, with the figures that it rests on."""
    if code == "few_pairs":
        return f"too few processes for any bound ({processes[0]} and {processes[1]})"
    if code in {"drift", "unresolvable", "no_interval"} and found.low is not None and found.high is not None:
        told = f"{CODES[code]}; the change lies between {_percent(found.low)} and {_percent(found.high)}"
        return told if spread.source == "none" else f"{told}, as runs differ by {spread.words}"
    return CODES[code]


def _percent(log: float) -> str:
    return f"{100 * math.expm1(log):+.3g} %"
