"""The batch at which a device meets the limits of a user, and how many replicas meet a demand.

A demand is the busiest rate that must be served, in generated tokens/s; over its life a fleet does `utilization` of
that. No request waits for a slot in these figures: capacity is above the demand, requests are taken as even, and what
bursts add to the time to the first token is not in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench import units
from reports.projection.answers import LOW, Draws, Estimate, Option, Outlook, Refusal, Workload

#: Capacity and limits are said to be met without a word of doubt where they are in this share of the draws.
SURE = 1 - LOW


@dataclass(frozen=True)
class Replicas:
    """How many: `safe` meet the demand in 95 % of the draws, `likely` at the median speed.

    `at_least` where only a limit of the speed is known: no fewer will do, and it may take more.
    """

    safe: int
    likely: int
    at_least: bool = False


@dataclass(frozen=True)
class Choice:
    """The batch chosen (that of its outlook), the replicas it takes, and what is missed or in doubt, as sentences."""

    outlook: Outlook
    replicas: Replicas
    meets: bool
    misses: tuple[str, ...]


def ladder(most_batch: int) -> tuple[int, ...]:
    """The batches worth trying: powers of two, and the largest that fits. Nothing where not even one does."""
    powers = (2**power for power in range(max(most_batch, 0).bit_length()))
    return tuple(dict.fromkeys((*powers, most_batch))) if most_batch > 0 else ()


def pick(
    batches: NDArray[np.int_],
    ttft_s: NDArray[np.float64],
    tpot_s: NDArray[np.float64],
    tokens_per_s: NDArray[np.float64],
    most_batch: NDArray[np.int_],
    workload: Workload,
) -> NDArray[np.int_]:
    """The place in `batches` that is best for each candidate; -1 where no batch fits.

    Best: the largest throughput within the limits; where none is within, the one that exceeds them least. `batches`
    has one row for all candidates or one each, the likely times (s) and speeds are candidates x batches, and
    `most_batch` has one value a candidate.
    """
    wide = np.broadcast_to(batches, tokens_per_s.shape)
    fits = wide <= np.asarray(most_batch)[:, None]
    if workload.batch is not None:
        fits &= wide == workload.batch
    over = np.ones(tokens_per_s.shape)
    for seconds, limit in ((ttft_s, workload.ttft_s), (tpot_s, workload.tpot_s)):
        if limit is not None:
            over = np.maximum(over, seconds / limit)
    within = fits & (over <= 1)
    fastest = np.argmax(np.where(within, tokens_per_s, -np.inf), axis=1)
    nearest = np.argmin(np.where(fits, over, np.inf), axis=1)
    best = np.where(within.any(axis=1), fastest, nearest)
    return np.where(fits.any(axis=1), best, -1)


def choose(outlooks: Sequence[Outlook], workload: Workload) -> Choice | Refusal:
    """The best of one candidate's outlooks at several batches (`pick`), judged by its draws."""
    label = outlooks[0].candidate.label
    fitting = [each for each in outlooks if each.fit.fits]
    if not fitting:
        return Refusal(label, next((each.fit.reason for each in outlooks if each.fit.reason), "the model does not fit"))
    likely = np.array([[[e.ttft_s.likely, e.tpot_s.likely, e.tokens_per_s.likely] for e in fitting]])
    most = max(each.fit.most_batch for each in fitting)
    batches = np.array([each.batch for each in fitting])
    place = int(pick(batches, likely[..., 0], likely[..., 1], likely[..., 2], np.array([most]), workload)[0])
    if place < 0:
        asked = f" {workload.batch}" if workload.batch is not None else ""
        return Refusal(label, f"a batch of{asked or ' one'} does not fit: at most {most} sequences do")
    return judge(fitting[place], workload)


def judge(outlook: Outlook, workload: Workload) -> Choice:
    """Whether one outlook meets the limits at the likely value, what is missed or in doubt, and how many it takes."""
    meets, misses = True, []
    for what, seconds, limit in (
        ("time to the first token", outlook.ttft_s, workload.ttft_s),
        ("time per further token", outlook.tpot_s, workload.tpot_s),
    ):
        if limit is not None:
            met, doubt = _within(what, seconds, limit)
            meets &= met
            misses += [doubt] if doubt else []
    count = replicas(outlook.tokens_per_s, workload.demand_tokens_per_s)
    if count.at_least:
        misses.append(f"at least {count.safe} of it are needed: only a limit of its speed is known")
    return Choice(outlook, count, meets, tuple(misses))


def replicas(tokens_per_s: Estimate, demand_tokens_per_s: float | None) -> Replicas:
    """How many replicas meet the demand; one where none was given.

    What is uncertain is how fast the device is, which is the same for all replicas: their doubt does not average out.
    """
    if demand_tokens_per_s is None:
        return Replicas(1, 1)
    safe, likely = count(demand_tokens_per_s, np.quantile(tokens_per_s.draws, [LOW, 0.5]))
    return Replicas(int(safe), int(likely), tokens_per_s.kind == "at_most")


def count(demand_tokens_per_s: float, tokens_per_s: Draws) -> Draws:
    """How many of each speed meet the demand, at least one."""
    # a demand of exactly n replicas must not take one more by rounding
    return np.maximum(np.ceil(demand_tokens_per_s / tokens_per_s * (1 - 1e-12)), 1)


def nearest(options: Sequence[Option], workload: Workload) -> Option:
    """Of options that all miss the limits, the one that exceeds them least; of equal ones the fastest."""

    def over(option: Option) -> float:
        outlook = option.outlook
        limits = ((outlook.ttft_s, workload.ttft_s), (outlook.tpot_s, workload.tpot_s))
        return max((seconds.likely / limit for seconds, limit in limits if limit is not None), default=1.0)

    return min(options, key=lambda option: (over(option), -option.outlook.tokens_per_s.likely))


def _within(what: str, seconds: Estimate, limit: float) -> tuple[bool, str]:
    shown, bound = units.quantity(seconds.likely, "s"), units.quantity(limit, "s")
    share = float(np.mean(seconds.draws <= limit))
    met = seconds.likely <= limit
    if seconds.kind == "at_least":
        doubt = f"{what} is at least {shown}, and more is not known; the limit is {bound}"
        return met, doubt if met else f"{what} is at least {shown}, above the limit of {bound}"
    if seconds.kind == "at_most":
        return (
            met,
            "" if met else f"{what} is at most {shown}, and whether it is below the limit of {bound} is not known",
        )
    if met:
        return True, "" if share >= SURE else f"{what} is within the limit of {bound} in {share:.0%} of the draws"
    return False, f"{what} is {shown}, above the limit of {bound}, which {share:.0%} of the draws meet"
