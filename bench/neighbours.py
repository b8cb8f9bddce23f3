"""Which processes use our cores beside us: looked up once for a process, and only where they are in the way.

Walking over all processes takes some 10 ms, so it is done after the first block and once more when the load of others
has been high over several blocks.
"""

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.interference import foreign_load
from bench.record import Warn

#: A process of a sweep runs few blocks. Three of 20 ms on 2 cores are 12 ticks of 10 ms, known to one or two: only a
#: load of twice that is surely one. A smaller one is found over all blocks of the point, and stays without names.
_FEWEST_BLOCKS = 3
_SURELY_LOAD = 0.2
_MOST_NAMES = 3
#: A process that used less than this part of what all others used is not named.
_WORTH_A_NAME = 0.1


@dataclass(frozen=True)
class Process:
    """A process' name, the number of its parent, and the processor time that it used so far, in seconds."""

    name: str
    parent: int
    seconds: float


def census(root: Path = Path("/")) -> dict[int, Process]:
    """Every process by its number; empty where the system does not tell."""
    ticks_per_s = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
    found = {}
    for folder in (root / "proc").glob("[0-9]*"):
        try:
            said = (folder / "stat").read_text(encoding="utf-8", errors="replace")
        except OSError:  # it ended meanwhile
            continue
        # proc(5): NUMBER (NAME) STATE PARENT ... with utime and stime as columns 14 and 15; a name may hold brackets.
        begin, end = said.index("("), said.rindex(")")
        columns = said[end + 2 :].split()
        seconds = (int(columns[11]) + int(columns[12])) / ticks_per_s
        found[int(folder.name)] = Process(said[begin + 1 : end], int(columns[1]), seconds)
    return found


def busiest(before: Mapping[int, Process], after: Mapping[int, Process], ours: Collection[int]) -> list[str]:
    """Names of the processes that used most time between the two, those numbered `ours` left out."""
    used: dict[str, float] = {}
    for pid, process in after.items():
        if pid not in ours:
            earlier = before[pid].seconds if pid in before else 0.0
            used[process.name] = used.get(process.name, 0.0) + process.seconds - earlier
    worth = _WORTH_A_NAME * sum(used.values())
    ranked = sorted(used, key=lambda name: -used[name])[:_MOST_NAMES]
    return [name for name in ranked if used[name] > worth]


def family(processes: Mapping[int, Process], pid: int) -> set[int]:
    """The process, its parent, all children of either (the other points of a sweep), and who started the parent."""
    parent = processes[pid].parent if pid in processes else 0
    ours = {number for number, process in processes.items() if process.parent in (pid, parent)}
    return ours | {pid, parent} | ({processes[parent].parent} if parent in processes else set())


class Neighbours:
    """Follows the foreign load from block to block, and names those who cause it, once."""

    def __init__(self) -> None:
        self._before: dict[int, Process] | None = None
        self._shares: list[float] = []
        self._named = False

    def after_block(self, foreign_share: float | None) -> list[Warn]:
        """The warning `foreign_load` with names, once the mean over the first blocks is surely too high."""
        if foreign_share is None or self._named:
            return []
        if self._before is None:
            self._before = census()
        self._shares.append(foreign_share)
        mean = sum(self._shares) / len(self._shares)
        if len(self._shares) < _FEWEST_BLOCKS or mean <= _SURELY_LOAD:
            return []
        self._named = True
        now = census()
        return [foreign_load(mean, busiest(self._before, now, family(now, os.getpid())))]
