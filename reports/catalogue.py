"""The records of the catalogue of devices: figures in SI units, each group of them with its sources."""

from dataclasses import dataclass, fields
from typing import Literal

from reports.prices import Price
from reports.strict_types import KNOWN_KEYS_ONLY, Bytes, Figure, Keys, Text

#: On a page of the vendor; in somebody else's table; in the file of a user.
Standing = Literal["vendor", "secondary", "own"]


@dataclass(frozen=True)
class Source:
    """Where figures were read: on a page of the vendor, or in somebody else's table (`secondary`)."""

    where: Text
    standing: Standing
    __pydantic_config__ = KNOWN_KEYS_ONLY


@dataclass(frozen=True)
class Group:
    """Figures that were read in one place; `sources` are keys of the catalogue's sources."""

    sources: Keys
    __pydantic_config__ = KNOWN_KEYS_ONLY


@dataclass(frozen=True)
class Peaks(Group):
    """Dense peaks of matrix products, FLOP/s (integers: OP/s), accumulated in fp32 (integers: int32).

    fp32 is vector arithmetic, which on NVIDIA's and AMD's GPUs has a peak of its own. `fp16_fp16_accumulate` is for
    products that are summed in fp16 too: twice as fast on GeForce cards, the same on others, used by few libraries.
    """

    fp32_FLOP_per_s: Figure | None = None
    tf32_FLOP_per_s: Figure | None = None
    fp16_FLOP_per_s: Figure | None = None
    fp16_fp16_accumulate_FLOP_per_s: Figure | None = None
    bf16_FLOP_per_s: Figure | None = None
    fp8_FLOP_per_s: Figure | None = None
    fp4_FLOP_per_s: Figure | None = None
    int8_OP_per_s: Figure | None = None
    int4_OP_per_s: Figure | None = None


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
    """One product. `names` is how its driver calls it; a group is None where no source for it was found.

    `architecture` is one short word for a family of chips, spelt alike within it: projections group by it.
    """

    name: Text
    vendor: Text
    kind: Literal["data-center", "workstation", "consumer", "system", "soc", "processor"]
    architecture: Text | None = None
    names: tuple[Text, ...] = ()
    year: int | None = None
    note: Text | None = None
    peaks: Peaks | None = None
    memory: Memory | None = None
    power: Power | None = None
    host_link: Link | None = None
    peer_link: Link | None = None
    price: tuple[Price, ...] = ()
    __pydantic_config__ = KNOWN_KEYS_ONLY

    def groups(self) -> dict[str, Group]:
        """The groups of figures that it has, by name."""
        found = {name: getattr(self, name) for name in ("peaks", "memory", "power", "host_link", "peer_link")}
        return {name: group for name, group in found.items() if group is not None}


@dataclass(frozen=True)
class Catalogue:
    """Every device, and the sources that their figures name."""

    sources: dict[str, Source]
    device: tuple[Device, ...]
    __pydantic_config__ = KNOWN_KEYS_ONLY

    def standing(self, found: Group | Price) -> Standing:
        """`own` where a source is a user's file, `vendor` where each is the vendor's, else `secondary`."""
        standings = {self.sources[key].standing for key in found.sources}
        if "own" in standings:
            return "own"
        return "vendor" if standings == {"vendor"} else "secondary"

    def where(self, found: Group | Price) -> tuple[str, ...]:
        """Where its figures were read."""
        return tuple(self.sources[key].where for key in found.sources)


def figures(group: Group) -> dict[str, float]:
    """The numbers of a group by name."""
    found = {field.name: getattr(group, field.name) for field in fields(group)}
    return {name: value for name, value in found.items() if isinstance(value, int | float)}
