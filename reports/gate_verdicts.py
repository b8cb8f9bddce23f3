"""From bounds and a limit to a verdict: the one rule of every comparison, whether paired or read from two stores.

Everything is d = ln(worse by): ln(new / base) of a metric of which less is better, and its negative of one of which
more is. A verdict says what is known of the change on both sides; the outcome asks only whether it costs too much.
"""

import math
from dataclasses import dataclass

from bench import gate
from bench.gate import Limit
from reports.comparison import Outcome, Verdict

#: What a metric is judged against where nothing limits it: the verdict is shown, and gates nothing.
SHOWN = Limit(0.05)


@dataclass(frozen=True)
class Judgement:
    """A verdict, what the gate makes of it, and the code of the reason (`reports.comparison.CODES`)."""

    verdict: Verdict
    outcome: Outcome
    code: str


def judged(
    low: float | None,
    high: float | None,
    limit: Limit | None,
    *,
    undecided: str = "between",
    decided: gate.Outcome | None = None,
) -> Judgement:
    """The verdict on a change whose d = ln(worse by) lies within `low` and `high`, one-sided bounds each.

    `slower` where the lower bound is above the margin, `faster` where the upper one is below its negative, `same` where
    both are within the limit on either side. It passes wherever the upper bound is below the limit, even where how much
    better it became is open. Swapping the sides mirrors the verdict. `undecided` is the code where neither passing nor
    failing is sure, `few_pairs` where a bound is missing. `decided` is an answer that a test over several benchmarks
    gave (`bench.gate.outcomes`), and overrides what the bounds of this one alone say. Without `limit` the verdict is
    against `SHOWN`, and the outcome is `ungated`.
    """
    bounded = low is not None and high is not None and math.isfinite(low) and math.isfinite(high)
    if low is None or high is None or not bounded:
        low, high, undecided = -math.inf, math.inf, "few_pairs" if undecided == "between" else undecided
    against = limit or SHOWN
    outcome = decided or _outcome(low, high, against)
    verdict = _verdict(low, high, against, outcome)
    code = {"fail": "above_margin", "pass": "below_limit", "undecided": undecided}[outcome]
    if verdict == "faster":
        code = "surely_less"
    if limit is None:
        return Judgement(verdict, "ungated", code)
    return Judgement(verdict, "inconclusive" if outcome == "undecided" else outcome, code)


def _outcome(low: float, high: float, limit: Limit) -> gate.Outcome:
    if low > limit.margin_log:
        return "fail"
    return "pass" if high < limit.log else "undecided"


def _verdict(low: float, high: float, limit: Limit, outcome: gate.Outcome) -> Verdict:
    if outcome == "fail":
        return "slower"
    if outcome == "undecided":
        return "inconclusive"
    if high < -limit.margin_log:
        return "faster"
    return "same" if low > -limit.log and high < limit.log else "inconclusive"


def worse(direction: int, low: float | None, high: float | None) -> tuple[float | None, float | None]:
    """Bounds of ln(worse by) from those of ln(new / base): where more is better (+1), they change sides and sign."""
    if direction <= 0:
        return low, high
    return None if high is None else -high, None if low is None else -low
