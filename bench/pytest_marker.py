"""What `@pytest.mark.pinchpoint(budget="2s", limit="5%", inconclusive="pass")` asks for, checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from bench import limits
from bench.errors import UserError
from bench.gate import Limit
from bench.kinds import Duration, nearest

_BUDGET = Duration(0.05, 3600)
_KNOWN = ("budget", "limit", "inconclusive")
_REMEDY = 'Write it such as @pytest.mark.pinchpoint(budget="2s", limit="5%", inconclusive="fail").'


@dataclass(frozen=True)
class Options:
    """How long a test may measure, how much slower it may be, and what becomes of it where that cannot be told."""

    budget_s: float = 2.0
    limit: Limit = field(default_factory=lambda: Limit(0.05))
    inconclusive: Literal["pass", "fail"] = "pass"


def read(given: Mapping[str, object], test: str, positional: Sequence[object] = ()) -> Options:
    """The options of a marker's keyword arguments. Raises `UserError` that names the test and the argument."""
    if positional:
        raise UserError(f"{test}: the marker pinchpoint takes no {positional[0]!r} without a name.", _REMEDY)
    for name in given:
        if name not in _KNOWN:
            raise UserError(f"{test}: the marker pinchpoint has no '{name}'.{nearest(name, _KNOWN)}", _REMEDY)
    made = Options()
    try:
        budget_s = _BUDGET.parse(_value(given["budget"])) if "budget" in given else made.budget_s
        limit = limits.limit(str(given["limit"])) if "limit" in given else made.limit
    except ValueError as error:
        raise UserError(f"{test}: budget = {given['budget']!r} {error}", _REMEDY) from None
    except UserError as error:
        raise UserError(f"{test}: {error.message}", _REMEDY) from None
    inconclusive = given.get("inconclusive", made.inconclusive)
    if inconclusive not in ("pass", "fail"):
        raise UserError(f"{test}: inconclusive = {inconclusive!r} is neither 'pass' nor 'fail'.", _REMEDY)
    return Options(float(budget_s), limit, inconclusive)


def _value(raw: object) -> str | float:
    return raw if isinstance(raw, (str, float, int)) else repr(raw)
