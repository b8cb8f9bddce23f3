"""Own measurements for a projection: a store's records as rows beside the published ones, and what they measured.

A row says of a job how long it took against the ideal time, as those of `calibration.csv` do, with "own" for its
source. pinchpoint's own records are read by `recorded`, those of other tools by `imported`, and what they ran on
is looked up by `machines`. A record that cannot be used is left out, and a note says why.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.record import Record
from reports import labels
from reports.catalogue import Source
from reports.datasheets import Catalogue, Device
from reports.projection import calibrated, efficiency, power
from reports.projection.calibrated import OWN, Fitted
from reports.projection.calibration import Observation
from reports.projection.models import Model
from reports.projection.own import imported, recorded
from reports.projection.own.job import Job, LeftOut
from reports.projection.own.machines import Machines

__all__ = ["SOURCES", "Measured", "Own", "OwnWork", "read"]

#: What a catalogue must have among its sources to speak of the figures of `Own.device`.
SOURCES: Mapping[str, Source] = {efficiency.CEILINGS: Source(where="measured on the machine itself", standing="own")}


@dataclass(frozen=True)
class Measured:
    """What a record measured: seconds of one job, with the bounds of its 95 % interval where it has them.

    `workload` is `prefill`, `decode` or `serving`, which is prompts and generation together.
    """

    workload: str
    value: float
    low: float | None
    high: float | None
    run: str
    point: str


@dataclass(frozen=True)
class OwnWork:
    """What the records measured and can be projected: a model in its formats, so many sequences, their lengths.

    Lengths are those of pinchpoint's axes: both phases of one point are one work. Other tools may have timed a prompt
    or a generation by itself: `output` or `prompt` is then 0. `device` is a name.
    """

    model: Model
    weights: str
    kv: str
    engine: str | None
    device: str
    batch: int
    prompt: int
    output: int
    measured: tuple[Measured, ...]


@dataclass(frozen=True)
class Own:
    """Rows for `calibrated.calibrated`, what can be projected, the device it was measured on, and what to know of it.

    `device` is that of the latest record that could be used, None where none could. `notes` are sentences.
    """

    fitted: tuple[Fitted, ...]
    workloads: tuple[OwnWork, ...]
    device: Device | None
    notes: tuple[str, ...]


def read(records: Iterable[Record], catalogue: Catalogue) -> Own:
    """What `records`, of pinchpoint's and of other tools, say about times, and about power where a GPU was metered."""
    given = sorted(records, key=lambda record: (str(record.finished_at), str(record.started_at)))
    machines = Machines.of(given, catalogue)
    left_out: Counter[str] = Counter()
    jobs: list[Job] = []
    for record in given:
        of = imported if "imported_from" in record.facts else recorded
        try:
            jobs.append(_usable(of.job(record, machines)))
        except LeftOut as reason:
            left_out[str(reason)] += 1
    latest, older = _latest(jobs)
    notes = dict.fromkeys(note for job in latest for note in job.notes)
    if older:
        notes[f"{labels.count(older, 'record')} gave way to a later one of the same work."] = None
    fitted = tuple(row for job in latest for row in _rows(job))
    notes |= dict.fromkeys(_of_fitted(fitted))
    notes |= {f"{labels.count(n, 'record')} left out: {reason}.": None for reason, n in left_out.items()}
    devices = {job.situation.device.name: job.situation.device for job in latest}
    if len(devices) > 1:
        notes[f"They ran on several devices: {labels.listed(sorted(devices))}."] = None
    return Own(fitted, _workloads(latest), latest[-1].situation.device if latest else None, tuple(notes))


def _usable(job: Job) -> Job:
    situation = job.situation
    at = efficiency.ideal(situation)
    if at is None or not 0 < at.total_s < math.inf:
        raise LeftOut(f"the peak of {situation.device.name} for {situation.weights}, or its bandwidth, is not known")
    return job


def _latest(jobs: Sequence[Job]) -> tuple[list[Job], int]:
    """The last of each kind, and how many there were beside them; a stand-in gives way to what it stands for."""
    found: dict[tuple[object, ...], Job] = {}
    for job in jobs:
        before = found.get(job.key)
        if before is None or before.stands_in or not job.stands_in:
            found.pop(job.key, None)
            found[job.key] = job
    return list(found.values()), len(jobs) - len(found)


def _rows(job: Job) -> Iterable[Fitted]:
    situation = job.situation
    at = efficiency.ideal(situation)
    assert at is not None
    log = math.log(job.seconds.value / at.total_s)
    noise = f"noise: {efficiency.kind(situation.counts)}"
    yield Fitted(_observation(job, "throughput"), situation, at, efficiency.row(situation, at), log, noise)
    limit = situation.device.power
    if job.watts is not None and limit is not None:
        row = power.row(situation, at, log)
        log = math.log(job.watts / limit.limit_W)
        yield Fitted(_observation(job, "power"), situation, at, row, log, calibrated.POWER_NOISE)


def _observation(job: Job, measure: str) -> Observation:
    situation = job.situation
    tokens = job.batch * (job.prompt if job.phase == "prefill" else job.output)
    return Observation(
        measure=measure,
        source=OWN,
        device=situation.device.name,
        devices=situation.devices,
        split=situation.split,
        power_limit_W=situation.device.power.limit_W if situation.device.power else None,
        engine=situation.engine or "",
        backend=situation.backend,
        model=job.model.name,
        weights=situation.weights,
        kv=job.kv,
        phase=job.phase,
        batch=job.batch,
        prompt=job.prompt,
        output=job.output,
        depth=job.depth,
        value=job.watts if measure == "power" and job.watts is not None else tokens / job.seconds.value,
        year=None,
        doubt="",
    )


def _of_fitted(fitted: Sequence[Fitted]) -> Iterable[str]:
    faster = sum(each.log < 0 and each.ideal.wall == "memory bandwidth" for each in fitted if each.row)
    if faster:
        yield (
            f"{labels.count(faster, 'point')} went faster than the memory's bandwidth allows: what they read stays in "
            "the processor's caches, which tells little about a model that does not fit there."
        )


def _workloads(jobs: Sequence[Job]) -> tuple[OwnWork, ...]:
    found: dict[tuple[object, ...], list[Job]] = {}
    for job in jobs:
        found.setdefault(job.work_key, []).append(job)
    return tuple(_workload(together) for together in found.values())


def _workload(jobs: Sequence[Job]) -> OwnWork:
    first = jobs[0]
    return OwnWork(
        model=first.model,
        weights=first.situation.weights,
        kv=first.kv,
        engine=first.situation.engine,
        device=first.situation.device.name,
        batch=first.batch,
        prompt=first.asked[0],
        output=first.asked[1],
        measured=tuple(_measured(job) for job in jobs),
    )


def _measured(job: Job) -> Measured:
    seconds = job.seconds
    return Measured(job.phase, seconds.value, seconds.low, seconds.high, job.record.run, job.record.point)
