"""The gate on real commits, on this machine: runs without a change that raise an alarm, known changes that are found.

Each run is one `pinchpoint ab` between two commits of a repository, in whose benchmarks a loop is longer by a known
number of iterations (a loader of text in plain Python, a small network in torch, 1 to 2 ms), or a buffer larger. That
the commits differ by just that is verified by what the loops count, not by the clock. What was measured is kept in the
cache and gone on with; Ctrl-C ends it and shows what there is.
"""

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench import gate
from bench.ab import engine, pairs
from bench.opening import open_store
from tests.gated_repository import FILES, LOAD, STEP, Repository, Work
from tests.proofs.kept_runs import KeptRuns
from tests.proofs.proof import Outcome, main, table

BASE = Work()
#: A run without a change is to raise no alarm in 299, a slow-down of the limit to be found in 59 of 59.
MOST_ALARMS, LEAST_POWER, MOST_S = 0.01, 0.95, 60.0


@dataclass(frozen=True)
class Kind:
    """A change, the benchmarks and limits that it is judged by, how many runs, and the exit code that is right: None
    where the change lies between the margin and the limit, so that any answer is."""

    work: Work
    runs: int
    quick: int
    right: int | None
    tests: tuple[str, ...] = (LOAD,)
    limits: str = "latency:5%"


#: 2 % of what a process of the network takes here.
_MEMORY_B = 5_000_000
_COMMENT = "nothing that runs differs"
KINDS = {
    "no change": Kind(Work(remark=_COMMENT), 299, 6, 0),
    "5 % slower": Kind(Work(lines=630), 59, 3, 1),
    "3 % slower": Kind(Work(lines=618), 20, 0, None),
    "10 % slower": Kind(Work(lines=660), 20, 1, 1),
    "network: no change": Kind(Work(remark=_COMMENT), 12, 0, 0, (STEP,)),
    "network: 5 % slower": Kind(Work(steps=105), 12, 1, 1, (STEP,)),
    "network: memory +2 %": Kind(Work(extra_bytes=_MEMORY_B), 12, 1, 1, (STEP,), "max_ram:2%"),
    "both: loader 5 % slower": Kind(Work(lines=630), 12, 0, 1, (STEP, LOAD)),
}


def told() -> object:
    """What the figures depend on."""
    constants = gate.LOOKS, gate.ALPHA, gate.MARGIN, engine.BLOCK_S, engine.PAIR_S, engine.MOST_BLOCKS
    return constants, KINDS, FILES, "turns and seeds drawn anew in each run"


def kept() -> KeptRuns:
    """Where finished runs are."""
    return KeptRuns("gate_reality", told())


def tag(name: str) -> str:
    """The tag of a kind's commit."""
    return "".join(letter for letter in name if letter.isalnum())


def one(name: str, repository: Repository) -> dict[str, Any]:
    """One run of the gate; what it said, what it took, and the ratios of its blocks."""
    kind = KINDS[name]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "bench.cli", "ab", "--base", "base", "--new", tag(name)]
        command += [*kind.tests, "--fail-on", kind.limits, "-o", "json", "-q", "--output-dir", folder]
        began = time.monotonic()
        done = subprocess.run(command, cwd=repository.folder, capture_output=True, text=True, check=False)
        spent_s = time.monotonic() - began
        if done.returncode not in (0, 1, 3):
            raise RuntimeError(done.stderr)
        findings = json.loads(done.stdout)["findings"]
        with open_store(folder) as store:
            found = [pairs.of(raw) for raw in store.pairs(store.runs()[-1].run)]
    verified(kind, found)
    return {
        "kind": name,
        "exit": done.returncode,
        "seconds": round(spent_s, 2),
        "findings": [
            {key: each[key] for key in ("benchmark", "metric", "ratio", "verdict", "outcome", "code")}
            for each in findings
            if each["limit"] is not None
        ],
        "logs": {test: block_logs(found, test) for test in kind.tests},
        "counts": found[0].new.counts,
    }


def block_logs(found: list[pairs.Pair], test: str) -> list[list[float]]:
    """ln(new / base) of each pair of blocks, by pair of processes, to a hundredth of a percent."""
    return [
        [round(log, 4) for log in pairs.block_logs(pair)] for pair in found if pair.benchmark == test and pair.usable
    ]


def verified(kind: Kind, found: list[pairs.Pair]) -> None:
    """Raises AssertionError where the loops did not do what the commits say."""
    for pair in found:
        for half, work in ((pair.base, BASE), (pair.new, kind.work)):
            said = {"steps": work.steps, "buffer_bytes": 2**26 + work.extra_bytes, "lines": work.lines}
            assert half.counts, half.failed
            assert all(said[name] == count for name, count in half.counts.items()), (half.counts, said)


def right(run: dict[str, Any]) -> bool:
    """Whether the run said what it should: of two benchmarks, that one alone changed."""
    kind = KINDS[run["kind"]]
    changed = {each["benchmark"] for each in run["findings"] if each["outcome"] == "fail"}
    return kind.right is None or (run["exit"] == kind.right and changed == ({kind.tests[-1]} if kind.right else set()))


def measure(quick: bool) -> list[dict[str, Any]]:
    """Every run that is wanted and was not kept yet, the kind that is farthest behind first."""
    wanted = {name: kind.quick if quick else kind.runs for name, kind in KINDS.items()}
    keeping = kept()
    runs = [] if quick else keeping.all()
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(KeyboardInterrupt):
        repository = Repository(Path(folder) / "work")
        repository.commit("base", BASE)
        for name, kind in KINDS.items():
            repository.commit(tag(name), kind.work)
        while True:
            done = {name: sum(run["kind"] == name for run in runs) for name in KINDS}
            behind = [name for name in KINDS if done[name] < wanted[name]]
            if not behind:
                break
            run = one(min(behind, key=lambda name: done[name] / wanted[name]), repository)
            runs.append(run)
            if not quick:
                keeping.add(run)
    return runs


def prove(quick: bool) -> Outcome:
    """The upper 95 % bound of the share of false alarms, beside the shares of changes that were found."""
    runs = measure(quick)
    rows = []
    for name in KINDS:
        own = [run for run in runs if run["kind"] == name]
        if not own:
            continue
        told = [sum(run["exit"] == code for run in own) for code in (0, 1, 3)]
        good = sum(right(run) for run in own)
        rows.append([name, str(len(own)), *map(str, told), str(good), f"{median(run['seconds'] for run in own):.1f} s"])
    table(["change", "runs", "passed", "failed", "cannot tell", "right", "median"], rows)
    same, slower = ([run for run in runs if run["kind"] == name] for name in ("no change", "5 % slower"))
    alarms, found = sum(run["exit"] == 1 for run in same), sum(run["exit"] == 1 for run in slower)
    seconds = median([run["seconds"] for run in [*same, *slower]])
    alarm_bound, power_bound = upper(alarms, len(same)), 1 - upper(len(slower) - found, len(slower))
    print(
        f"false alarms: {alarms} of {len(same)}, at most {100 * alarm_bound:.2f} % at 95 % confidence\n"
        f"slow-downs of 5 % found: {found} of {len(slower)}, at least {100 * power_bound:.1f} %\n"
        f"{seconds:.1f} s a run at the median"
    )
    holds = alarms <= MOST_ALARMS * len(same) and found >= LEAST_POWER * len(slower) and seconds <= MOST_S
    if not quick:
        holds = holds and alarm_bound <= MOST_ALARMS and power_bound >= LEAST_POWER
    return Outcome(
        "gate_reality",
        round(100 * alarm_bound, 2),
        f"% false alarms at most, {100 * power_bound:.1f} % of 5 % slow-downs found at least",
        len(runs),
        "<= 1 % and >= 95 % at 95 % confidence, <= 60 s a run",
        holds,
    )


def upper(hits: int, n: int) -> float:
    """The upper 95 % bound of a share (Clopper and Pearson 1934): 1 - 0.05^(1/n) for no hit."""
    from scipy.stats import beta

    return 1.0 if hits >= n else float(beta.ppf(0.95, hits + 1, n - hits))


if __name__ == "__main__":
    main(prove, __doc__)
