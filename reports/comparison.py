"""What a comparison of two sides consists of, whether measured in pairs or read from two stores. Plain data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from bench.record import Value

Verdict = Literal["faster", "same", "slower", "inconclusive", "missing", "new", "not comparable"]
Outcome = Literal["pass", "fail", "inconclusive", "ungated"]

#: Why a verdict is what it is: a word for machines, and what it says.
CODES = {
    "above_margin": "surely more than the margin, which is 0.4 of the limit",
    "below_limit": "surely within the limit",
    "surely_less": "surely less than before, by more than the margin",
    "between": "between the margin and the limit: neither can be excluded",
    "time_cap": "the time was used up before the answer was clear",
    "given_up": "a side failed now and then, so it was given up",
    "few_pairs": "too few pairs of processes for any bound",
    "drift": "measured at different times, so the drift of the machine may hide or make the difference",
    "unresolvable": "the limit is finer than this machine resolves",
    "new_fails": "works on the base and fails on the new side",
    "base_fails": "fails on the base already, and works on the new side",
    "both_fail": "fails on both sides",
    "only_in_base": "the new side does not have it",
    "only_in_new": "the base does not have it",
    "no_reading": "the metric could not be read on one side at least",
    "bad_reading": "a reading is no positive finite number",
    "no_interval": "no interval could be taken from what was measured",
    "other_host": "measured on hosts or versions that may not be compared",
    "exact_equal": "counted, and equal",
    "exact_more": "counted, and more",
    "exact_less": "counted, and less",
}


@dataclass(frozen=True)
class Side:
    """One of the two: what a user called it, what it is (`commit`, `run`), and facts of its host and libraries."""

    label: str
    commit: str | None = None
    run: str | None = None
    facts: Mapping[str, Value | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Finding:
    """One metric of one benchmark: new against base.

    `base` and `new` are typical values in `unit`. `ratio` is new / base with one-sided bounds `low` and `high`, each at
    `confidence`; None where they could not be had. `direction` is -1 where less is better, +1 where more is, 0 where
    neither is. `limit` is what `--fail-on` accepts (0.05 for 5 %), None where it is shown and not gated. `samples`
    counts pairs of processes (or of processes, where unpaired); 0 for exact counts. `reason` is a sentence; `resolved`
    the relative change that could have been told. `paired` says whether the sides were measured in turns.
    """

    benchmark: str
    metric: str
    unit: str
    direction: Literal[-1, 0, 1]
    base: float | None
    new: float | None
    ratio: float | None
    low: float | None
    high: float | None
    confidence: float
    samples: int
    limit: float | None
    verdict: Verdict
    outcome: Outcome
    code: str
    reason: str
    exact: bool = False
    paired: bool = True
    resolved: float | None = None


@dataclass(frozen=True)
class Comparison:
    """Every finding about two sides. `refused` says why nothing could be compared; `notes` what a reader must know.

    `how` is `ab` where both sides were measured in turns, `stores` where two stores or files were compared. `spent_s`
    is what it took, None where it was not measured. `started_at` is ISO 8601.
    """

    base: Side
    new: Side
    findings: tuple[Finding, ...]
    how: Literal["ab", "stores"]
    refused: str | None = None
    notes: tuple[str, ...] = ()
    started_at: str = ""
    spent_s: float | None = None
    culprit: str | None = None

    @property
    def outcome(self) -> Outcome:
        """Of the whole gate: fail before inconclusive before pass; `ungated` where nothing has a limit."""
        found = {each.outcome for each in self.findings}
        order: tuple[Outcome, ...] = ("fail", "inconclusive", "pass")
        return next((outcome for outcome in order if outcome in found), "ungated")

    def exit_code(self, *, inconclusive_passes: bool = False) -> int:
        """0 pass, 1 regression, 3 inconclusive or nothing comparable."""
        if self.refused is not None or not self.findings:
            return 3
        if self.outcome == "fail":
            return 1
        if self.outcome == "inconclusive" and not inconclusive_passes:
            return 3
        return 3 if all(each.verdict == "not comparable" for each in self.findings) else 0
