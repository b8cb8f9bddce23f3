"""What a side offers to the engine: its benchmarks, each to be started in a fresh process of its environment."""

from dataclasses import dataclass
from typing import Protocol

from bench.gate import Limit

#: A block holds no more iterations than that, however short they are.
MOST_ITERATIONS = 10_000


@dataclass(frozen=True)
class Benchmark:
    """One thing to measure. `limit` and `budget_s` are its own, where it has any; `label` is for people."""

    id: str
    label: str
    limit: Limit | None = None
    budget_s: float | None = None


class Running(Protocol):
    """A process that holds one benchmark ready. Every method may raise `ChildFailed`."""

    def warm_up(self, limit_s: float) -> float:
        """Run until it is steady, for `limit_s` seconds at most; how many seconds an iteration takes."""

    def block(self, iterations: int) -> list[int]:
        """Run so many iterations after a lead-in; their durations in ns. A point chooses its own number of them."""

    def peak(self, iterations: int) -> dict[str, float]:
        """Readings of what it takes (`max_ram_B`, ...) over so many iterations; what cannot be read is left out."""

    def finish(self) -> dict[str, int]:
        """Let it come to its end; its exact counts."""

    def close(self) -> None:
        """End it at once, if it has not ended. Raises nothing."""


class Source(Protocol):
    """One side. `close` leaves no process behind. `uncollected` tells, once the benchmarks are known, what else there
    is that could not be read."""

    uncollected: tuple[str, ...]

    def benchmarks(self) -> dict[str, Benchmark]:
        """What can be measured, by id. Raises `UserError` where the side does not run at all."""

    def start(self, benchmark: str) -> Running:
        """A fresh process that has it ready. Raises `ChildFailed` where it does not get that far."""

    def renew(self, seed: int) -> None:
        """Start anew whatever processes are forked from: they share its layout of memory, and its luck.

        `seed` is for hashes of strings; both sides get the same.
        """

    def close(self) -> None:
        """End everything."""
