"""Which device a machine has, or a user names; and what its datasheet promises beside what was measured."""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from bench import units
from bench.errors import UserError
from bench.record import Metric
from reports.datasheets import Catalogue, Device, Group, Link, Memory, Peaks, Power, Standing

#: A driver tells less than the datasheet: error correction takes up to a sixteenth of GDDR, firmware some more (an
#: H100 of 80 GiB tells 79.6, a K80 of 12 tells 11.2, a B300 of 288 tells 268.6). Variants differ by a sixth or more.
LEAST_MEMORY, MOST_MEMORY = 0.9, 1.02
#: Two power limits that differ by less are the same: they are set in whole watts.
SAME_POWER = 0.02

#: A power limit above the datasheet's by more than this half is a mistake, not a setting.
MOST_POWER = 1.5
#: How many names an error lists.
_LISTED = 8
_WITH_LIMIT = re.compile(r"(?P<name>.+?)\s*@\s*(?P<limit>\S+?)\s*W", re.IGNORECASE)

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


def named(catalogue: Catalogue, text: str) -> Device:
    """The device that a user names: by its whole name, else by words of it, in any case.

    Of devices that have all the words, it is the one with the fewest words beside them (`4090` is not the 4090 D).
    `NAME@330W` is the device with that power limit in W. Raises `UserError` with the nearest names where it is none or
    cannot be told, and for a limit that is not above zero or more than 1.5 times the datasheet's.
    """
    exact = [each for each in catalogue.device if each.name == text]
    limited = None if exact else _WITH_LIMIT.fullmatch(text.strip())
    if limited is not None:
        return _limited(named(catalogue, limited["name"]), limited["limit"])
    for words in (_whole_words, _letters_and_digits):
        found = exact or _with_words(catalogue, text, words)
        if len(found) == 1:
            return found[0]
        if found:
            names = [each.name for each in found[:_LISTED]]
            raise UserError(f"'{text}' can be {' or '.join(names)}.", "Give more words of its name.")
    near = difflib.get_close_matches(_plain(text), [_plain(each.name) for each in catalogue.device], _LISTED, 0.4)
    names = [each.name for word in near for each in catalogue.device if _plain(each.name) == word]
    listed = f" The nearest are {', '.join(dict.fromkeys(names))}." if names else ""
    raise UserError(f"The catalogue has no device '{text}'.{listed}", "Name one of them, or add yours in a file.")


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


def _whole_words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9.+]+", text.casefold())


def _letters_and_digits(text: str) -> list[str]:
    """So that `rtx4090`, `gaudi 3` and `a100-80 gb` are found too."""
    return re.findall(r"[a-z]+|[0-9.]+", text.casefold())


def _with_words(catalogue: Catalogue, text: str, words: Callable[[str], list[str]]) -> list[Device]:
    """The devices that have all the words of the text, those with the fewest others. `24GB` of memory is a word too."""
    wanted, found = set(words(text)), []
    for device in catalogue.device:
        own, size_B = words(device.name), _size_B(device)
        size = [] if size_B is None else words(f"{size_B / 2**30:.0f}GB")
        if wanted and wanted <= {*own, *size}:
            found.append((len(own), device))
    fewest = min((length for length, _ in found), default=0)
    return [device for length, device in found if length == fewest]


def _limited(device: Device, limit: str) -> Device:
    """The device with another power limit, which is part of its name from then on."""
    try:
        watts = float(limit)
    except ValueError:
        raise UserError(f"'{limit}' is no power limit in W.", f"Write it as '{device.name}@330W'.") from None
    if device.power is None:
        raise UserError(
            f"The power limit of {device.name} is not in the catalogue, so no other can stand in its place.",
            "Add it in a file of your own.",
        )
    usual = device.power.limit_W
    if not 0 < watts <= MOST_POWER * usual:
        raise UserError(
            f"{watts:g} W is no power limit of {device.name}; its datasheet has {usual:g} W.",
            f"Give more than 0 and at most {MOST_POWER * usual:g} W.",
        )
    power = replace(device.power, limit_W=watts)
    return replace(device, name=f"{device.name} @ {watts:g} W", power=power)
