"""The parent's side: the ceilings of this machine, and cases run in children, one at a time. No torch here."""

import json
import random
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import psutil
from pydantic import TypeAdapter

from bench import host
from bench.ceilings import _gather
from bench.observation import Observation
from bench.record import Ceiling
from tests.known_walls.groups import remove_groups

#: A case that has not answered by then is given up.
LIMIT_S = 120.0
#: Cores that other programs may keep busy on average while a case runs: more, and threads that wait for one another
#: share a core with strangers; the case is then run again when these are done, up to that many times in all, and at the
#: latest after so many seconds.
MOST_FOREIGN, ATTEMPTS, PATIENCE_S = 0.15, 4, 120.0
_OBSERVATION = TypeAdapter(Observation)


@dataclass(frozen=True)
class Run:
    """One run of a case: its true shares by wall, what was observed, and cores that others kept busy meanwhile."""

    name: str
    seed: int
    sizes: str
    truth: Mapping[str, float]
    observation: Observation
    foreign: float


def ceilings() -> dict[str, Ceiling]:
    """Every figure of this machine by its name, measured or kept."""
    measured, _ = _gather.obtain("cpu", host.usable_cores())
    return {name: found for figures in measured.ceilings.values() for name, found in figures.items()}


def runs(names: Iterable[str], seeds: Iterable[int]) -> Iterator[Run]:
    """Each case with each seed, in random order within a seed, so that drift meets all alike. Failures are told."""
    order = random.Random(0)
    names = list(names)
    for seed in seeds:
        for name in order.sample(names, len(names)):
            found = _quietly(name, seed)
            if found is not None:
                yield found


def _quietly(name: str, seed: int) -> Run | None:
    found = None
    for attempt in range(ATTEMPTS):
        if attempt:
            _await_quiet()
        found = _run(name, seed)
        if found is None or found.foreign <= MOST_FOREIGN:
            return found
    print(f"{name} {seed}: other programs kept {found.foreign:.2f} cores busy in each of {ATTEMPTS} attempts")
    return found


def _await_quiet() -> None:
    ends = time.monotonic() + PATIENCE_S
    while time.monotonic() < ends:
        busy_s = _busy_s()
        time.sleep(1)
        if _busy_s() - busy_s <= MOST_FOREIGN:
            return


def _run(name: str, seed: int) -> Run | None:
    command = [sys.executable, "-m", "tests.known_walls", name, f"--seed={seed}"]
    began, busy_s = time.monotonic(), _busy_s()
    mine_s = _children_s()
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        print(f"{name} {seed}: no answer within {LIMIT_S:g} s")
        return None
    finally:
        remove_groups()
    foreign = (_busy_s() - busy_s - (_children_s() - mine_s)) / (time.monotonic() - began)
    if done.returncode != 0:
        print(f"{name} {seed}: {(done.stderr.strip().splitlines() or [f'exit code {done.returncode}'])[-1]}")
        return None
    answer = json.loads(done.stdout.splitlines()[-1])
    if "unsupported" in answer:
        print(f"{name} {seed}: not possible here: {answer['unsupported']}")
        return None
    observation = _OBSERVATION.validate_python(answer["observation"])
    return Run(name, seed, answer["sizes"], answer["truth"], observation, foreign)


def _busy_s() -> float:
    """Seconds that the processors were busy with programs since the machine started."""
    times = psutil.cpu_times()
    return float(times.user + times.system + getattr(times, "nice", 0.0))


def _children_s() -> float:
    times = psutil.Process().cpu_times()
    return float(times.children_user + times.children_system)
