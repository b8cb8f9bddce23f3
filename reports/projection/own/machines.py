"""What records ran on: a device of the catalogue, else a processor as the machine's own ceilings describe it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from bench.record import Ceiling, Record, Value
from reports import datasheet_lookup, labels
from reports.datasheet_lookup import SAME_POWER
from reports.datasheets import Catalogue, Device, Memory, Peaks
from reports.projection.efficiency import CEILINGS
from reports.projection.own.job import LeftOut, number

#: The ceiling that stands for the bandwidth of a datasheet: weights are read, hardly anything is written.
BANDWIDTH = "read_B_per_s"
_PEAKS = ("fp32_FLOP_per_s", "tf32_FLOP_per_s", "fp16_FLOP_per_s", "bf16_FLOP_per_s", "fp8_FLOP_per_s", "int8_OP_per_s")
#: With fewer of a processor's cores than this share, its datasheet promises what the process cannot have.
MOST_OF_IT = 0.5
_CORES = re.compile(r"(\d+)[- ]cores?\b", re.IGNORECASE)
#: Vendors by words of their processors' names, as systems tell them.
_VENDORS = {
    "AMD": ("amd", "epyc", "ryzen", "threadripper"),
    "Intel": ("intel", "xeon", "core(tm)"),
    "Apple": ("apple",),
    "NVIDIA": ("grace", "nvidia"),
    "AWS": ("graviton", "aws"),
    "Ampere": ("ampere", "altra"),
}
_ARM = ("aarch64", "arm64", "apple", "neoverse", "graviton", "ampere", "cortex", "grace")
Host = Mapping[str, Value | None]


@dataclass(frozen=True)
class Found:
    """A device and what to know of it."""

    device: Device
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Machines:
    """The catalogue, and ceilings of processors by machine (its fingerprint) and threads, and by name and threads.

    Under a name there are some only where one machine of that name was measured.
    """

    catalogue: Catalogue
    by_machine: Mapping[tuple[str, int], Mapping[str, Ceiling]] = field(default_factory=dict)
    by_name: Mapping[tuple[str, int], Mapping[str, Ceiling]] = field(default_factory=dict)

    @classmethod
    def of(cls, records: Iterable[Record], catalogue: Catalogue) -> "Machines":
        """With the ceilings of `records`, the last of which count."""
        by_machine: dict[tuple[str, int], Mapping[str, Ceiling]] = {}
        machines: dict[tuple[str, int], set[str]] = {}
        for record in records:
            if record.ceilings and not on_gpu(record):
                machine = str(record.host.get("fingerprint"))
                by_machine[machine, threads(record)] = record.ceilings
                machines.setdefault((_cpu(record.host), threads(record)), set()).add(machine)
        by_name = {
            (name, count): by_machine[next(iter(which)), count]
            for (name, count), which in machines.items()
            if len(which) == 1
        }
        return cls(catalogue, by_machine, by_name)

    def accelerator(self, host: Host) -> Found:
        """The GPU of a host, with its own power limit. Raises `LeftOut` where it is not known."""
        name = host.get("accelerator")
        if name is None:
            raise LeftOut("no driver tells the name of the accelerator")
        limit_W = number(host.get("power_limit_W"))
        memory_B = number(host.get("accelerator_memory_B"))
        match = datasheet_lookup.accelerator(self.catalogue, str(name), memory_B, limit_W)
        if match.device is None:
            raise LeftOut(f"{labels.plain(match.reason).rstrip('.')}; describe it in a catalogue of your own")
        device = match.device
        if limit_W is not None and device.power and abs(limit_W / device.power.limit_W - 1) > SAME_POWER:
            device = replace(device, power=replace(device.power, limit_W=limit_W))
        return Found(device, tuple(f"{device.name}: {each}" for each in match.cautions))

    def processor(self, host: Host, threads: int, machine: str | None) -> Found:
        """The processor of a host, of which `threads` are used. Raises `LeftOut` where it is not known.

        A datasheet is of a whole processor: where less than half of its cores are used, as in a virtual machine, the
        ceilings that were measured on those stand in for it. Without a `machine`, those of the same name do.
        """
        name = _cpu(host)
        match = datasheet_lookup.processor(self.catalogue, name)
        cores = None if match.device is None else _cores(match.device, name)
        if match.device is not None and (cores is None or threads >= MOST_OF_IT * cores):
            return Found(match.device)
        known = self.by_name.get((name, threads)) if machine is None else self.by_machine.get((machine, threads))
        device = None if known is None else _measured(host, threads, known)
        if device is not None:
            notes = [f"{device.name}: ceilings that were measured on the machine stand in for its datasheet."]
            if machine is None:
                notes.append("Another tool's file names the same processor; it is taken for the same machine.")
            return Found(device, tuple(notes))
        if match.device is not None:
            reason = f"{threads} of the {cores} cores of {match.device.name} were used"
        else:
            reason = labels.plain(match.reason).rstrip(".")
        raise LeftOut(f"{reason}, and there are no ceilings of the machine with {labels.count(threads, 'thread')}")


def on_gpu(record: Record) -> bool:
    """Whether the record says that a GPU did the work."""
    told = str(record.facts.get("device", record.axes.get("device", "auto")))
    return told.startswith("cuda") or (told == "auto" and bool(record.host.get("accelerator")))


def threads(record: Record) -> int:
    """Threads on the processor that the record had, 0 where it does not say."""
    told = (record.facts.get("threads"), record.axes.get("threads"), record.host.get("cores"))
    found = next((each for each in map(number, told) if each is not None), 0.0)
    return int(min(found, 1e6))


def _cpu(host: Host) -> str:
    return labels.plain(host.get("cpu") or "")


def _cores(device: Device, name: str) -> int | None:
    """Cores of the whole processor, as its name or the catalogue's note has them."""
    found = _CORES.search(name) or _CORES.search(f"{device.note or ''} {' '.join(device.names)}")
    return int(found[1]) if found else None


def _measured(host: Host, threads: int, ceilings: Mapping[str, Ceiling]) -> Device | None:
    """A device whose peaks and bandwidth are ceilings; None where there are too few of them."""
    values = {name: number(each.value) for name, each in ceilings.items()}
    peaks = {name: value for name in _PEAKS if (value := values.get(f"matmul_{name}")) is not None}
    bandwidth = values.get(BANDWIDTH)
    if not peaks or bandwidth is None:
        return None
    size_B = number(host.get("memory_B"))
    name = _cpu(host) or "processor"
    words = f"{name} {host.get('os') or ''}".casefold()
    vendor = next((vendor for vendor, marks in _VENDORS.items() if any(mark in words for mark in marks)), "unknown")
    return Device(
        name=f"{name}, {labels.count(threads, 'thread')}",
        vendor=vendor,
        kind="processor",
        architecture="Arm" if any(mark in words for mark in _ARM) else "x86",
        note="Its figures are ceilings that were measured on the machine, and no datasheet's.",
        peaks=Peaks(sources=(CEILINGS,), **peaks),
        memory=Memory(sources=(CEILINGS,), size_B=None if size_B is None else int(size_B), bandwidth_B_per_s=bandwidth),
    )
