"""Arithmetic with quantities of which only a limit may be known, so that a bound stays one through every formula."""

from dataclasses import dataclass

import numpy as np

from reports.projection.answers import HIGH, LOW, Draws, Estimate


@dataclass(frozen=True, eq=False)
class Span:
    """A quantity that is not negative, draw by draw between `low` and `high`; both are one array where it is known."""

    low: Draws
    high: Draws

    @property
    def known(self) -> bool:
        """Whether it is an estimate and no bound."""
        return self.low is self.high

    def __add__(self, other: "Span | Draws | float") -> "Span":
        if isinstance(other, Span):
            low = self.low + other.low
            return Span(low, low if self.known and other.known else self.high + other.high)
        low = self.low + other
        return Span(low, low if self.known else self.high + other)

    def __mul__(self, other: "Span | Draws | float") -> "Span":
        if isinstance(other, Span):
            low = self.low * other.low
            return Span(low, low if self.known and other.known else _product(self.high, other.high))
        low = self.low * other
        return Span(low, low if self.known else _product(self.high, np.asarray(other)))

    def __truediv__(self, other: "Span") -> "Span":
        with np.errstate(divide="ignore", invalid="ignore"):
            low = self.low / other.high
            if self.known and other.known:
                return Span(low, low)
            return Span(
                np.nan_to_num(low, nan=0.0, posinf=np.inf),
                np.nan_to_num(self.high / other.low, nan=np.inf, posinf=np.inf),
            )

    def at_most(self, limit: Draws | float) -> "Span":
        """The smaller of it and of `limit`, draw by draw."""
        low = np.minimum(self.low, limit)
        return Span(low, low if self.known else np.minimum(self.high, limit))


def _product(one: Draws, other: Draws) -> Draws:
    """Nothing times the unknown is nothing, and not a number to a computer."""
    with np.errstate(invalid="ignore"):
        return np.nan_to_num(one * other, nan=0.0, posinf=np.inf)


def exactly(value: Draws | float) -> Span:
    """A quantity without doubt; or an array of such."""
    one = np.atleast_1d(np.asarray(value, dtype=float))
    return Span(one, one)


def span(estimate: Estimate | None) -> Span:
    """What is known of it: everything from 0 upwards is possible where there is none."""
    if estimate is None:
        return Span(np.zeros(1), np.full(1, np.inf))
    if estimate.kind == "at_most":
        return Span(np.zeros_like(estimate.draws), estimate.draws)
    if estimate.kind == "at_least":
        return Span(estimate.draws, np.full_like(estimate.draws, np.inf))
    return Span(estimate.draws, estimate.draws)


def estimate(found: Span, unit: str) -> Estimate | None:
    """`found` as an answer; None where it says nothing.

    A bound keeps one draw, the one that holds in 95 % of them. Where both ends are known, the upper one is told.
    """
    if found.known:
        return Estimate(found.low, unit)
    if np.isfinite(found.high).all():
        return Estimate(np.array([np.quantile(found.high, HIGH)]), unit, "at_most")
    low = float(np.quantile(found.low, LOW))
    return Estimate(np.array([low]), unit, "at_least") if low > 0 and np.isfinite(low) else None
