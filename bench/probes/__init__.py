"""What is read beside the clock: one file a probe, found by its name.

A probe is a context manager around a block of iterations. Each file offers `probe(device: str) -> Probe`, where
`device` is what torch would call it ("cpu", "cuda:0"). Making a probe costs nothing and never fails; whether it can
read is asked with `unavailable()`.
"""

from collections.abc import Mapping
from types import TracebackType
from typing import Protocol, Self

from bench.record import MetricInfo, Warn
from model import plugins


class Probe(Protocol):
    """Reads something around a block, in the child's process.

    `provides` declares each reading's unit, direction, label and how readings of several blocks combine. `window_s`
    is how long a block must last for the reading to mean anything: 0 for what any block can carry; a meter that ticks
    needs seconds, so it gets a block of its own (an `observed` one) from which no times are taken.
    """

    window_s: float
    provides: Mapping[str, MetricInfo]

    def unavailable(self) -> str | None:
        """Why nothing can be read here, in words for the report; None where it can."""
        ...

    def rest(self) -> None:
        """Look at the machine while nothing runs: called before an observed block, for one probe after the other.

        Times and readings of the block are not touched by it. A probe that derives from this class inherits doing
        nothing.
        """
        return

    def __enter__(self) -> Self:
        """Begin: called just before the block's first iteration."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End: called just after the block's last iteration. Leaves no thread, no handle and no setting behind."""
        ...

    def read(self) -> dict[str, float]:
        """The readings of the last block, by name; a name that could not be read this time is absent."""
        ...

    def warnings(self) -> list[Warn]:
        """What a reader must know before trusting the readings of the last block; nothing, unless a probe says more.

        A probe that derives from this class inherits this default.
        """
        return []


def load(name: str, device: str) -> Probe:
    """The probe `name` for `device`."""
    made: Probe = plugins.load("bench.probes", name).probe(device)
    return made


def names() -> tuple[str, ...]:
    """Every probe there is."""
    return plugins.names("bench.probes")
