"""The `customSmallerIsBetter` form of github-action-benchmark: a JSON list of name, unit, value, range and extra.

The action draws these over time and knows one direction only. A metric of which more is better stands as its inverse
and says so in `extra`; one that is neither better nor worse for being smaller, or that has no value, is left out.
"""

import json
from typing import Any

from reports import gate_words, labels
from reports.comparison import Comparison, Finding

DESCRIPTION = "JSON for github-action-benchmark (tool: customSmallerIsBetter)"


def render(comparison: Comparison) -> str:
    """The values of the new side, in SI units so that they can be compared from run to run."""
    ordered = sorted(comparison.findings, key=lambda each: (each.benchmark, each.metric))
    entries = [entry for each in ordered if (entry := _entry(each, gate_words.side(comparison.base)))]
    return json.dumps(entries, indent=2, allow_nan=False) + "\n"


def _entry(finding: Finding, base: str) -> dict[str, Any] | None:
    inverse = finding.direction > 0
    value = gate_words.usable(finding.new) if inverse else gate_words.finite(finding.new)
    if value is None or finding.direction == 0:
        return None
    name = f"{gate_words.benchmark(finding)}: {gate_words.metric(finding.metric)}"
    unit = labels.plain(finding.unit) or "count"
    why = "The inverse is shown, since smaller must be better. " if inverse else ""
    entry = {
        "name": f"{name}, inverse" if inverse else name,
        "unit": f"1/({unit})" if inverse else unit,
        "value": 1 / value if inverse else value,
        "extra": f"{why}{gate_words.verdict(finding)}: {gate_words.reason(finding)}",
    }
    if gate_words.usable(finding.ratio) is not None and not finding.exact:
        entry["range"] = f"{gate_words.change(finding)} against {base}"
    return entry
