"""Everything about a comparison as one JSON object, for programs of one's own."""

import json
import math
from typing import Any

from reports import gate_words
from reports.comparison import Comparison, Finding, Side

DESCRIPTION = "the whole comparison as JSON, for programs of your own"

#: 1: the first form.
_SCHEMA = 1


def render(comparison: Comparison) -> str:
    """One object with the fields of `Comparison`, the gate's answer, and null for what is no finite number."""
    content = {
        "schema": _SCHEMA,
        "outcome": comparison.outcome,
        "exit_code": comparison.exit_code(),
        "answer": gate_words.answer(comparison),
        "remedy": gate_words.remedy(comparison),
        **_fields(comparison),
        "base": _side(comparison.base),
        "new": _side(comparison.new),
        "notes": list(comparison.notes),
        "findings": [_fields(finding) for finding in comparison.findings],
    }
    return json.dumps(content, indent=2, allow_nan=False) + "\n"


def _side(side: Side) -> dict[str, Any]:
    return {**_fields(side), "facts": {name: _value(value) for name, value in side.facts.items()}}


def _fields(given: Comparison | Finding | Side) -> dict[str, Any]:
    return {name: _value(value) for name, value in vars(given).items()}


def _value(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
