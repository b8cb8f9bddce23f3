"""How long an iteration would take after a change: its pieces, each as long as the one that takes its place. Pure.

A piece that was timed beside its replacement, in turns, takes its observed time times the ratio of the two, with the
interval of that ratio over the rounds. What was not timed is told by sizes: between nothing of it changing and all of
its time following the bytes. The first kind of error is independent from piece to piece and adds up by squares; the
second is not, and adds up plainly. What even exact pieces would not foretell has a floor of its own.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from bench.kernels import Kernel
from bench.parts import Part
from bench.remedies import Change

#: Seconds of each round of a kernel, or why it cannot be had; kernels of one part took turns.
Timings = Mapping[tuple[int, Kernel], Sequence[float] | str]

#: ln T of a sum of pieces that were timed alone is not that of the iteration: pieces leave each other caches and idle
#: threads in another state. Half-width, as `tests.proofs.advice` finds it (two thirds of its errors are smaller).
FLOOR = 0.08


@dataclass(frozen=True)
class Prediction:
    """ln(time of a token after / before) with its interval, and the share of the time whose change was assumed."""

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
    """Seconds after the change: likely, at least and at most; whether that was measured."""

    likely: float
    low: float
    high: float
    measured: bool = True


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
    pieces = [_after(change, place, part, timings, call_s) for place, part in enumerate(parts)]
    likely = sum(piece.likely for piece in pieces)
    bounds = []
    for sign, ends in ((-1, [piece.low for piece in pieces]), (1, [piece.high for piece in pieces])):
        errors = [(end - piece.likely, piece.measured) for end, piece in zip(ends, pieces, strict=True)]
        squares = math.sqrt(sum(error**2 for error, measured in errors if measured))
        plain = sum(error for error, measured in errors if not measured)
        bounds.append(max(likely + sign * squares + plain, 0.01 * likely))
    log, low, high = (math.log(seconds / before / change.work) for seconds in (likely, *bounds))
    assumed = sum(part.seconds for part, piece in zip(parts, pieces, strict=True) if not piece.measured) / before
    return Prediction(log, log - math.hypot(log - low, FLOOR), log + math.hypot(high - log, FLOOR), assumed)


def _after(change: Change, place: int, part: Part, timings: Timings, call_s: float) -> _Piece:
    seconds = part.seconds
    if part.host:
        return _assumed(seconds, change.host.likely, change.host.low, change.host.high)
    if part.kernel is None:  # it costs its calls
        return _assumed(seconds, change.host.likely, change.host.low, change.host.high)
    kernel = change.kernel(part.kernel)
    product = part.kernel.kind != "elementwise"
    rest = change.rest
    if kernel == part.kernel:
        piece = _Piece(seconds, seconds, seconds)
    else:
        old, new = timings.get((place, part.kernel)), timings.get((place, kernel))
        if old and new and not isinstance(old, str) and not isinstance(new, str):
            logs = [math.log(b / a) for a, b in zip(old, new, strict=False)]
            piece = _Piece(
                seconds * math.exp(median(logs)), seconds * math.exp(min(logs)), seconds * math.exp(max(logs))
            )
        else:
            piece = _by_size(seconds, part, kernel, call_s)
    times = change.repeats if part.kernel.over == "tokens" else 1.0
    if not product and rest.low != rest.high:
        return _assumed(piece.likely * times, rest.likely, rest.low, rest.high)
    return _Piece(piece.likely * times, piece.low * times, piece.high * times, piece.measured)


def _assumed(seconds: float, likely: float, low: float, high: float) -> _Piece:
    return _Piece(seconds * likely, seconds * low, seconds * high, measured=low == high)


def _by_size(seconds: float, part: Part, kernel: Kernel, call_s: float) -> _Piece:
    """What its calls cost stays, the rest follows the bytes; at the ends, nothing or all of it does."""
    assert part.kernel is not None
    ratio = kernel.bytes / part.kernel.bytes
    fixed = min(seconds, part.calls * call_s)
    likely = fixed + (seconds - fixed) * ratio
    ends = (seconds, seconds * ratio)
    return _Piece(likely, min(ends), max(ends), measured=False)
