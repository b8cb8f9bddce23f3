"""Jobs on devices: one as a `Situation`, and many at once as `Situations`, in arrays."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reports.datasheets import Device
from reports.projection.answers import Split
from reports.projection.counts import Counts

Floats = NDArray[np.float64]
Places = NDArray[np.intp]
BACKENDS = {"NVIDIA": "CUDA", "AMD": "ROCm", "Apple": "Metal", "Intel": "SYCL", "Google": "XLA"}


@dataclass(frozen=True)
class Situation:
    """A job on devices of one kind, run by an engine; `source` is who measured it, None for somebody new."""

    device: Device
    engine: str | None
    weights: str
    counts: Counts
    devices: int = 1
    split: Split = "none"
    backend: str | None = None
    source: str | None = None
    year: float | None = None

    @property
    def runs_on(self) -> str:
        """The backend of the engine: the vendor's own where none is named."""
        if self.backend:
            return self.backend
        return "CPU" if self.device.kind == "processor" else BACKENDS.get(self.device.vendor, self.device.vendor)


@dataclass(frozen=True, eq=False)
class ManyCounts:
    """`Counts` of many jobs, each figure an array with one entry a job."""

    prompt_flops: Floats
    prompt_B: Floats
    step_flops: Floats
    step_B: Floats
    steps: Floats
    batch: Floats
    prompt: Floats
    layers: Floats
    prompt_sent_B: Floats
    step_sent_B: Floats
    step_cached_B: Floats


@dataclass(frozen=True, eq=False)
class Situations:
    """Many situations: `jobs[job[i]]` at `places[place[i]]`.

    A place is a situation of which all but the counts is meant, and their number of layers.
    """

    places: Sequence[Situation]
    jobs: Sequence[Counts]
    place: Places
    job: Places

    @classmethod
    def of(cls, situations: Iterable[Situation]) -> "Situations":
        """The same situations, those of one place told apart by their counts alone."""
        places: dict[tuple[object, ...], int] = {}
        met: list[Situation] = []
        jobs: list[Counts] = []
        where = []
        for each in situations:
            place = places.setdefault(_place(each), len(met))
            if place == len(met):
                met.append(each)
            where.append(place)
            jobs.append(each.counts)
        return cls(met, jobs, np.array(where, np.intp), np.arange(len(jobs)))

    @cached_property
    def counts(self) -> ManyCounts:
        """What each of them must compute, move and send."""
        names = [each.name for each in fields(ManyCounts)]
        values = np.array([[getattr(job, name) for name in names] for job in self.jobs], float)
        return ManyCounts(*values[self.job].T.copy())

    def fact(self, of: Callable[[Situation], float]) -> Floats:
        """A figure that depends on the place, for each situation."""
        return np.array([of(place) for place in self.places], float)[self.place]

    def levels(self, of: Callable[[Situation], str]) -> list[str]:
        """A name that depends on the place, for each place."""
        return [of(place) for place in self.places]

    def at(self, place: int | np.integer[Any]) -> Situation:
        """One of them."""
        where: Situation = self.places[int(self.place[place])]
        return replace(where, counts=self.jobs[int(self.job[place])])

    def take(self, which: Places) -> "Situations":
        """Some of them."""
        return Situations(self.places, self.jobs, self.place[which], self.job[which])


_OTHERS = tuple(each.name for each in fields(Situation) if each.name not in ("device", "counts"))


def _place(situation: Situation) -> tuple[object, ...]:
    """The same for situations of one place. Groups of figures are compared by identity, their hashes are slow."""
    device = situation.device
    groups = (device.peaks, device.memory, device.host_link, device.peer_link)
    facts = (device.name, device.kind, *map(id, groups), device.power and device.power.limit_W)
    return (*facts, situation.counts.layers, *(getattr(situation, name) for name in _OTHERS))
