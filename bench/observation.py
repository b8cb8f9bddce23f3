"""What one iteration of a point consists of, as its process saw it: operators with their work, and what it waited for.

It is what the bottleneck is read from (`reports.bottleneck`), beside the measured ceilings: it holds counts and times,
and no name of a model or a workload. Everything is per iteration and in SI units. No torch here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

#: What an operator does, as far as it decides which resource it can use up:
#: product        multiplies matrices (or convolves, or runs a recurrent layer): FLOPs of a number format
#: attention      scaled dot-product attention
#: elementwise    reads and writes tensors in order: sums, norms, activations, copies, an optimizer's update
#: gather         reads rows or values at places that no prefetcher foresees (embedding, index_select, take)
#: input          makes or fetches the next batch: a data loader, tokenizing, reading files
#: transfer       moves tensors between host and device
#: communication  exchanges tensors with other ranks
#: other          none of these
Kind = Literal["product", "attention", "elementwise", "gather", "input", "transfer", "communication", "other"]


@dataclass(frozen=True)
class Operator:
    """All calls of one operator with one number format in one module, summed over an iteration.

    `seconds` is its own time (without operators that it calls) on the device that runs it, as `Observer` corrected it
    for what profiling adds. `flops` and `bytes_moved` are counted from the shapes of its operands, each once; None
    where they are not known. `places` counts the scattered places that a gather reads, and `largest_B` is the largest
    operand: what is smaller than a cache may be found there. `shape` is that of the call with most work, as
    `(m, n, k)` of a product.
    """

    name: str
    module: str
    kind: Kind
    dtype: str
    calls: float
    seconds: float
    flops: float | None = None
    bytes_moved: float | None = None
    places: float = 0.0
    largest_B: int = 0
    shape: tuple[int, ...] = ()

    @property
    def is_matmul(self) -> bool:
        """Whether its work is that of matrix products of its shape; the shape of a convolution is no `(m, n, k)`."""
        return self.kind == "product" and len(self.shape) == 3 and "conv" not in self.name


@dataclass(frozen=True)
class Observation:
    """An iteration of `iteration_s` (the median, unprofiled), and where it went.

    `host_s` is time in which no operator ran: Python, and what dispatching costs between operators.
    `cpu_s` is processor time of all threads of the process; with `threads` busy throughout it is iteration_s * threads.
    `idle_s` is time in which the thread that runs the iteration was off the processor of its own accord (it slept,
    waited for a lock, a pipe, a disk); `read_s` of it waiting for storage. `switches` counts its voluntary switches.
    `major_faults` counts pages that came from a disk, `minor_faults` those that were handed out anew, `read_B` bytes
    that came from storage.
    `held_B` is the memory held at the peak, `limit_B` what may be held (None: unlimited or not known), `stalled_s` time
    in which some task waited for memory to be freed. `working_set_B` are the bytes that an iteration touches.
    `clock_share` is the clock over the one at which the ceilings were measured; None where it is hidden.
    """

    iteration_s: float
    device: str
    threads: int
    cores: int
    operators: tuple[Operator, ...]
    host_s: float
    cpu_s: float
    idle_s: float = 0.0
    read_s: float = 0.0
    switches: float = 0.0
    major_faults: float = 0.0
    read_B: float = 0.0
    held_B: int = 0
    limit_B: int | None = None
    stalled_s: float = 0.0
    working_set_B: int = 0
    clock_share: float | None = None
    minor_faults: float = 0.0
    #: Bytes of one instance of each level of cache, by names such as `L2`; empty where they are not known.
    caches_B: Mapping[str, int] = field(default_factory=dict)
    #: For each field that could not be had, the reason.
    unavailable: Mapping[str, str] | None = None

    @property
    def calls(self) -> float:
        """Operators dispatched in an iteration."""
        return sum(operator.calls for operator in self.operators)
