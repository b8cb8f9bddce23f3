"""How far real systems stay behind their datasheets: ideal times, and what the shortfall depends on.

The ideal time of a phase is hypot(FLOPs / peak, bytes / bandwidth), a roofline without its sharp corner; to it comes
what several devices send each other. ln(real / ideal) is then a sum of effects, in proportion to the shares that
compute, memory and links have in the ideal time: of engine, number format, vendor, architecture and device, and slopes
over what is known to matter (peak per watt, since a power limit slows products; bandwidth; launches; lengths; tokens
that run together). `reports.projection.mixed` gives each its mean and its spread.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from reports.datasheets import Device
from reports.projection import formats, physics
from reports.projection.counts import Counts
from reports.projection.situations import Floats, ManyCounts, Situation, Situations
from reports.projection.terms import Row, Terms

#: Where datasheets name no link between devices: PCIe 4 with 16 lanes, one way.
ASSUMED_LINK_B_PER_S = 31e9
#: s a layer at which the slope over launches bends, more than they take: slow engines too stay faster with less work.
LAYER_S = 200e-6
#: Engines whose products add up in 16 bits, for which a GeForce has twice the rate.
HALF_SUMS = ("llama.cpp", "ik_llama.cpp", "exllama", "mlc", "ollama")
#: Tokens of a prompt that a pipeline takes at once: llama.cpp's default (n_ubatch).
CHUNK = 512
#: The source that figures of a device name where they are ceilings that were measured on it.
CEILINGS = "own-ceilings"
#: References of the slopes, so that a slope is 0 at a common device.
_PEAK, _PEAK_PER_W, _BANDWIDTH, _RATIO, _LENGTH, _TOKENS = 2e14, 7e11, 8e11, 250.0, 1000.0, 512.0
_YEAR = 2025.0

Wall = Literal["compute", "memory bandwidth", "communication"]


@dataclass(frozen=True)
class Ideal:
    """Ideal seconds of the prompts, of one step and of the whole job, and the shares of the three parts in that.

    No device takes less than `least_s` for the job: the longer of its products and its memory, all else hidden.
    """

    prompt_s: float
    step_s: float
    total_s: float
    least_s: float
    compute: float
    memory: float
    links: float

    @property
    def wall(self) -> Wall:
        """The part with the largest share."""
        shares: dict[Wall, float] = {
            "compute": self.compute,
            "memory bandwidth": self.memory,
            "communication": self.links,
        }
        return max(shares, key=lambda name: shares[name])


@dataclass(frozen=True, eq=False)
class Ideals:
    """`Ideal` of many situations, each figure an array with one entry a situation."""

    prompt_s: Floats
    step_s: Floats
    total_s: Floats
    least_s: Floats
    compute: Floats
    memory: Floats
    links: Floats

    @classmethod
    def of(cls, known: Sequence[Ideal]) -> "Ideals":
        """The same ones."""
        return cls(*(np.array([getattr(each, name.name) for each in known]) for name in fields(cls)))

    def at(self, place: int | np.integer[Any]) -> Ideal | None:
        """That of one situation; None where it is not known."""
        found = self.one(place)
        return None if math.isnan(found.total_s) else found

    def one(self, place: int | np.integer[Any]) -> Ideal:
        """That of one situation that is known."""
        return Ideal(*(float(getattr(self, each.name)[place]) for each in fields(self)))

    def take(self, which: NDArray[np.intp]) -> "Ideals":
        """Those of some situations."""
        return Ideals(*(getattr(self, each.name)[which] for each in fields(self)))


def sums_in_half(device: Device) -> float:
    """How many times faster products of 16 bits are when they also add up in 16 bits: 2 on a GeForce from Turing on.

    NVIDIA's whitepapers (Turing, GA102, Ada; appendices) give both rates; professional cards of the same chips have
    no such difference.
    """
    recent = device.architecture in ("Turing", "Ampere", "Ada", "Blackwell")
    return 2.0 if device.vendor == "NVIDIA" and device.kind == "consumer" and recent else 1.0


def peak(situation: Situation) -> float | None:
    """FLOP/s that the products of the situation could reach; None where the device has none that serve."""
    found = formats.product(situation.device, situation.weights)
    if found is None:
        return None
    name, value = found
    halves = name == "fp16" and (situation.engine or "").startswith(HALF_SUMS)
    return value * (sums_in_half(situation.device) if halves else 1.0)


def bandwidth(device: Device) -> float | None:
    """B/s of the device's memory."""
    return device.memory.bandwidth_B_per_s if device.memory else None


def ideal(situation: Situation) -> Ideal | None:
    """The ideal time; None where a peak or a bandwidth is not known."""
    return ideals(Situations.of([situation])).at(0)


def ideals(many: Situations) -> Ideals:
    """The ideal time of each; not a number where a peak or a bandwidth is not known."""
    counts = many.counts
    compute, memory = many.fact(lambda s: peak(s) or math.nan), many.fact(lambda s: bandwidth(s.device) or math.nan)
    devices, pipeline = many.fact(lambda s: s.devices), many.fact(lambda s: s.split == "pipeline")
    together = np.where(many.fact(lambda s: s.split == "tensor"), devices, 1.0)
    link = np.where(together == 1, 0.0, 2 * (devices - 1) / devices / many.fact(lambda s: link_B_per_s(s.device)))
    parts = {name: np.zeros(devices.shape) for name in ("compute", "memory", "links")}
    times = []
    fastest, cached_s = (
        many.fact(lambda s: physics.fastest(s, peak(s), sums_in_half(s.device))),
        physics.CACHED_B * np.where(pipeline, devices, 1.0) / memory,
    )
    least = np.zeros(devices.shape)
    for flops, moved, sent, repeats, chunks in (
        (
            counts.prompt_flops,
            counts.prompt_B,
            counts.prompt_sent_B,
            1.0,
            np.ceil(counts.batch * counts.prompt / CHUNK),
        ),
        (counts.step_flops, counts.step_B, counts.step_sent_B, counts.steps, counts.batch),
    ):
        share = np.where(pipeline, _of_pipeline(devices, chunks), 1 / together)
        c, m, k = flops / compute * share, moved / memory * share, sent * link
        local = np.hypot(c, m)
        least += repeats * np.maximum(flops / fastest * share, m - cached_s)
        times.append(local + k)
        some = np.where(local == 0, 1.0, local)  # where there is nothing to do, there are no shares of it
        parts["compute"] += repeats * c * c / some
        parts["memory"] += repeats * m * m / some
        parts["links"] += np.where(local == 0, 0.0, repeats * k)
    total = times[0] + counts.steps * times[1]
    shares = {name: value / total for name, value in parts.items()}
    return Ideals(times[0], times[1], total, least, **shares)


def _of_pipeline(devices: Floats, chunks: Floats) -> Floats:
    """The time of a pipeline over that of one device: it fills and drains (Huang et al., 2019, GPipe, section 2.3)."""
    passing = np.maximum(chunks, 1)
    found: Floats = (passing + devices - 1) / (passing * devices)
    return found


def link_B_per_s(device: Device) -> float:
    """B/s one way between two devices: the vendor's own link, else the host's, else an assumed PCIe 4."""
    for link in (device.peer_link, device.host_link):
        if link is not None:
            return link.each_way_B_per_s
    return ASSUMED_LINK_B_PER_S


def row(situation: Situation, at: Ideal) -> Row:
    """What ln(real / ideal) depends on, as terms of the mixed model."""
    return terms(Situations.of([situation]), Ideals.of([at])).rows()[0]


def terms(many: Situations, at: Ideals) -> Terms:
    """What ln(real / ideal) of each depends on, as terms of the mixed model: all of them are named here.

    A level is the name of a group that has an effect of its own; values multiply the effect.
    """
    counts, devices = many.counts, many.fact(lambda s: s.devices)
    engine, device = many.levels(_engine), many.levels(lambda s: s.device.name)
    backend, architecture = many.levels(_backend), many.levels(_architecture)
    stored = many.levels(lambda s: s.weights)
    groups: dict[str, str | Sequence[str]] = {
        "all": "all",
        "engine": engine,
        "backend": backend,
        "format": stored,
        "engine, format": _joined(engine, stored),
        "vendor": many.levels(lambda s: s.device.vendor),
        "architecture": architecture,
        "backend, architecture": _joined(backend, architecture),
        "device": device,
        "device, format": _joined(device, stored, engine),
    }
    steps = np.maximum(counts.steps, counts.prompt > 0)
    launches = np.log1p(counts.layers * LAYER_S * steps / at.total_s)
    texts = counts.layers > 0  # a product by itself has no length, and no tokens that run together
    together = np.log(np.maximum(counts.batch * np.where(counts.steps == 0, counts.prompt, 1.0), 1.0))
    length = texts * np.log((counts.prompt + counts.steps) / _LENGTH)
    products, speed = many.fact(lambda s: peak(s) or math.nan), many.fact(lambda s: bandwidth(s.device) or math.nan)
    watts = many.fact(lambda s: s.device.power.limit_W if s.device.power else math.nan)
    slopes = {
        "length": length,
        "ratio": np.log(products / speed / _RATIO),
        "stacked memory": many.fact(lambda s: has_stacked_memory(s.device)),
    }
    of_part = {
        "compute": {
            "tokens": texts * (together - math.log(_TOKENS)),
            "peak": np.log(products / _PEAK),
            "peak per watt": np.nan_to_num(np.log(products / watts / _PEAK_PER_W)),  # unknown: as if it had none
        },
        "memory": {
            "tokens": together,
            "bandwidth": np.log(speed / _BANDWIDTH),
            "cache": counts.step_cached_B / np.maximum(counts.step_B, 1.0),
        },
    }
    found = Terms(many.place)

    def slope(family: str, values: Floats) -> None:
        found.add(family, "all", values)
        found.add(f"{family}, engine", engine, values)

    for part, share in (("compute", at.compute), ("memory", at.memory)):
        for family, levels in groups.items():
            found.add(f"{part}: {family}", levels, share)
        for family, values in (slopes | of_part[part]).items():
            slope(f"{part}: {family}", share * values)
    slope("launches", launches)
    serving = ((counts.prompt > 0) & (counts.steps > 0) & (counts.batch > 1)).astype(float)
    slope("serving", serving)
    found.add("serving: batch", engine, serving * np.log(counts.batch / 64))
    found.add("serving: prompt", engine, serving * at.prompt_s / at.total_s)
    # software gets faster, some of it by much; where no year is known, as at the reference
    year = np.nan_to_num(many.fact(lambda s: s.year or math.nan) - _YEAR)
    slope("year", year)
    found.add("year, backend", backend, year)
    several = (devices > 1).astype(float)
    split = _joined(many.levels(lambda s: s.split), engine)
    # over the host's link all devices meet at its root, and few of them reach each other's memory
    through = _joined(split, many.levels(lambda s: "own link" if s.device.peer_link else "host"))
    found.add("split", split, several)
    found.add("split, devices", split, np.log(devices))
    found.add("split, devices, through", through, np.log(devices))
    found.add("split, links", through, several * at.links)
    found.add("split, launches", split, several * launches)
    found.add("ceilings", device, many.fact(lambda s: is_measured(s.device)))
    source = many.levels(lambda s: s.source or "somebody new")
    found.add("source", source)
    found.add("source, device", _joined(source, device))
    configuration = many.levels(
        lambda s: f"{s.device.name} x {s.devices}, {_engine(s)}, {s.weights}, {s.counts.layers}"
    )
    for name, of_kind in _kinds(counts).items():
        found.add(f"configuration: {name}", _joined(source, configuration), of_kind)
    return found


def _joined(*levels: Sequence[str]) -> list[str]:
    return [", ".join(each) for each in zip(*levels, strict=True)]


def _engine(situation: Situation) -> str:
    return situation.engine or "any engine"


def _backend(situation: Situation) -> str:
    return f"{_engine(situation)}/{situation.runs_on}"


def _architecture(situation: Situation) -> str:
    """An A100 and a GeForce RTX 3090 are both called Ampere."""
    device = situation.device
    return f"{device.vendor} {device.architecture}{' with HBM' if has_stacked_memory(device) else ''}"


def kind(counts: Counts) -> str:
    """Measurements of one kind are equally exact: `prefill`, `decode` of one sequence or `together`, and `serving`."""
    if not counts.layers:
        return "matmul"
    if not counts.steps:
        return "prefill"
    return "serving" if counts.prompt else "decode" if counts.batch == 1 else "together"


def _kinds(counts: ManyCounts) -> dict[str, Floats]:
    """For each `kind`, 1 where it is that and 0 elsewhere."""
    steps, prompt = counts.steps > 0, counts.prompt > 0
    alone = counts.batch == 1
    found = {
        "prefill": ~steps, "serving": steps & prompt,
        "decode": steps & ~prompt & alone, "together": steps & ~prompt & ~alone,
    }  # fmt: skip
    return {name: of_kind.astype(float) for name, of_kind in found.items()}


def is_measured(device: Device) -> bool:
    """Whether ceilings that were measured stand in for its datasheet: they are lower, by a factor that is not known."""
    return device.peaks is not None and CEILINGS in device.peaks.sources


def has_stacked_memory(device: Device) -> bool:
    """Whether the memory is HBM, which needs more loads under way for its rate than GDDR or LPDDR do."""
    speed = bandwidth(device)
    return device.kind == "data-center" and speed is not None and speed >= 870e9
