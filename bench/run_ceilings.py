"""Which ceilings the points of a run are judged against: those of their device with their number of threads."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from bench import host
from bench.ceilings import Measured
from bench.record import Ceiling, Value

#: As many pairs of device and threads are measured, at 40 s each; for others only what is kept is used.
MOST_MEASURED = 3
#: A device as the axis names it, and CPU threads.
Pair = tuple[str, int]


@dataclass(frozen=True)
class Found:
    """Ceilings by `key` and name of the figure, the pairs that lack them, and what was said on the way."""

    ceilings: dict[str, dict[str, Ceiling]]
    lacking: tuple[Pair, ...]
    unkept: tuple[str, ...] = ()


def key(axes: Mapping[str, Value], host_facts: Mapping[str, Value | None]) -> str:
    """Whose ceilings a point has: `cpu, 2 threads`. `auto` threads are the cores that the run's host may use."""
    cores = host_facts.get("cores")
    threads = axes["threads"] if axes["threads"] != "auto" else cores
    return _named(str(axes["device"]), int(threads or 0))


def _named(device: str, threads: int) -> str:
    return f"{device}, {threads} threads"


def pairs(points: Iterable[Mapping[str, Value]]) -> list[Pair]:
    """Device and threads of each point, each pair once: those of most points first."""
    found = Counter(map(pair, points))
    return sorted(found, key=lambda each: -found[each])


def pair(axes: Mapping[str, Value]) -> Pair:
    """Device and threads of a point on this machine."""
    return str(axes["device"]), host.usable_cores() if axes["threads"] == "auto" else int(axes["threads"])


def find(
    wanted: Iterable[Pair],
    kept: Callable[[str, int], Measured | None],
    measure: Callable[[str, int], tuple[Measured, str | None]] | None,
) -> Found:
    """Ceilings of each pair: kept ones, else measured ones where `measure` is given, for the first `MOST_MEASURED`."""
    found: dict[str, dict[str, Ceiling]] = {}
    lacking, unkept = [], []
    measured = 0
    for device, threads in wanted:
        have = kept(device, threads)
        if have is None and measure is not None and measured < MOST_MEASURED:
            measured += 1
            have, reason = measure(device, threads)
            unkept += [reason] if reason is not None else []
        if have is None:
            lacking.append((device, threads))
        else:
            found[_named(device, threads)] = flat(have)
    return Found(found, tuple(lacking), tuple(unkept))


def flat(measured: Measured) -> dict[str, Ceiling]:
    """The figures by their own names, which are unique over the files that measure them."""
    return {name: figure for figures in measured.ceilings.values() for name, figure in figures.items()}
