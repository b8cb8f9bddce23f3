"""What a stack of convolutions with pooling costs."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from model.shapes import Work
from model.shapes._operators import Operator, elementwise, product_itemsize

#: Neighbours that become one, after every convolution.
POOL = 2

#: Bytes of the place that each maximum came from, kept for backward.
INDEX_B = 8


def lengths(length: int, layers: int) -> Iterator[int]:
    """Positions that each layer reads, then those that are left: pooled in pairs, an odd one by itself."""
    yield length
    for _ in range(layers):
        length = -(-length // POOL)
        yield length


def stack_parameters(inputs: Sequence[int], hidden: int, kernel: int) -> int:
    """All convolutions, from `inputs` channels to `hidden` each, with their biases."""
    return sum(hidden * (kernel * width + 1) for width in inputs)


def stack(work: Work, inputs: Sequence[int], hidden: int, kernel: int, batch: int, length: int) -> Operator:
    """Convolution, ReLU and max-pooling a layer. Each position, padding included, multiplies a whole kernel."""
    total = Operator()
    positions = list(lengths(length, len(inputs)))
    for width, (before, after) in zip(inputs, pairwise(positions), strict=True):
        read, left = batch * before, batch * after * hidden
        out = read * hidden
        pooled = elementwise(work, out, left, backward=left + out, kept=out) + Operator(
            moved=left * INDEX_B, backward_moved=left * INDEX_B, kept=left * INDEX_B
        )
        relu = elementwise(work, out, out, backward=3 * out)  # keeps its output, which the pooling keeps anyway
        total += _convolution(work, width, hidden, kernel, read) + relu + pooled
    return total


def _convolution(work: Work, width: int, hidden: int, kernel: int, positions: int) -> Operator:
    weight, activation = product_itemsize(work), work.activation_itemsize
    matrix = kernel * width * hidden
    flops = 2 * positions * matrix
    return Operator(
        flops=flops,
        moved=(matrix + hidden) * weight + positions * (width + hidden) * activation,
        backward_flops=2 * flops,
        backward_moved=(2 * matrix + hidden) * weight + positions * (2 * width + 3 * hidden) * activation,
        kept=positions * width * activation,
    )


def transient_bytes(work: Work, inputs: Sequence[int], hidden: int, length: int) -> int:
    """The most bytes a sequence that live at one moment of a forward pass, beside the embedded tokens throughout.

    That is either a later layer's input, the convolution and its ReLU, or the ReLU, what pooling makes of it, and the
    places of the maxima, which torch finds even where nothing is kept for backward.
    """
    most = 0
    positions = list(lengths(length, len(inputs)))
    for layer, (before, after) in enumerate(pairwise(positions)):
        read = hidden * before if layer else 0
        convolved = (read + 2 * hidden * before) * work.activation_itemsize
        pooled = hidden * (before + after) * work.activation_itemsize + hidden * after * INDEX_B
        most = max(most, convolved, pooled)
    return most + inputs[0] * length * work.activation_itemsize
