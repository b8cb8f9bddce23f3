"""One own measurement as a projection reads it: the job that was run, and how long it took."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from bench.record import Record, Value
from reports.projection import counts, formats
from reports.projection.models import Model
from reports.projection.situations import Situation


class LeftOut(Exception):  # noqa: N818 - an answer, not a fault: it becomes a note
    """A record cannot be used; the text is the reason, without a full stop."""


@dataclass(frozen=True)
class Job:
    """A job of one phase and its time. Lengths are those of `counts.job`; `asked` are prompt and output as a user has
    them, `watts` what the devices drew in the mean.

    `stands_in`: it was not quite in the format of `situation`, and gives way to a record that was.
    """

    record: Record
    model: Model
    situation: Situation
    kv: str
    phase: str
    batch: int
    prompt: int
    output: int
    depth: int
    asked: tuple[int, int]
    seconds: "Timed"
    watts: float | None = None
    stands_in: bool = False
    notes: tuple[str, ...] = ()

    @property
    def work_key(self) -> tuple[object, ...]:
        """The same for the phases of one work."""
        return (*self._what, self.batch, *self.asked)

    @property
    def key(self) -> tuple[object, ...]:
        """The same for measurements of the same job."""
        return (*self._what, self.phase, self.batch, self.prompt, self.output, self.depth)

    @property
    def _what(self) -> tuple[object, ...]:
        at = self.situation
        where = (at.device.name, at.devices, at.split, at.engine, at.backend)
        return (*where, self.model.name, at.weights, self.kv)


def counted(
    model: Model, weights: str, kv: str, *, batch: int, prompt: int, output: int, depth: int, logits: bool = True
) -> counts.Counts:
    """Counts of a job by the names of its formats."""
    sizes = formats.FORMATS[weights].bytes, formats.FORMATS[kv].bytes
    return counts.job(model, *sizes, batch=batch, prompt=prompt, output=output, depth=depth, logits=logits)


def number(raw: object) -> float | None:
    """A finite number above 0, else None."""
    usable = isinstance(raw, int | float) and not isinstance(raw, bool) and 0 < raw < math.inf
    return float(raw) if usable and isinstance(raw, int | float) else None


def whole(facts: Mapping[str, Value], name: str) -> int | None:
    """A count that a fact tells, rounded (means of lengths are no whole numbers); None where it tells none."""
    found = number(facts.get(name))
    return None if found is None or found > 1e9 else max(round(found), 1)


@dataclass(frozen=True)
class Timed:
    """A value and the bounds of its 95 % interval, None where it has none."""

    value: float
    low: float | None = None
    high: float | None = None


def metric(record: Record, name: str, lacking: str) -> Timed:
    """A metric above 0 with its bounds. Raises `LeftOut` with `lacking` where the record has none."""
    found = record.metrics.get(name)
    value = None if found is None else number(found.value)
    if found is None or value is None:
        raise LeftOut(lacking)
    return Timed(value, number(found.low), number(found.high))
