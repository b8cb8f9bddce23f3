"""Values as a spec or a flag writes them: one, a list, or a range."""

import re

from bench.axes import Axis
from bench.errors import UserError
from bench.kinds import Number
from bench.record import Value

#: A range may not expand to more values than this: a typing error should not become a week of measuring.
MOST_VALUES = 10_000

_RANGE = re.compile(r"(\d+)-(\d+)(?:([*+])(\d+))?")


def expand(axis: Axis, raw: object) -> list[Value]:
    """The values that a spec or a flag names: a value, a list, `1,4,16`, `1-32*2` or `128-1024+128`.

    Raises `UserError` for what the axis does not allow and for an empty or an endless range. Doubles are dropped.
    """
    if axis.found:
        raise UserError(
            f"{axis.name} cannot be chosen in a spec.",
            "Leave it out: it follows from a flag of its own, or from a file.",
        )
    parts: list[Value] = []
    for item in raw if isinstance(raw, list) else [raw]:
        if isinstance(item, bool) or not isinstance(item, (int, float, str)):
            raise UserError(
                f"{axis.name} = {item!r} is neither a word nor a number.", f"{axis.kind.describe()} is allowed."
            )
        for word in item.split(",") if isinstance(item, str) else [item]:
            parts.extend(_range(axis, word.strip()) if isinstance(word, str) else [word])
    if not parts:
        raise UserError(f"{axis.name} has no value.", f"{axis.kind.describe()} is allowed.")
    return list(dict.fromkeys(axis.parse(part) for part in parts))


def _range(axis: Axis, word: str) -> list[Value]:
    match = _RANGE.fullmatch(word)
    if match is None or not isinstance(axis.kind, Number) or not axis.kind.whole:
        return [word]
    first, last, sign, step = int(match[1]), int(match[2]), match[3] or "+", int(match[4] or 1)
    if last < first or (step < 2 and sign == "*") or step < 1 or (first == 0 and sign == "*"):
        raise UserError(
            f"{axis.name} = '{word}' is an empty or endless range.",
            "Write FIRST-LAST, FIRST-LAST+STEP or FIRST-LAST*FACTOR, for example 1-32*2.",
        )
    values: list[Value] = []
    while first <= last:
        values.append(first)
        if len(values) > MOST_VALUES:
            raise UserError(f"{axis.name} = '{word}' has over {MOST_VALUES} values.", "Take a larger step.")
        first = first * step if sign == "*" else first + step
    return values
