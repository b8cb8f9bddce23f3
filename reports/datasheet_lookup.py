"""Which device of the catalogue a machine has, and what its datasheet promises beside what was measured."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bench import units
from bench.record import Metric
from reports.datasheets import Catalogue, Device, Group, Link, Memory, Peaks, Power, Standing

#: A driver tells less than the datasheet: error correction takes up to a sixteenth of GDDR, firmware some more (an
#: H100 of 80 GiB tells 79.6, a K80 of 12 tells 11.2, a B300 of 288 tells 268.6). Variants differ by a sixth or more.
LEAST_MEMORY, MOST_MEMORY = 0.9, 1.02
#: Two power limits that differ by less are the same: they are set in whole watts.
SAME_POWER = 0.02

#: What /proc/cpuinfo, or Python in its absence, says where it does not know the model.
_ARCHITECTURES = frozenset(("", "x86_64", "amd64", "i386", "i686", "aarch64", "arm64", "arm", "ppc64le", "riscv64"))


@dataclass(frozen=True)
class Match:
    """The device that was found, with what sets this one apart from its datasheet; or None with the reason."""

    device: Device | None
    reason: str | None = None
    cautions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Promise:
    """The datasheet's figure beside a measured one; `share` of it was reached, None where nothing was measured."""

    value: float
    unit: str
    share: float | None
    standing: Standing
    sources: tuple[str, ...]


def accelerator(catalogue: Catalogue, name: str | None, memory_B: float | None, power_limit_W: float | None) -> Match:
    """The device that a driver calls `name`, told from others of that name by its memory, then by its power limit.

    Names are compared whole: a laptop's GPU and a slice of one have longer names, and other figures.
    """
    if name is None:
        return Match(None, "no driver tells the name of the accelerator.")
    named = [each for each in catalogue.device if each.kind != "processor" and _is_called(each, name)]
    if not named:
        return Match(None, f"'{name}' is not in the catalogue.")
    found = [each for each in named if _has_memory(each, memory_B)]
    if not found:
        sizes = " or ".join(units.quantity(size, "B") for each in named if (size := _size_B(each)) is not None)
        return Match(None, f"the catalogue has '{name}' with {sizes}; this one has {units.quantity(memory_B, 'B')}.")
    if len(found) > 1:
        found = [each for each in found if _has_power(each, power_limit_W)] or found
    if len(found) > 1:
        return Match(None, f"'{name}' can be {' or '.join(each.name for each in found)}.")
    return Match(found[0], cautions=tuple(_cautions(found[0], power_limit_W)))


def processor(catalogue: Catalogue, model: str) -> Match:
    """The processor of that model name, as the system tells it."""
    found = [each for each in catalogue.device if each.kind == "processor" and _is_called(each, model)]
    if len(found) == 1:
        return Match(found[0])
    if found:
        return Match(None, f"'{model}' can be {' or '.join(each.name for each in found)}.")
    if not _names_a_model(model):
        return Match(None, f"'{model}' names no model of a processor, as in many virtual machines.")
    return Match(None, f"the processor '{model}' is not in the catalogue.")


def beside(
    catalogue: Catalogue, device: Device, measured: Mapping[str, Mapping[str, Metric]]
) -> dict[str, dict[str, Promise]]:
    """The datasheet's figure for each measured one that has a counterpart, by ceiling and figure.

    Products are held against the peak of their number format, main memory (not the caches) against its bandwidth, and
    transfers against the link to the host, where the catalogue knows it.
    """
    found: dict[str, dict[str, Promise]] = {}
    for ceiling, metrics in measured.items():
        for name, metric in metrics.items():
            counterpart = _counterpart(device, ceiling, name)
            if counterpart is not None:
                group, value = counterpart
                share = None if metric.value is None else metric.value / value
                promise = Promise(value, metric.unit, share, catalogue.standing(group), catalogue.where(group))
                found.setdefault(ceiling, {})[name] = promise
    return found


def _counterpart(device: Device, ceiling: str, figure: str) -> tuple[Group, float] | None:
    group: Peaks | Memory | Link | None = None
    value: float | None = None
    if ceiling == "matmul" and device.peaks is not None:
        group, value = device.peaks, getattr(device.peaks, figure.removeprefix("matmul_"), None)
    elif ceiling == "bandwidth" and figure in ("read_B_per_s", "copy_B_per_s", "triad_B_per_s") and device.memory:
        group, value = device.memory, device.memory.bandwidth_B_per_s
    elif ceiling == "transfer" and figure.startswith(("host_to", "device_to")) and device.host_link is not None:
        group, value = device.host_link, device.host_link.each_way_B_per_s
    return None if group is None or value is None else (group, value)


def _is_called(device: Device, name: str) -> bool:
    return _plain(name) in map(_plain, device.names)


def _plain(name: str) -> str:
    """Without the vendor, which NVIDIA's driver puts before the name from release 470 on, and marks such as (R)."""
    words = re.sub(r"\((r|tm|c)\)", " ", name.casefold()).split()
    return " ".join(words[1:] if words[:1] == ["nvidia"] else words)


def _size_B(device: Device) -> int | None:
    return None if device.memory is None else device.memory.size_B


def _has_memory(device: Device, memory_B: float | None) -> bool:
    size_B = _size_B(device)
    return memory_B is None or size_B is None or LEAST_MEMORY <= memory_B / size_B <= MOST_MEMORY


def _has_power(device: Device, limit_W: float | None) -> bool:
    return limit_W is not None and device.power is not None and _same_power(device.power, limit_W)


def _same_power(power: Power, limit_W: float) -> bool:
    return abs(limit_W / power.limit_W - 1) <= SAME_POWER


def _cautions(device: Device, limit_W: float | None) -> Iterator[str]:
    if device.power is not None and limit_W is not None and not _same_power(device.power, limit_W):
        yield f"Its power limit is {limit_W:.0f} W; the datasheet's is {device.power.limit_W:.0f} W."
    if device.note is not None:
        yield device.note


def _names_a_model(model: str) -> bool:
    """Whether a digit is left once clock speed, QEMU's description in brackets and marks are taken away."""
    if model.casefold() in _ARCHITECTURES or "qemu" in model.casefold():
        return False
    return any(letter.isdigit() for letter in re.sub(r"@.*|\([^)]*\)", " ", model))
