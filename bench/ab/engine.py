"""Measures two sides in turns: for each benchmark fresh pairs of processes, until the gate's answer is clear.

Both processes of a pair are resident, and short blocks of one alternate with those of the other in random order, so the
drift of the machine falls on both alike. What two starts of a program differ by, by luck (`bench.ab.layout`), lies
between pairs: each pair of a benchmark is of a fresh start, and the gate counts pairs (`bench.gate`). Every pair is
kept before the next one is begun.
"""

import math
import random
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from bench import gate
from bench.ab.pairs import TIME, Half, Key, Pair, given_up, values
from bench.ab.sequence import Decision, replay
from bench.ab.source import MOST_ITERATIONS, Benchmark, Running, Source
from bench.executors.local import ChildFailed
from bench.gate import Limit
from bench.interleave import turns

#: A block lasts so long: over pairs of identical programs, blocks of 20 ms vary least for the time they take.
BLOCK_S = 0.02
#: The blocks of a pair take about so long on both sides together, and are so many: more of them tell little,
#: since starts differ by more than blocks do.
PAIR_S = 0.25
FEWEST_BLOCKS, MOST_BLOCKS = 3, 10
#: The first pair of a benchmark warms up until it is steady, for so long at most; later ones repeat its beginning.
_FIRST_WARMUP_S, _WARMUP_S = 1.0, 0.04

#: Called with the pairs done, how many there may be, and what is being measured.
Notify = Callable[[int, int, str], None]


@dataclass
class Bout:
    """One benchmark that both sides have, while it is measured."""

    benchmark: Benchmark
    limits: dict[str, Limit]
    pairs: list[Pair] = field(default_factory=list)
    iterations: int = 0
    blocks: int = 0
    over: bool = False


@dataclass
class Match:
    """The measurement of two sides. `run` ends when every answer is clear or the time is up.

    `limits` are those of all benchmarks, by metric; one's own limit of time wins. `keep` is called with each pair as it
    is measured. `budget_s` is per benchmark; what one does not need, the others may use. `seed` decides on all turns
    and on the seeds for hashes; without one, every match draws its own.
    """

    base: Source
    new: Source
    limits: Mapping[str, Limit]
    keep: Callable[[dict[str, Any]], None] = lambda _: None
    budget_s: float = 60.0
    notify: Notify = lambda *_: None
    seed: str = field(default_factory=lambda: secrets.token_hex(8))
    only: frozenset[str] | None = None
    looks: tuple[int, ...] = gate.LOOKS

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311 - an order, not a secret
        self._bouts: dict[str, Bout] = {}
        self.done = 0
        self._ends_s = math.inf
        self.total_s = 0.0
        self.alone: dict[str, str] = {}
        self.notes: tuple[str, ...] = ()
        self.labels: dict[str, str] = {}

    def run(self) -> dict[Key, Decision]:
        """Measure; what was decided on each gated metric of each benchmark. Both sides are closed however it ends."""
        try:
            if not self._bouts:
                self.prepare()
            self._ends_s = time.monotonic() + self.total_s
            for number in range(self.looks[-1]):
                if not self._round(number):
                    break
            return self._look(ended=True)
        finally:
            self.base.close()
            self.new.close()

    def _round(self, number: int) -> bool:
        """A pair of each benchmark that goes on, all from one start of each side; whether there is more to do."""
        if number:
            self._renew()
        for _, name in turns([number], lambda _: list(self._going()), self._random):
            if number and time.monotonic() > self._ends_s:
                return False
            self._pair(self._bouts[name])
        self._look(ended=False)
        return bool(self._going())

    def _renew(self) -> None:
        seed = self._random.randrange(1, 2**32)
        for side in (self.base, self.new):
            side.renew(seed)

    def prepare(self) -> None:
        """Find out what both sides have. `alone` then names the benchmarks that only one has, with the name of that
        side (`base` or `new`), `labels` all of them, and `notes` say what could not be read. Raises `UserError` where a
        side does not run.
        """
        try:
            before, after = self.base.benchmarks(), self.new.benchmarks()
        except BaseException:
            self.base.close()
            self.new.close()
            raise
        told = {side: (self.base if side == "base" else self.new).uncollected for side in ("base", "new")}
        self.notes = tuple(f"Not collected on the {side} side: {each}." for side in told for each in told[side])
        every = {name: found for name, found in (before | after).items() if self.only is None or name in self.only}
        self.labels = {name: found.label for name, found in every.items()}
        self.alone = {
            name: "base" if name in before else "new" for name in every if not (name in before and name in after)
        }
        for name, benchmark in every.items():
            if name not in self.alone:
                own = {TIME: benchmark.limit} if benchmark.limit is not None else {}
                self._bouts[name] = Bout(benchmark, dict(self.limits) | own)
        self.total_s = sum(bout.benchmark.budget_s or self.budget_s for bout in self._bouts.values())

    def key_limits(self) -> dict[Key, Limit]:
        """The limit of each gated metric of each benchmark that both sides have."""
        return {(name, metric): limit for name, bout in self._bouts.items() for metric, limit in bout.limits.items()}

    def _going(self) -> dict[str, Bout]:
        return {name: bout for name, bout in self._bouts.items() if not bout.over}

    def _look(self, *, ended: bool) -> dict[Key, Decision]:
        """Decide what can be decided; a benchmark is over when all that is gated of it is, and can be read."""
        limits = self.key_limits()
        found: dict[Key, list[float]] = {}
        for metric in {metric for _, metric in limits}:
            pairs = [pair for bout in self._bouts.values() for pair in bout.pairs]
            found |= {(name, metric): logs for name, logs in values(pairs, metric).items()}
        decisions = replay(found, limits, ended=ended, looks=self.looks)
        for name, bout in self._going().items():
            keys = [(name, metric) for metric in bout.limits if found.get((name, metric))]
            bout.over = bool(keys) and all(decisions[key].outcome != "undecided" for key in keys)
        return decisions

    def _pair(self, bout: Bout) -> None:
        """One pair of processes; where a side fails twice, the benchmark is over."""
        self.notify(self.done, len(self._going()) * self.looks[-1], bout.benchmark.label)
        pair = self._measured(bout)
        self.keep(asdict(pair))
        self.done += 1
        bout.pairs.append(pair)
        bout.over = given_up(bout.pairs)

    def _measured(self, bout: Bout) -> Pair:
        running: dict[str, Running] = {}
        failed: dict[str, str] = {}
        halves = {"base": Half(), "new": Half()}
        try:
            for _, side in self._in_turns(1):
                with _told(failed, side):
                    running[side] = (self.base if side == "base" else self.new).start(bout.benchmark.id)
            for _, side in self._in_turns(1, running):
                with _told(failed, side):
                    self._warm_up(bout, running[side])
            for _, side in self._in_turns(0 if failed else bout.blocks):
                if not failed:
                    with _told(failed, side):
                        halves[side].blocks.append(running[side].block(bout.iterations))
            for _, side in self._in_turns(1, running):
                if side not in failed:
                    with _told(failed, side):
                        halves[side].readings.update(running[side].peak(bout.iterations))
                        halves[side].counts.update(running[side].finish())
        finally:
            for each in running.values():
                each.close()
        base, new = (Half(failed=failed[side]) if side in failed else halves[side] for side in ("base", "new"))
        return Pair(bout.benchmark.id, base, new)

    def _in_turns(self, rounds: int, among: Iterable[str] = ("base", "new")) -> "Iterable[tuple[int, str]]":
        members = [side for side in ("base", "new") if side in among]
        return turns(range(rounds), lambda _: members, self._random)

    def _warm_up(self, bout: Bout, running: Running) -> None:
        """Warm up; the first process of a benchmark says how long its blocks are, and how many a pair has."""
        first = bout.iterations == 0
        iteration_s = max(running.warm_up(_FIRST_WARMUP_S if first else _WARMUP_S), 1e-9)
        if first:
            bout.iterations = min(max(1, round(BLOCK_S / iteration_s)), MOST_ITERATIONS)
            least = 1 if iteration_s > PAIR_S else FEWEST_BLOCKS
            bout.blocks = min(max(round(PAIR_S / (2 * bout.iterations * iteration_s)), least), MOST_BLOCKS)


class _told(suppress):
    """Suppresses `ChildFailed`, and notes it for the side."""

    def __init__(self, failed: dict[str, str], side: str) -> None:
        super().__init__(ChildFailed)
        self._failed, self._side = failed, side

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
        if isinstance(error, ChildFailed):
            self._failed[self._side] = f"{error.status}: {error.reason}"
        return super().__exit__(kind, error, trace)
