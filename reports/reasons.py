"""Why a variant was not faster: only what its record supports, by a warning, a count or the scheme's own definition."""

from collections.abc import Callable

from reports.estimate import NEGLIGIBLE
from reports.study import Pair
from reports.tradeoffs import stored

#: Whether a pair shows a cause, and the cause in words that follow a colon.
_Rule = tuple[Callable[[Pair], bool], str]


def _warned(code: str) -> Callable[[Pair], bool]:
    return lambda pair: any(warning.code == code for warning in pair.variant.warnings)


def _is(axis: str, *endings: str) -> Callable[[Pair], bool]:
    return lambda pair: str(pair.variant.axes.get(axis, "")).endswith(endings)


def _in_parts(pair: Pair) -> bool:
    parts = pair.variant.axes.get("accumulation", 1)
    return isinstance(parts, int) and parts > 1


def _ranks_too_high(pair: Pair) -> bool:
    """Factors of rank r work as much as their matrix once r * (rows + columns) = rows * columns: so do their bytes."""
    before, after = stored(pair.reference), stored(pair.variant)
    factored = pair.variant.axes.get("factorize", "none") != "none"
    return factored and before is not None and after is not None and after >= before * (1 - NEGLIGIBLE)


_RULES: tuple[_Rule, ...] = (
    (_warned("masked_only"), "the pruned weights are zeros that run through dense kernels like any other number"),
    (_is("quantize", "-weight"), "the weights are unpacked to floating point again before each product"),
    (_is("quantize", "-dynamic"), "the activations are quantized anew before each product"),
    (_ranks_too_high, "at these ranks the factors hold about as many numbers as the matrices that they replace"),
    (_is("checkpointing", "on"), "the activations are computed a second time on the way back"),
    (_in_parts, "the parts of a batch are the same work as the whole, and more calls"),
)


def causes(pair: Pair) -> tuple[str, ...]:
    """What in the variant's record explains that it gained no speed, each as a clause; empty where nothing does."""
    return tuple(words for holds, words in _RULES if holds(pair))
