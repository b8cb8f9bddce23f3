"""Our ceilings against others' in one interleaved run: the best product of numpy (OpenBLAS) and torch over a search of
shapes of its own, and a read and a triad in C (gcc -O3 -march=native -fopenmp) on buffers of the same size."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import numpy as np
import torch

from bench import devices, units
from bench.ceilings import Setting, _products, bandwidth, matmul
from bench.ceilings._race import SEARCH_ROUNDS, Contender, Timed, fastest, rounds, timed
from bench.intervals import median_interval
from tests.proofs.proof import Outcome, main, table

TARGET = 0.98
SOURCE = Path(__file__).with_suffix(".c")
CPU = torch.device("cpu")

#: Shapes searched apart from ours, many of them not among ours; the references that go on to be measured.
SHAPES = (
    *((side, side, side) for side in range(192, 1217, 128)),
    (1024, 4096, 256),
    (256, 1024, 1024),
    (4096, 512, 512),
)
REFERENCES = 4


@contextmanager
def peer(size_B: int, threads: int) -> Iterator[subprocess.Popen[str]]:
    """The program in C, compiled and running, its buffers filled."""
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "bandwidth"
        subprocess.run(["gcc", "-O3", "-march=native", "-fopenmp", SOURCE, "-o", program], check=True)
        environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
        with subprocess.Popen(
            [program, str(size_B)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        ) as running:
            yield running
            running.stdin.close()


def by(running: subprocess.Popen[str], what: str) -> Timed:
    """Times the C program's `what`."""

    def iterations(count: int) -> list[float]:
        running.stdin.write(f"{what} {count}\n")
        running.stdin.flush()
        return [float(word) for word in running.stdout.readline().split()]

    return iterations


def compared(ours: Contender, others: dict[str, Contender], n: int) -> tuple[list[float], str]:
    """Ours over the best of the others in each of n rounds, and which was best by its median."""
    found = rounds({"ours": ours, **others}, n)
    best = max(others, key=lambda name: median(found[name]))
    print(f"ours {median(found['ours']):.4g}/s, {best} {median(found[best]):.4g}/s")
    return [mine / theirs for mine, theirs in zip(found["ours"], found[best], strict=True)], best


def products(setting: Setting, n: int) -> tuple[list[float], str]:
    """Our fp32 peak over the best of a search of other shapes with the plain calls of both libraries."""
    finalists = matmul.finalists("fp32", setting, CPU)
    winner = fastest(finalists)
    print(f"matmul: our winner is {winner.name}")
    others = {f"{name} {m}x{n}x{k}": each for m, n, k in SHAPES for name, each in plain_products(m, n, k).items()}
    searched = rounds(others, SEARCH_ROUNDS)
    ranked = sorted(others, key=lambda name: max(searched[name]), reverse=True)[:REFERENCES]
    return compared(finalists[winner.name], {name: others[name] for name in ranked}, n)


def plain_products(m: int, n: int, k: int) -> dict[str, Contender]:
    left, right, result = torch.randn(m, k), torch.randn(k, n), torch.empty(m, n)
    a, b, out = left.numpy(), right.numpy(), result.numpy()
    steps = {"torch": lambda: torch.mm(left, right, out=result), "numpy": lambda: np.matmul(a, b, out=out)}
    settle_s = {"torch": 0.0, "numpy": _products.SETTLE_S}
    return {name: Contender(timed(step, CPU), 2.0 * m * n * k, settle_s[name]) for name, step in steps.items()}


def memory(setting: Setting, n: int) -> Iterator[tuple[str, list[float], str]]:
    """Our read and our triad over those in C."""
    buffers = bandwidth.make_buffers(CPU)
    print(f"memory: {buffers.how}")
    with ThreadPoolExecutor(setting.threads) as pool, peer(buffers.size_B, setting.threads) as running:
        for what, make, times in (("read", bandwidth.reads, 1), ("triad", bandwidth.triads, 3)):
            contenders = make(buffers, setting, pool)
            winner = fastest(contenders)
            print(f"{what}: our winner is {winner.name}")
            in_c = Contender(by(running, what), times * buffers.size_B)
            yield what, *compared(contenders[winner.name], {f"{what} in C": in_c}, n)


def prove(quick: bool) -> Outcome:
    """The smallest ratio of a ceiling of ours to the reference; with --quick its interval must reach the target."""
    n = 15 if quick else 60
    threads = devices.set_threads("auto")
    setting = Setting("cpu", threads, tempfile.gettempdir())
    found = [("fp32 matmul", *products(setting, n)), *memory(setting, n)]
    rows, worst, holds = [], float("inf"), True
    for name, ratios, best in found:
        middle, low, high = median_interval(ratios)
        rows.append([name, best, units.digits(middle, 4), f"[{low:.4f}, {high:.4f}]"])
        worst = min(worst, middle)
        holds = holds and (high if quick else middle) >= TARGET
    print(f"{threads} threads, {n} rounds, all contenders in random order in each")
    table(["ceiling", "best reference", "ours / reference", "95 % interval"], rows)
    return Outcome("ceilings", worst, "ratio", n, f"at least {TARGET}", holds)


if __name__ == "__main__":
    main(prove, __doc__)
