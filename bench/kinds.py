"""Kinds of values that an axis or a setting may take: how each is read, and what is allowed."""

import difflib
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from bench.record import Value


def nearest(word: str, known: Iterable[str]) -> str:
    """` Did you mean 'x'?`, or nothing where no known word is near."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" Did you mean '{close[0]}'?" if close else ""


@dataclass(frozen=True)
class Choice:
    """One of a set of words; the set may be found late (by listing a folder)."""

    words: Callable[[], Sequence[str]]

    def parse(self, raw: Value) -> Value:
        """The word itself. Raises ValueError with what is allowed."""
        known = self.words()
        if not isinstance(raw, str) or raw not in known:
            raise ValueError(f"is none of {', '.join(known)}.{nearest(str(raw), known)}")
        return raw

    def describe(self) -> str:
        """The allowed words."""
        return "|".join(self.words())


@dataclass(frozen=True)
class Number:
    """A number within bounds (both included), or one of a few words such as `auto`."""

    low: float
    high: float
    whole: bool = True
    words: tuple[str, ...] = ()

    def parse(self, raw: Value) -> Value:
        """An int or a float. Raises ValueError with what is allowed."""
        if isinstance(raw, str) and raw in self.words:
            return raw
        try:
            if isinstance(raw, bool):
                raise ValueError
            value: int | float = (int(raw) if not isinstance(raw, float) else raw) if self.whole else float(raw)
        except ValueError:
            raise ValueError(f"is no {self._kind()}; {self.describe()} is allowed.") from None
        if not math.isfinite(value) or (self.whole and value != int(value)) or not self.low <= value <= self.high:
            raise ValueError(f"is out of range; {self.describe()} is allowed.")
        return int(value) if self.whole else value

    def _kind(self) -> str:
        return "whole number" if self.whole else "number"

    def describe(self) -> str:
        """The bounds, and the words."""
        low, high = (f"{bound:,.0f}" if self.whole else f"{bound:g}" for bound in (self.low, self.high))
        return f"{' or '.join([*self.words, ''])}{low} to {high}"


@dataclass(frozen=True)
class Duration:
    """Seconds within bounds, as a number or as `90s`, `2m` or `1h`."""

    low: float
    high: float

    def parse(self, raw: Value) -> Value:
        """Seconds. Raises ValueError with what is allowed."""
        match = re.fullmatch(r"([0-9.]+(?:[eE][-+]?\d+)?)([smh]?)", str(raw))
        try:
            seconds = float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]] if match else math.nan
        except ValueError:
            seconds = math.nan
        if not self.low <= seconds <= self.high:
            raise ValueError(f"is no time; {self.describe()} is allowed.")
        return seconds

    def describe(self) -> str:
        """The form and the bounds."""
        return f"{self.low:,.0f} to {self.high:,.0f} seconds, or such as 90s, 2m, 1h"


@dataclass(frozen=True)
class Pattern:
    """A word of a given form."""

    form: str
    says: str

    def parse(self, raw: Value) -> Value:
        """The word itself. Raises ValueError with what is allowed."""
        if not isinstance(raw, str) or not re.fullmatch(self.form, raw):
            raise ValueError(f"is not of the form {self.says}.")
        return raw

    def describe(self) -> str:
        """The form in words."""
        return self.says


Kind = Choice | Number | Duration | Pattern
