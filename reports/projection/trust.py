"""How far an answer reaches beyond what was measured, and whether it can be reached at all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from reports.projection.answers import Trust, Workload
from reports.projection.calibrated import OWN, POWER_NOISE, Calibrated
from reports.projection.counts import SEQUENTIAL
from reports.projection.efficiency import has_stacked_memory
from reports.projection.situations import Situation

#: An answer this far outside what an engine was measured on, as a factor in size, is beyond it.
BEYOND = 1.5
#: Work that is smaller than the smallest measured by more than this factor is not estimated.
TINY = 10
#: An answer lies between so many measured devices of its family, at least.
AROUND = 2
_Family = tuple[str, str | None, bool]


@dataclass(frozen=True)
class _Measured:
    """What a set of measurements covers."""

    formats: frozenset[str]
    fewest: int
    most: int


@dataclass(frozen=True, eq=False)
class _Engine:
    """What an engine was measured on; all engines together where none is named.

    `families` are the devices of each family, `sizes_B` the bytes of the smallest and the largest step, `own` the
    devices and formats of own measurements.
    """

    everywhere: _Measured | None
    devices: Mapping[str, _Measured]
    families: Mapping[_Family, frozenset[str]]
    processors: frozenset[bool]
    sizes_B: tuple[float, float] | None
    splits: frozenset[tuple[str, int]]
    own: frozenset[tuple[str, str]]


@lru_cache(maxsize=8)
def _engine(models: Calibrated, engine: str | None) -> _Engine:
    seen = [each for each in models.fitted if each.noise != POWER_NOISE and engine in (None, each.situation.engine)]
    situations = [each.situation for each in seen]
    by_device: dict[str, list[Situation]] = {}
    families: dict[_Family, set[str]] = {}
    for each in situations:
        by_device.setdefault(each.device.name, []).append(each)
        families.setdefault(_family(each), set()).add(each.device.name)
    sizes = [each.counts.step_B for each in situations if each.counts.step_B]
    return _Engine(
        everywhere=_measured(situations) if situations else None,
        devices={name: _measured(those) for name, those in by_device.items()},
        families={family: frozenset(names) for family, names in families.items()},
        processors=frozenset(_is_processor(each) for each in situations),
        sizes_B=(min(sizes), max(sizes)) if sizes else None,
        splits=frozenset((each.split, each.devices) for each in situations),
        own=frozenset((s.situation.device.name, s.situation.weights) for s in seen if s.observation.source == OWN),
    )


def _measured(situations: Sequence[Situation]) -> _Measured:
    batches = [each.counts.batch for each in situations]
    return _Measured(frozenset(each.weights for each in situations), min(batches), max(batches))


def _is_processor(situation: Situation) -> bool:
    return situation.device.kind == "processor"


def bridges(models: Calibrated, situation: Situation) -> bool:
    """Whether an estimate can be given: the engine was measured on a device of that kind, processor or accelerator.

    What short kernels cost, and which libraries run, differs so much between the two that no spread is known for it.
    Nor can it be where a step reads less than a tenth of what the smallest one measured does: launches decide there.
    """
    seen = _engine(models, situation.engine)
    return _is_processor(situation) in seen.processors and not _is_tiny(seen, situation)


def _is_tiny(seen: _Engine, situation: Situation) -> bool:
    step = situation.counts.step_B
    return seen.sizes_B is not None and 0 < step < seen.sizes_B[0] / TINY


def judge(models: Calibrated, workload: Workload, situation: Situation) -> Trust:
    """The label and what it rests on, each respect in which it reaches beyond the measurements as a sentence."""
    device, engine = situation.device, situation.engine or "any engine"
    seen = _engine(models, situation.engine)
    if seen.everywhere is None or not bridges(models, situation):
        if seen.everywhere is not None and _is_processor(situation) in seen.processors:
            why = f"the smallest model measured with {engine} is more than {TINY} times as large"
            return Trust("bounds", (f"{why}, and what launches take is not known of so little work",))
        kind = "processors" if not _is_processor(situation) else "accelerators"
        measured = f"{engine} was measured on {kind} alone" if seen.everywhere else f"{engine} was never measured"
        return Trust("bounds", (f"{measured}, and nothing of that carries over to {device.name}",))
    here = seen.devices.get(device.name)
    beyond: list[str] = []
    alike = seen.families.get(_family(situation), frozenset())
    if not here:
        what = f"{device.architecture} by {device.vendor}"
        others = f"{len(alike)} other{'s' if len(alike) > 1 else ''} of {what} {'were' if len(alike) > 1 else 'was'}"
        beyond.append(
            f"{device.name} itself was not measured with {engine}, {others}"
            if alike
            else f"no device of {what} was measured with {engine}"
        )
    near = here or seen.everywhere
    if situation.weights not in near.formats:
        beyond.append(f"{situation.weights} was not measured {'on it' if here else f'with {engine}'}")
    step = situation.counts.step_B
    if seen.sizes_B and step and not seen.sizes_B[0] / BEYOND <= step <= seen.sizes_B[1] * BEYOND:
        beyond.append(f"no model of {workload.model.name}'s size was measured with {engine}")
    if not near.fewest / BEYOND <= situation.counts.batch <= near.most * BEYOND:
        beyond.append(
            f"{situation.counts.batch} sequences together were not measured {'on it' if here else ''}".rstrip()
            + f": {near.fewest} to {near.most} were"
        )
    if workload.model.shape is not None and workload.model.shape[0] in SEQUENTIAL and not seen.own:
        beyond.insert(0, f"{workload.model.name} is recurrent, and only transformers were measured with {engine}")
    if situation.devices > 1 and (situation.split, situation.devices) not in seen.splits:
        beyond.append(f"{situation.devices} devices with {situation.split} parallelism were not measured")
    if situation.engine is None:
        beyond.append("no engine was named: the interval holds the differences between engines")
    if (device.name, situation.weights) in seen.own and not beyond:
        return Trust("measured", (f"own measurements on {device.name}",))
    # one other device says how fast it is and not how such devices differ
    between = len(beyond) <= 1 and (here is not None or len(alike) >= AROUND)
    return Trust("interpolated" if between else "extrapolated", tuple(beyond))


def _family(situation: Situation) -> _Family:
    return situation.device.vendor, situation.device.architecture, has_stacked_memory(situation.device)
