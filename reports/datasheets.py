"""What vendors promise of devices: the catalogue `datasheets.toml`, read and checked. Values are SI; peaks are dense.

This is the datasheet rung of three that are never mixed up; `bench.ceilings` measures the other two.
"""

import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, Strict, TypeAdapter, ValidationError

from bench.errors import UserError

Standing = Literal["vendor", "secondary"]
Figure = Annotated[float, Strict(), Field(gt=0, allow_inf_nan=False)]
Bytes = Annotated[int, Strict(), Field(gt=0)]
Text = Annotated[str, Strict(), Field(min_length=1)]
Keys = Annotated[tuple[Text, ...], Field(min_length=1)]

#: A misspelt key is an error, and no figure that was left out in silence.
_KNOWN_KEYS_ONLY = ConfigDict(extra="forbid")
SHIPPED = "datasheets.toml"


@dataclass(frozen=True)
class Source:
    """Where figures were read: on a page of the vendor, or in somebody else's table (`secondary`)."""

    where: Text
    standing: Standing
    __pydantic_config__ = _KNOWN_KEYS_ONLY


@dataclass(frozen=True)
class Group:
    """Figures that were read in one place; `sources` are keys of the catalogue's sources."""

    sources: Keys
    __pydantic_config__ = _KNOWN_KEYS_ONLY


@dataclass(frozen=True)
class Peaks(Group):
    """Dense peaks of matrix products, FLOP/s (int8: OP/s); of vector arithmetic for fp32 on NVIDIA's GPUs."""

    fp32_FLOP_per_s: Figure | None = None
    tf32_FLOP_per_s: Figure | None = None
    fp16_FLOP_per_s: Figure | None = None
    bf16_FLOP_per_s: Figure | None = None
    fp8_FLOP_per_s: Figure | None = None
    int8_OP_per_s: Figure | None = None


@dataclass(frozen=True)
class Memory(Group):
    """Size in bytes (a vendor's GB taken for 2^30) and bandwidth in B/s."""

    size_B: Bytes | None = None
    bandwidth_B_per_s: Figure | None = None


@dataclass(frozen=True)
class Power(Group):
    """The limit that the device comes with, W."""

    limit_W: Figure


@dataclass(frozen=True)
class Link(Group):
    """What leads to the host or to other devices, B/s one way."""

    name: Text
    each_way_B_per_s: Figure


@dataclass(frozen=True)
class Device:
    """One product. `names` is how its driver calls it; a group is None where no source for it was found."""

    name: Text
    vendor: Text
    kind: Literal["data-center", "workstation", "consumer", "system", "soc", "processor"]
    names: tuple[Text, ...] = ()
    year: int | None = None
    note: Text | None = None
    peaks: Peaks | None = None
    memory: Memory | None = None
    power: Power | None = None
    host_link: Link | None = None
    peer_link: Link | None = None
    __pydantic_config__ = _KNOWN_KEYS_ONLY

    def groups(self) -> dict[str, Group]:
        """The groups of figures that it has, by name."""
        found = {name: getattr(self, name) for name in ("peaks", "memory", "power", "host_link", "peer_link")}
        return {name: group for name, group in found.items() if group is not None}


@dataclass(frozen=True)
class Catalogue:
    """Every device, and the sources that their figures name."""

    sources: dict[str, Source]
    device: tuple[Device, ...]
    __pydantic_config__ = _KNOWN_KEYS_ONLY

    def standing(self, group: Group) -> Standing:
        """`vendor` where each of its sources is the vendor's, else `secondary`."""
        return "vendor" if {self.sources[key].standing for key in group.sources} == {"vendor"} else "secondary"

    def where(self, group: Group) -> tuple[str, ...]:
        """Where its figures were read."""
        return tuple(self.sources[key].where for key in group.sources)


def figures(group: Group) -> dict[str, float]:
    """The numbers of a group by name."""
    found = {field.name: getattr(group, field.name) for field in fields(group)}
    return {name: value for name, value in found.items() if isinstance(value, int | float)}


@cache
def shipped() -> Catalogue:
    """The catalogue that comes with pinchpoint."""
    return parse((files("reports") / SHIPPED).read_text(encoding="utf-8"), SHIPPED)


def parse(text: str, name: str) -> Catalogue:
    """A catalogue from TOML text. Raises `UserError` with the line, or with the device and the key that are wrong."""
    try:
        raw = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"The catalogue {name} is not TOML: {error}.", "Mend that line.") from error
    try:
        catalogue = TypeAdapter(Catalogue).validate_python(raw)
    except ValidationError as error:
        first = error.errors()[0]
        told = f"{_place(raw, first['loc'])}: {first['msg'][:1].lower()}{first['msg'][1:]}"
        raise UserError(
            f"The catalogue {name} is wrong at {told}.", "Mend that key; figures are SI numbers."
        ) from error
    wrong = next(_contradictions(catalogue), None)
    if wrong is not None:
        raise UserError(f"The catalogue {name} is wrong: {wrong}.", "Mend that device.")
    return catalogue


def _place(raw: dict[str, Any], where: tuple[int | str, ...]) -> str:
    """`NVIDIA T4, memory.size_B`: the device by its name where it has one, and the path to the key below it."""
    if where[:1] != ("device",) or len(where) < 2:
        return ".".join(map(str, where))
    index = int(where[1])
    entry = raw["device"][index]
    named = str(entry["name"]) if isinstance(entry, dict) and "name" in entry else f"device {index + 1}"
    return ", ".join(part for part in (named, ".".join(map(str, where[2:]))) if part)


def _contradictions(catalogue: Catalogue) -> Iterator[str]:
    for name, times in Counter(device.name for device in catalogue.device).items():
        if times > 1:
            yield f"{name} is there {times} times"
    for device in catalogue.device:
        groups = device.groups()
        if not groups:
            yield f"{device.name} has no figures"
        for title, group in groups.items():
            if not figures(group):
                yield f"{device.name} has no figures in {title}"
            for key in group.sources:
                if key not in catalogue.sources:
                    yield f"{title} of {device.name} names the source '{key}', which is not there"
