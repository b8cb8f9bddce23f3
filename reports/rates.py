"""The measured ceilings as rates to divide by: a peak for a number format, a bandwidth for where data come from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from bench.observation import Observation
from bench.record import Ceiling

Bound = Literal["value", "fast", "slow"]
#: Where data come from, if not from a cache.
MEMORY = "memory"
#: A machine that reads and writes at once may move up to twice what it reads.
DUPLEX = 2.0
#: Formats whose products run in the arithmetic of another one.
_ARITHMETIC = {"float32": "fp32", "bfloat16": "bf16", "float16": "fp16", "qint8": "int8", "float64": "fp64"}


@dataclass(frozen=True)
class Rates:
    """Ceilings by figure; `bound` says whether their values count, or the fast or the slow end of their intervals."""

    ceilings: Mapping[str, Ceiling]
    bound: Bound = "value"

    def get(self, name: str) -> float | None:
        """The figure `name` at the bound, None where it was not measured."""
        found = self.ceilings.get(name)
        if found is None or found.value is None or found.value <= 0:
            return None
        if self.bound == "value":
            return found.value
        wanted_high = (self.bound == "fast") == (found.direction >= 0)
        bound = found.high if wanted_high else found.low
        return found.value if bound is None or bound <= 0 else bound

    def peak(self, dtype: str) -> float | None:
        """FLOP/s (int8: OP/s) of products in `dtype`."""
        name = plain(dtype)
        return self.get(f"matmul_{name}_{'OP' if name == 'int8' else 'FLOP'}_per_s")

    def bandwidth(self, level: str, *, stores: bool) -> float | None:
        """B/s out of `level`; with `stores` what the slowest of read, copy and triad gives, whose stores cost more."""
        if level != MEMORY:
            return self.get(f"read_{level}_B_per_s")
        names = ("read_B_per_s", "copy_B_per_s", "triad_B_per_s") if stores else ("read_B_per_s",)
        known = [rate for name in names if (rate := self.get(name)) is not None]
        return min(known, default=None)

    def most(self) -> float | None:
        """The most bytes a second that memory moves by any of read, copy and triad."""
        names = ("read_B_per_s", "copy_B_per_s", "triad_B_per_s")
        return max((rate for name in names if (rate := self.get(name)) is not None), default=None)


def plain(dtype: str) -> str:
    """The suite's name of a number format."""
    return _ARITHMETIC.get(dtype, dtype)


def caches(observation: Observation) -> list[tuple[str, int]]:
    """Each level of cache with the bytes that it holds for all threads, the nearest first; the last one is shared."""
    levels = sorted(observation.caches_B.items())
    return [(level, size if level == levels[-1][0] else size * max(observation.threads, 1)) for level, size in levels]
