"""Published measurements that efficiencies are fitted to: `calibration.csv`, one row a measured figure.

Each row names its device as the catalogue does, its model as `models.toml` does, and its source, whose address and date
stand in `sources.toml`. A row with a `doubt` is shown to nobody and fitted to nothing.
"""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

from reports import datasheets
from reports.datasheets import Device
from reports.projection import counts, formats, models
from reports.projection.answers import Split
from reports.projection.situations import Situation

SHIPPED = "calibration.csv"
#: FLOPs of a product whose rate was measured; any number would do.
PRODUCT_FLOP = 1e12


@dataclass(frozen=True)
class Observation:
    """What somebody measured.

    `value` is tokens per second of the whole system, watts of each device, or the FLOP/s of a matrix product (`matmul`,
    without a model). A `pace` is tokens per second that clients set, or of lengths that are not known: it says what
    power went with it, and not how fast the device is.

    `phase`: `prefill` counts tokens of prompts, the others generated ones; `serving` and `offline` have the time of the
    prompts in them. `batch` is the number of sequences that ran together, where it is known.
    """

    measure: str
    source: str
    device: str
    devices: int
    split: Split
    power_limit_W: float | None
    engine: str
    backend: str | None
    model: str
    weights: str
    kv: str
    phase: str
    batch: int
    prompt: int
    output: int
    depth: int
    value: float
    year: float | None
    doubt: str

    @property
    def key(self) -> tuple[object, ...]:
        """The same for observations that differ in nothing but the device and who measured it."""
        return (
            self.measure, self.devices, self.split, self.engine, self.model, self.weights, self.phase, self.batch,
            self.prompt, self.output, self.depth,
        )  # fmt: skip

    @property
    def seconds(self) -> float:
        """The time of the job, from its tokens per second, or of the product, from its FLOP/s."""
        if self.measure == "matmul":
            return PRODUCT_FLOP / self.value
        return self.batch * (self.prompt if self.phase == "prefill" else self.output) / self.value


@cache
def shipped() -> tuple[Observation, ...]:
    """The observations that come with pinchpoint and are beyond doubt."""
    return tuple(each for each in parse((files("reports.projection") / SHIPPED).read_text("utf-8")) if not each.doubt)


def parse(text: str) -> list[Observation]:
    """Observations from CSV text."""
    return [_observation(row) for row in csv.DictReader(io.StringIO(text))]


def _observation(row: Mapping[str, str]) -> Observation:
    return Observation(
        measure=row["measure"],
        source=row["source"],
        device=row["device"],
        devices=int(row["devices"]),
        split=row["split"],  # type: ignore[arg-type]  # a test holds the file against the words
        power_limit_W=float(row["power_limit_W"]) if row["power_limit_W"] else None,
        engine=row["engine"],
        backend=row["backend"] or None,
        model=row["model"],
        weights=row["weights"],
        kv=row["kv"],
        phase=row["phase"],
        batch=int(row["batch"]),
        prompt=int(row["prompt"]),
        output=int(row["output"]),
        depth=int(row["depth"]),
        value=float(row["value"]),
        year=float(row["year"]),
        doubt=row["doubt"],
    )


def situation(observation: Observation, catalogue: Mapping[str, Device] | None = None) -> Situation:
    """The job that was measured, on the device of that name."""
    known = by_name() if catalogue is None else catalogue
    device = known[observation.device]
    if observation.measure == "matmul":
        return Situation(
            device, observation.engine, observation.weights, counts.product(PRODUCT_FLOP), source=observation.source,
            backend=observation.backend, year=observation.year,
        )  # fmt: skip
    if observation.power_limit_W is not None and device.power is not None:
        device = replace(device, power=replace(device.power, limit_W=observation.power_limit_W))
    model = models.published()[observation.model]
    job = counts.job(
        model,
        formats.FORMATS[observation.weights].bytes,
        formats.FORMATS[observation.kv].bytes,
        batch=observation.batch,
        prompt=observation.prompt,
        output=0 if observation.phase == "prefill" else observation.output,
        depth=observation.depth,
    )
    return Situation(
        device,
        observation.engine,
        observation.weights,
        job,
        observation.devices,
        observation.split,
        observation.backend,
        observation.source,
        observation.year,
    )


@cache
def by_name() -> dict[str, Device]:
    """The shipped devices by their names."""
    return {device.name: device for device in datasheets.shipped().device}
