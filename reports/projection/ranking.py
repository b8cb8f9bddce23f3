"""Which option is best, and which cannot be told apart."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal

import numpy as np

from reports.projection.answers import Draws, Estimate, Option
from reports.projection.bounds import Span, span
from reports.projection.demand import SURE

Criterion = Literal["owned cost", "rented cost", "energy", "speed"]
#: Names in a note; further ones are counted.
_NAMED = 4


def figure(option: Option, criterion: Criterion) -> Estimate | None:
    """What the option is ranked by: money or J per token (less is better), or tokens/s of one replica (more is)."""
    if criterion == "owned cost":
        return option.cost.owned_per_Mtoken
    if criterion == "rented cost":
        return option.cost.rented_per_Mtoken
    return option.outlook.joules_per_token if criterion == "energy" else option.outlook.tokens_per_s


def usable(options: Sequence[Option], wanted: Criterion) -> tuple[Criterion, str | None]:
    """The criterion by which `options` can be ranked, and a note where that is not the one wanted, or not for all.

    Without any price to buy the ones to rent serve, and without any price or power the speed.
    """
    lacking = [option.outlook.candidate.label for option in options if figure(option, wanted) is None]
    if not lacking:
        return wanted, None
    if len(lacking) < len(options):
        named = [*lacking[:_NAMED], *([f"{len(lacking) - _NAMED} more"] if len(lacking) > _NAMED else [])]
        return wanted, f"Ranked without {wanted}, behind those that have it: {', '.join(named)}."
    others: tuple[Criterion, ...] = ("rented cost", "speed") if wanted == "owned cost" else ("speed",)
    found = next(other for other in others if other == "speed" or any(figure(each, other) for each in options))
    return found, f"No option has a figure for {wanted}, so they are ranked by {found}: {_why(options[0], wanted)}."


def rank(options: Sequence[Option], criterion: Criterion) -> tuple[Option, ...]:
    """`options` with their ranks, the best first.

    Sorted by the likely value, an option opens a new rank where it is worse in 95 % of the paired draws than one of the
    rank above it. A rank counts all options above it: two firsts are followed by a third. Behind those with an estimate
    come those of which only a bound is known, then those without the figure, which cannot be told apart; and behind all
    of them, in the same order, those that miss a limit.
    """
    entries = sorted((_entry(option, criterion) for option in options), key=lambda entry: (entry.group, entry.likely))
    ranked: list[Option] = []
    for group, members in groupby(entries, key=lambda entry: entry.group):
        these = list(members)
        openings = _openings(these) if group in _ESTIMATED else [0]
        for first, following in zip(openings, [*openings[1:], len(these)], strict=True):
            place = len(ranked) + 1
            ranked += [replace(entry.option, rank=place) for entry in these[first:following]]
    return tuple(ranked)


def better(one: Option, other: Option, criterion: Criterion) -> float | None:
    """The share of paired draws in which `one` is surely better; None where one of them has no figure."""
    mine, theirs = _span(one, criterion), _span(other, criterion)
    return None if mine is None or theirs is None else float(np.mean(mine.high < theirs.low))


def front(options: Sequence[Option], *, rented: bool = False) -> tuple[bool, ...]:
    """Whether no other option is at least as cheap and as fast and better in one, by likely values (the Pareto front).

    Cost per token owned, or `rented`, against tokens/s of a replica; False for those that miss a limit, have no cost,
    or of which only a bound is known.
    """
    points = [_merits(option, rented) for option in options]
    cost, speed = np.array([point or (np.inf, 0.0) for point in points]).reshape(-1, 2).T
    no_worse = (cost[:, None] <= cost) & (speed[:, None] >= speed)
    beats = no_worse & ((cost[:, None] < cost) | (speed[:, None] > speed))
    return tuple(point is not None and not beats[:, place].any() for place, point in enumerate(points))


def _merits(option: Option, rented: bool) -> tuple[float, float] | None:
    cost, speed = figure(option, "rented cost" if rented else "owned cost"), option.outlook.tokens_per_s
    if not option.meets or cost is None or cost.kind != "estimate" or speed.kind != "estimate":
        return None
    return cost.likely, speed.likely


#: Groups in their order: an estimate, a bound, no figure; then the same of those that miss a limit.
_ESTIMATED, _BOUND, _NO_FIGURE, _MISSES = (0, 3), 1, 2, 3


@dataclass(frozen=True, eq=False)
class _Entry:
    """An option and its figure, of which less is better whatever the criterion."""

    option: Option
    group: int
    likely: float
    draws: Draws


def _entry(option: Option, criterion: Criterion) -> _Entry:
    told, misses = figure(option, criterion), 0 if option.meets else _MISSES
    if told is None:
        return _Entry(option, misses + _NO_FIGURE, 0.0, np.zeros(1))
    sign = -1.0 if criterion == "speed" else 1.0
    return _Entry(option, misses + (told.kind != "estimate") * _BOUND, sign * told.likely, sign * told.draws)


def _span(option: Option, criterion: Criterion) -> Span | None:
    told = figure(option, criterion)
    if told is None:
        return None
    known = span(told)
    return Span(-known.high, -known.low) if criterion == "speed" else known


def _openings(entries: Sequence[_Entry]) -> list[int]:
    """The places of the sorted entries at which a rank begins."""
    width = max(entry.draws.size for entry in entries)
    draws = np.stack([np.broadcast_to(entry.draws, width) for entry in entries])
    openings = [0]
    for place in range(1, len(entries)):
        worse = np.count_nonzero(draws[openings[-1] : place] < draws[place], axis=1)
        if (worse >= SURE * width).any():
            openings.append(place)
    return openings


def _why(option: Option, criterion: Criterion) -> str:
    if criterion == "energy":
        return "no power is known"
    lacking = "owned_per_Mtoken" if criterion == "owned cost" else "rented_per_Mtoken"
    return option.cost.missing.get(lacking, "it is not known")
