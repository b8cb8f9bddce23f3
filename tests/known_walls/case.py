"""What a program with a known wall consists of, and the machine that it is made for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random

from bench import host
from bench.ceilings import _caches

#: Where the kernel hides the caches, sizes that are common; programs then stay well within or beyond them.
_USUAL_CACHES_B = {1: 32 * 2**10, 2: 2**20, 3: 32 * 2**20}


def _nothing() -> None:
    return None


@dataclass(frozen=True)
class Machine:
    """Threads to run on, the caches, and a folder on a disk."""

    threads: int
    caches_B: Mapping[int, int]
    folder: str

    @property
    def last_B(self) -> int:
        """Bytes of the last cache."""
        return self.caches_B[max(self.caches_B)]


@dataclass(frozen=True)
class Case:
    """`step` is an iteration, `truth` the share of its time by wall: one of 1 for a pure case.

    `close` takes away what the case put up outside its process.
    """

    step: Callable[[], object]
    truth: Mapping[str, float]
    sizes: str
    close: Callable[[], None] = field(default=_nothing)


Make = Callable[[Random, Machine], Case]


def pure(wall: str, step: Callable[[], object], sizes: str, close: Callable[[], None] = _nothing) -> Case:
    """A case with one wall."""
    return Case(step, {wall: 1.0}, sizes, close)


def this_machine(folder: str) -> Machine:
    """All cores that may be used."""
    return Machine(host.usable_cores(), _caches.sizes_B() or _USUAL_CACHES_B, folder)
