"""Changes that the suite itself can make to a point, so that it takes less time or memory: one file a kind of remedy.

A file offers `changes(situation) -> list[Change | Refused]`: axes with new values, and what these do to a piece of the
iteration (`bench.kernels.Kernel`); or why the remedy is none here. A remedy knows axes and sizes, and no name of a
model. `bench.advising` has the pieces timed, `bench.prediction` adds them up. No torch here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from bench.inputs import NOTHING, Inputs
from bench.kernels import Kernel
from bench.record import Value
from model import plugins

PACKAGE = "bench.remedies"


@dataclass(frozen=True)
class Situation:
    """What a remedy may know: the axes of the point, where it runs, and how many cores may be busy at a time.

    `trains` says whether an iteration ends with an update of the weights; `linears` are the (outputs, inputs) of its
    linear layers.
    """

    axes: Mapping[str, Value]
    device: str
    threads: int
    cores: int
    trains: bool
    inputs: Inputs = NOTHING
    linears: frozenset[tuple[int, int]] = frozenset()

    @property
    def on_cpu(self) -> bool:
        """Whether the point runs on the processor."""
        return not self.device.startswith("cuda")


@dataclass(frozen=True)
class Factor:
    """What a time is multiplied by: likely, and at least and at most, where nothing was measured."""

    likely: float = 1.0
    low: float = 1.0
    high: float = 1.0


SAME = Factor()


@dataclass(frozen=True)
class Change:
    """New values of some axes, and what they do.

    `kernel` gives the piece that takes the place of another one. `repeats` is how often pieces over tokens run where
    they ran once, and `work` how many times as many tokens an iteration then has. `host` is a factor on the time
    between operators, and `rest` one on all that `kernel` leaves as it is and that is no product: both assumed.
    """

    axes: Mapping[str, Value]
    kernel: Callable[[Kernel], Kernel] = lambda kernel: kernel
    repeats: float = 1.0
    work: float = 1.0
    host: Factor = SAME
    rest: Factor = SAME
    note: str = ""


@dataclass(frozen=True)
class Refused:
    """Axes that cannot be changed so, and why, in a sentence."""

    axes: Mapping[str, Value]
    reason: str


@dataclass(frozen=True)
class Plan:
    """What may be tried, and what may not."""

    changes: list[Change] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)


def names() -> tuple[str, ...]:
    """Every remedy."""
    return plugins.names(PACKAGE)


def changes(name: str, situation: Situation) -> list[Change | Refused]:
    """What the remedy `name` has for this point."""
    module: Any = plugins.load(PACKAGE, name)
    return cast("list[Change | Refused]", module.changes(situation))


def plan(situation: Situation) -> Plan:
    """What all remedies have for this point."""
    found = Plan()
    for name in names():
        for each in changes(name, situation):
            if isinstance(each, Change):
                found.changes.append(each)
            else:
                found.refused.append(each)
    return found
