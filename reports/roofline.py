"""The roofline of a machine, and where points stand under it: FLOP/s attained against FLOPs per byte moved.

At an arithmetic intensity of I FLOPs a byte no work runs faster than min(peak, I * bandwidth), where both are measured
ceilings of the machine (Williams, Waterman & Patterson, CACM 52(4), 2009). All values are SI.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

from bench.record import Ceiling, Record
from reports import datasheet_lookup, datasheets
from reports.datasheet_lookup import Match
from reports.study import metric, values

Rung = Literal["machine", "datasheet"]

_PEAK = re.compile(r"matmul_(?P<format>\w+?)_(?:FL)?OP_per_s")
_READ = re.compile(r"read_(?:(?P<level>L\d)_)?B_per_s")


@dataclass(frozen=True)
class Peak:
    """A flat roof: the rate of matrix products in one number format, FLOP/s (int8: OP/s)."""

    name: str
    value: float
    rung: Rung = "machine"


@dataclass(frozen=True)
class Band:
    """A sloping roof: the bandwidth with which one level of the memory is read, B/s."""

    name: str
    value: float
    rung: Rung = "machine"


@dataclass(frozen=True)
class Roofs:
    """The roofs of one machine, the highest first."""

    peaks: tuple[Peak, ...]
    bands: tuple[Band, ...]


@dataclass(frozen=True)
class Spot:
    """A point under the roofs: FLOPs per byte moved, and FLOP/s attained with their 95 % interval where it is known."""

    record: Record
    intensity: float
    rate: float
    low: float | None
    high: float | None


def measured(ceilings: Mapping[str, Ceiling]) -> Roofs:
    """The roofs among measured ceilings: products by number format, reads by level of the memory."""
    peaks, bands = [], []
    for name, found in ceilings.items():
        value = _known(found.value)
        if value is None:
            continue
        if peak := _PEAK.fullmatch(name):
            peaks.append(Peak(peak["format"], value))
        elif band := _READ.fullmatch(name):
            bands.append(Band(f"{band['level']} cache" if band["level"] else "memory", value))
    return _ordered(peaks, bands)


def promised(record: Record) -> Roofs:
    """The datasheet's counterparts of the roofs that were measured, where the catalogue knows the record's device."""
    found = datasheet(record)
    roofs = measured({name: Ceiling(value, "", 1, "") for name, value in found.items()})
    return Roofs(
        tuple(replace(each, rung="datasheet") for each in roofs.peaks),
        tuple(replace(each, rung="datasheet") for each in roofs.bands),
    )


def datasheet(record: Record) -> dict[str, float]:
    """What the datasheet of the record's device promises, by the names of the ceilings that were measured."""
    device = device_of(record).device
    if device is None:
        return {}
    by_file = {
        "matmul": {name: each for name, each in record.ceilings.items() if _PEAK.fullmatch(name)},
        "bandwidth": {name: each for name, each in record.ceilings.items() if _READ.fullmatch(name)},
    }
    found = datasheet_lookup.beside(datasheets.shipped(), device, by_file)
    return {name: promise.value for figures in found.values() for name, promise in figures.items()}


def device_of(record: Record) -> Match:
    """The device of the catalogue on which the record was measured, or the reason why it is not known."""
    host = record.host
    if _on_cpu(record):
        return datasheet_lookup.processor(datasheets.shipped(), str(host.get("cpu") or ""))
    name, memory_B, limit_W = (host.get(key) for key in ("accelerator", "accelerator_memory_B", "power_limit_W"))
    return _accelerator(None if name is None else str(name), _known(memory_B), _known(limit_W))


@cache
def _accelerator(name: str | None, memory_B: float | None, limit_W: float | None) -> Match:
    return datasheet_lookup.accelerator(datasheets.shipped(), name, memory_B, limit_W)


def spot(record: Record) -> Spot | None:
    """Where the record stands; None where its FLOPs, its bytes or its time are not known."""
    latency = metric(record, "latency_s")
    flops, moved = _known(record.costs.get("flops")), _known(record.costs.get("bytes_moved"))
    seconds = _known(latency.value if latency else None)
    if latency is None or seconds is None or flops is None or moved is None:
        return None
    low, high = (None if (edge := _known(bound)) is None else flops / edge for bound in (latency.high, latency.low))
    return Spot(record, flops / moved, flops / seconds, low, high)


def bound(roofs: Roofs, intensity: float, number_format: str) -> float | None:
    """The highest rate, FLOP/s, that memory and the products of `number_format` allow at `intensity`.

    None where either was not measured.
    """
    peak = next((each.value for each in roofs.peaks if each.name == number_format), None)
    band = next((each.value for each in roofs.bands if each.name == "memory"), None)
    return None if peak is None or band is None else min(peak, intensity * band)


def number_format(record: Record) -> str:
    """The number format in which the point's products run, as ceilings name it: `amp-bf16` multiplies in bf16."""
    axes = values(record)
    return "int8" if str(axes["quantize"]).startswith("int8-dynamic") else str(axes["precision"]).removeprefix("amp-")


def _on_cpu(record: Record) -> bool:
    used = str(record.facts.get("device") or values(record)["device"])
    return used.startswith("cpu") or (used == "auto" and record.host.get("accelerator") is None)


def _known(raw: object) -> float | None:
    """The number where there is one that can be divided by."""
    return float(raw) if isinstance(raw, int | float) and math.isfinite(raw) and raw > 0 else None


def _ordered(peaks: Iterable[Peak], bands: Iterable[Band]) -> Roofs:
    return Roofs(tuple(sorted(peaks, key=lambda each: -each.value)), tuple(sorted(bands, key=lambda each: -each.value)))
