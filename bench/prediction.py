"""How long an iteration would take after a change: its pieces, each as long as the one that takes its place. Pure.

A piece that was timed beside its replacement, in turns, takes its observed time times the ratio of the two, with the
interval of that ratio over the rounds. What was not timed is told by sizes: between nothing of it changing and all of
its time following the bytes. The first kind of error is independent from piece to piece and adds up by squares; the
second is not, and adds up plainly. What even exact pieces would not foretell has a floor of its own.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from bench.kernels import Kernel
from bench.parts import Part
from bench.remedies import SAME, Change, Factor

#: Seconds of each round of a kernel, or why it cannot be had; kernels of one part took turns.
Timings = Mapping[tuple[int, Kernel], Sequence[float] | str]

#: ln T of a sum of pieces that were timed alone is not that of the iteration: pieces leave each other caches and idle
#: threads in another state, and processes differ. Half-width of 90 %: so many of the errors that `tests.proofs.advice`
#: found on two cores were smaller (half of them below 0.05, two thirds below 0.10).
FLOOR = 0.19


@dataclass(frozen=True)
class Prediction:
    """ln(time of a token after / before) with its 90 % interval, and the share of the time whose change was assumed."""

    log: float
    low: float
    high: float
    assumed: float

    @property
    def gain(self) -> float:
        """Time before / after - 1."""
        return math.expm1(-self.log)


@dataclass(frozen=True)
class _Piece:
    """Seconds before the change and after it: likely, at least and at most; whether that was measured."""

    before: float
    likely: float
    low: float
    high: float
    measured: bool = True

    def times(self, factor: float) -> "_Piece":
        """The same, run more often."""
        return replace(self, likely=self.likely * factor, low=self.low * factor, high=self.high * factor)


def refusal(change: Change, parts: Sequence[Part], timings: Timings) -> str | None:
    """Why a kernel that the change needs cannot be had here; None where all can."""
    for place, part in enumerate(parts):
        if part.kernel is not None:
            found = timings.get((place, change.kernel(part.kernel)))
            if isinstance(found, str):
                return found
    return None


def predict(change: Change, parts: Sequence[Part], timings: Timings, call_s: float) -> Prediction:
    """The time of a token after `change`. `call_s` is what an operator costs whatever its size, in s."""
    before = sum(part.seconds for part in parts)
    pieces = [piece for place, part in enumerate(parts) for piece in _after(change, place, part, timings, call_s)]
    likely = sum(piece.likely for piece in pieces)
    bounds = []
    for sign, ends in ((-1, [piece.low for piece in pieces]), (1, [piece.high for piece in pieces])):
        errors = [(end - piece.likely, piece.measured) for end, piece in zip(ends, pieces, strict=True)]
        squares = math.sqrt(sum(error**2 for error, measured in errors if measured))
        plain = sum(error for error, measured in errors if not measured)
        bounds.append(max(likely + sign * squares + plain, 0.01 * likely))
    log, low, high = (math.log(seconds / before / change.work) for seconds in (likely, *bounds))
    assumed = sum(piece.before for piece in pieces if not piece.measured) / before
    return Prediction(log, log - math.hypot(log - low, FLOOR), log + math.hypot(high - log, FLOOR), assumed)


def _after(change: Change, place: int, part: Part, timings: Timings, call_s: float) -> list[_Piece]:
    seconds, kernel = part.seconds, part.kernel
    if part.host or kernel is None:  # it costs its calls
        return [_assumed(seconds, seconds, change.host)]
    changed, product = change.kernel(kernel), kernel.kind != "elementwise"
    old, new = timings.get((place, kernel)), timings.get((place, changed))
    if changed == kernel:
        pieces = [_Piece(seconds, seconds, seconds, seconds)]
    elif old and new and not isinstance(old, str) and not isinstance(new, str):
        logs = [math.log(b / a) for a, b in zip(old, new, strict=False)]
        # an elementwise piece alone does not show what new pages cost: that time follows the bytes, if anything
        shown = seconds if product else min(seconds, part.calls * median(old))
        likely, low, high = (shown * math.exp(log) for log in (median(logs), min(logs), max(logs)))
        pieces = [_Piece(shown, likely, low, high)]
        if seconds > shown:
            pieces.append(_by_size(seconds - shown, kernel, changed, 0.0))
    else:
        pieces = [_by_size(seconds, kernel, changed, part.calls * call_s)]
    if not product and change.rest != SAME:
        return [_assumed(piece.before, piece.likely, change.rest).times(_repeats(change, kernel)) for piece in pieces]
    return [piece.times(_repeats(change, kernel)) for piece in pieces]


def _repeats(change: Change, kernel: Kernel) -> float:
    return change.repeats if kernel.over == "tokens" else 1.0


def _assumed(before: float, seconds: float, factor: Factor) -> _Piece:
    certain = factor.low == factor.high
    return _Piece(before, seconds * factor.likely, seconds * factor.low, seconds * factor.high, certain)


def _by_size(seconds: float, kernel: Kernel, changed: Kernel, fixed_s: float) -> _Piece:
    """What its calls cost stays, the rest follows the bytes; at the ends, nothing or all of it does."""
    ratio = changed.bytes / kernel.bytes
    fixed = min(seconds, fixed_s)
    ends = (seconds, seconds * ratio)
    return _Piece(seconds, fixed + (seconds - fixed) * ratio, min(ends), max(ends), measured=ratio == 1.0)
