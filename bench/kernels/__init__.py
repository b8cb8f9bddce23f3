"""Pieces of an iteration, timed alone at the very sizes that they have, or would have after a change: one file a kind.

A file offers `weights_B(kernel) -> int` (bytes that one call reads of what outlives it) and `build(kernel, device) ->
Step`, a single call. They are no ceilings: what is timed is what the suite's own models would run, with torch's modules
and the suite's own quantization and autocast, however far it falls short of the machine. Only ratios of two pieces that
were timed in turns are used. No torch is imported here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from model import plugins

PACKAGE = "bench.kernels"

#: Bytes of a value that is computed with, by precision.
ITEMSIZES = {"fp32": 4, "tf32": 4, "amp-bf16": 2, "amp-fp16": 2, "bf16": 2}


@dataclass(frozen=True)
class Kernel:
    """One call of a piece. `sizes` are, by kind:

    linear       (rows, outputs, inputs) of a linear layer
    lstm         (batch, steps, inputs, hidden, layers)
    attention    (batch * heads, queries, keys, width of a head)
    elementwise  (rows, columns) of the largest tensor

    `over` says what the rows are of: tokens, of which a batch has more or fewer, or weights. `precision` and `quantize`
    are words of those axes, `rank` that of two factors (0: one matrix). With `backward` gradients follow, after so many
    `forwards`. `calls` run in a row, and `around_B` is what the whole iteration touches: weights that would have left a
    cache meanwhile do.
    """

    kind: Literal["linear", "lstm", "attention", "elementwise"]
    sizes: tuple[int, ...]
    precision: str = "fp32"
    quantize: str = "none"
    rank: int = 0
    backward: bool = False
    forwards: int = 1
    threads: int = 1
    over: Literal["tokens", "weights"] = "tokens"
    calls: int = 1
    around_B: int = 0

    def with_rows(self, factor: float) -> "Kernel":
        """The same for `factor` times as many tokens; what works on weights stays."""
        if self.over == "weights":
            return self
        return replace(self, sizes=(max(round(self.sizes[0] * factor), 1), *self.sizes[1:]))

    @property
    def bytes(self) -> float:
        """Bytes of the largest tensor that an elementwise piece works on."""
        values = 1
        for size in self.sizes:
            values *= size
        return float(values * self.itemsize)

    @property
    def itemsize(self) -> int:
        """Bytes of a value that an elementwise piece works on: autocast leaves weights as wide as they are."""
        return ITEMSIZES[self.precision] if self.over == "tokens" or self.precision == "bf16" else 4


def of(raw: dict[str, Any]) -> Kernel:
    """A kernel from a request."""
    return Kernel(**(raw | {"sizes": tuple(raw["sizes"])}))


def measure(kernels: Sequence[Kernel], device: str) -> list[list[float] | str]:
    """Seconds of a call of each kernel in each of some rounds, all in turns, in this process, which has to be a child.

    A word instead says why a kernel cannot be had here.
    """
    from bench.kernels import _timing

    return _timing.measure(kernels, device)


def load(kind: str) -> Any:
    """The file of that kind."""
    return plugins.load(PACKAGE, kind)
