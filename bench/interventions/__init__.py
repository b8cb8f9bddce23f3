"""Experiments that change one thing about the machine or the work, and tell how time answers: one file each.

A file offers `LABEL` (what it does, in words), `unavailable(setting) -> reason or None`, and `change(setting) ->
Change`: what the block with the intervention runs under, and what the block that it is paired with does. All is data:
`bench.diagnosis` carries it out, the child's part of it by `bench.conditions`. A file whose `ASKED` is true is tried
only where it was asked for by name. No torch here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from bench.observation import Observation
from bench.record import Value
from model import plugins

PACKAGE = "bench.interventions"


@dataclass(frozen=True)
class Product:
    """Products of an (m, k) by a (k, n) matrix, `in_a_row` of them by the same (k, n) matrix in each of `calls`."""

    m: int
    n: int
    k: int
    dtype: str
    calls: int
    in_a_row: int


@dataclass(frozen=True)
class Conditions:
    """What a block in a child runs under; the child goes back to what it was afterwards.

    `threads` is torch's number of threads and `cores` those that all threads of the process may run on (None: as they
    were). `extra_dispatches` empty operators are called after each iteration; `extra_share` is their number for each
    operator that an iteration calls itself, which is what a gauge of dispatching needs to know of them. With `products`
    nothing but these runs in place of an iteration, each by the fastest routine that is here. `slowed` says that the
    GPU's clock is low on purpose, so that the block is not discarded as a disturbed one. The work runs untimed for
    `lead_in_s` seconds first.
    """

    threads: int | None = None
    cores: tuple[int, ...] | None = None
    extra_dispatches: int = 0
    extra_share: float = 0.0
    products: tuple[Product, ...] = ()
    slowed: bool = False
    lead_in_s: float = 0.0


@dataclass(frozen=True)
class Lowered:
    """The `clock` (of the multiprocessors) or `power` (limit) of the GPU with this UUID, at a share of what it was."""

    gpu: str
    what: Literal["clock", "power"]
    share: float


@dataclass(frozen=True)
class Change:
    """An intervention as data: two conditions to compare, who loads the machine meanwhile, and which other work is run.

    `antagonist` names what another process does during the block with the intervention. `axes` are those in which a
    second resident child differs, which then runs that block; times are compared by token. `left_out` is the share of
    an iteration that the block with the intervention does not run, and that counts as it was. With `keeps_memory` the
    second child is one that does not give freed memory back. `lowered` is done by a process of its own, which undoes it
    (`bench.clock_guard`). `null` changes nothing.
    """

    under: Conditions = Conditions()
    plain: Conditions = Conditions()
    antagonist: Literal["memory", "cache"] | None = None
    axes: Mapping[str, Value] = field(default_factory=dict)
    left_out: float = 0.0
    keeps_memory: bool = False
    lowered: Lowered | None = None
    null: bool = False

    @property
    def elsewhere(self) -> bool:
        """Whether a second child runs it: other work, or what would change where the first one finds memory."""
        return bool(self.axes) or bool(self.under.products) or self.keeps_memory

    @property
    def moves_rates(self) -> bool:
        """Whether it changes what the machine gives; otherwise it changes the work, or nothing."""
        return not self.elsewhere and not self.null


@dataclass(frozen=True)
class Setting:
    """What an intervention may know: the machine, and the point as it runs without any.

    `cores` are those that this process may use, the last of which an antagonist gets; `usable` how many of them a
    control group lets be busy at a time (None: all). `dispatches` counts the operators that an iteration calls,
    `dispatch_s` is the time of an empty one in s, `observation` what was seen of an iteration, and `gpu` the UUID by
    which NVML knows the GPU that the point runs on. Each is None where it is not known.
    """

    device: str
    threads: int
    cores: tuple[int, ...]
    axes: Mapping[str, Value]
    iteration_s: float
    dispatches: int | None = None
    dispatch_s: float | None = None
    linux: bool = True
    usable: int | None = None
    observation: Observation | None = None
    gpu: str | None = None

    @property
    def on_cpu(self) -> bool:
        """Whether the point runs on the processor."""
        return not self.device.startswith("cuda")

    @property
    def limit(self) -> int:
        """How many cores may be busy at a time: a control group may allow fewer than there are."""
        return min(len(self.cores), self.usable or len(self.cores))


def names() -> tuple[str, ...]:
    """Every intervention."""
    return plugins.names(PACKAGE)


def asked_only(name: str) -> bool:
    """Whether `name` is tried only where it is asked for."""
    return bool(getattr(plugins.load(PACKAGE, name), "ASKED", False))


def unavailable(name: str, setting: Setting) -> str | None:
    """Why the intervention `name` cannot be tried on this point and machine; None where it can."""
    return cast(str | None, _module(name).unavailable(setting))


def change(name: str, setting: Setting) -> Change:
    """What the intervention `name` does to this point, where it can be tried."""
    return cast(Change, _module(name).change(setting))


def _module(name: str) -> Any:
    return plugins.load(PACKAGE, name)
