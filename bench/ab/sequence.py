"""The looks of a gate: what was decided after how many pairs. A pure function of the pairs, so it can be replayed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from bench import gate
from bench.ab.pairs import Key
from bench.gate import Estimate, Limit, Outcome


@dataclass(frozen=True)
class Decision:
    """Where a metric of a benchmark stands: the outcome, and what was known when it was decided, or is known now."""

    outcome: Outcome
    estimate: Estimate


def replay(
    values: Mapping[Key, Sequence[float]],
    limits: Mapping[Key, Limit],
    *,
    ended: bool,
    looks: Sequence[int] = gate.LOOKS,
    alpha: float = gate.ALPHA,
) -> dict[Key, Decision]:
    """The decisions on `values`, ln(worse by) of each pair in order, for all that `limits` names.

    Each look sees exactly as many values as it is due to, and decides once: what is decided stays. With `ended`, what
    came after the last look is looked at with the part of alpha of the next one: when the time is up does not depend
    on the values. All of `limits` are one family.
    """
    share = gate.look_alpha(looks, alpha)
    decided: dict[Key, Decision] = {}
    for before, look in pairwise((0, *looks)):
        counts = {key: len(values.get(key, ())) for key in limits if key not in decided}
        due = {key for key, n in counts.items() if n >= look or (ended and n > before)}
        _look({key: list(values[key][:look]) for key in due}, limits, share, decided)
    open_ = {key: values[key] for key in limits if key not in decided and values.get(key)}
    return decided | {key: Decision("undecided", gate.estimate(logs, share)) for key, logs in open_.items()}


def _look(
    due: Mapping[Key, Sequence[float]], limits: Mapping[Key, Limit], share: float, decided: dict[Key, Decision]
) -> None:
    """Decide what can be decided of the values that are due."""
    if not due:
        return
    names = {"\0".join(key): key for key in due}
    found = gate.outcomes(
        {name: due[key] for name, key in names.items()},
        {name: limits[key] for name, key in names.items()},
        share,
        len(limits),
    )
    for name, outcome in found.items():
        if outcome != "undecided":
            decided[names[name]] = Decision(outcome, gate.estimate(due[names[name]], share))
