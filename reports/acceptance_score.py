"""One number for a returned measurement, and an order for several: ratios to the limits, so no unit matters. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Ratio:
    """How many times as good as asked: 1 is the limit, more is better. Bounds are None where there is no interval."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Score:
    """The weighted geometric mean of all ratios with its interval; `reason` says why there is none, or no interval."""

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class Placed:
    """A place in an order, from 1; `index` is that of the score as given. Those of one place cannot be told apart."""

    index: int
    place: int


def score(ratios: Sequence[tuple[Ratio | None, float]]) -> Score:
    """exp(sum(w ln r) / sum(w)) over ratios r with their weights w > 0.

    A geometric mean ranks alike whatever the ratios refer to (Fleming & Wallace, CACM 1986), and a ratio has no unit.
    Its bounds are those if all figures erred to the same side at once: wide enough however they depend on each other.
    A missing ratio leaves no score at all, since every number put in its place would be invented. The sum is exact
    (`math.fsum`), so the order does not matter. Raises ValueError for no ratios.
    """
    if not ratios:
        raise ValueError("no ratios")
    known = [(ratio, weight) for ratio, weight in ratios if ratio is not None]
    if len(known) < len(ratios):
        missing = len(ratios) - len(known)
        return Score(None, reason=f"{missing} of {len(ratios)} figures {'is' if missing == 1 else 'are'} missing")
    value = _mean([(ratio.value, weight) for ratio, weight in known])
    bounded = [
        (ratio.low, ratio.high, weight) for ratio, weight in known if ratio.low is not None and ratio.high is not None
    ]
    if len(bounded) < len(known):
        return Score(value, reason=f"{len(known) - len(bounded)} of {len(known)} figures have no interval")
    low = _mean([(low, weight) for low, _, weight in bounded])
    return Score(value, low, _mean([(high, weight) for _, high, weight in bounded]))


def _mean(values: Sequence[tuple[float, float]]) -> float:
    total = math.fsum(weight for _, weight in values)
    return math.exp(math.fsum(weight * math.log(value) for value, weight in values) / total)


def ranked(scores: Sequence[tuple[int, Score]]) -> tuple[Placed, ...]:
    """Places of the scores, each with its class (0 is best): by class first, then by score, those without one last.

    A place is 1 + how many are surely better: of a better class, or of the same with an interval wholly above. A score
    without an interval is told from none, a missing one is below every other of its class.
    """
    places = [1 + sum(_better(other, each) for other in scores) for each in scores]
    order = sorted(range(len(scores)), key=lambda index: (places[index], -(scores[index][1].value or 0.0)))
    return tuple(Placed(index, places[index]) for index in order)


def _better(one: tuple[int, Score], other: tuple[int, Score]) -> bool:
    """Whether `one` is surely better than `other`."""
    if one[0] != other[0]:
        return one[0] < other[0]
    if one[1].value is None or other[1].value is None:
        return one[1].value is not None and other[1].value is None
    return one[1].low is not None and other[1].high is not None and one[1].low > other[1].high
