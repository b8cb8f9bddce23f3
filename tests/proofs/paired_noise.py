"""How much does the ratio of two identical programs vary, from one interleaved pair of blocks to the next?

Two resident workers of the same point, as a sweep makes them, take turns in random order. The true ratio
is 1.
"""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bench import points
from bench.executors.forking import Nursery
from bench.executors.local import Child, cache_folder
from bench.interleave import turns
from bench.record import Value
from tests.proofs.proof import Outcome, main, table

TARGET = 5.0
#: Steps of 1 to 2 ms on two cores of a Xeon server.
WORK: dict[str, dict[str, Value]] = {
    "Transformer": {"architecture": "transformer", "size": "nano", "workload": "prefill", "sequence_length": 64},
    "LSTM": {"architecture": "lstm", "size": "tiny", "workload": "prefill", "sequence_length": 64},
}
#: The length that a sweep has by default, and longer ones beside it.
BLOCKS_S = (0.02, 0.1)

Array = np.ndarray
STATISTICS: dict[str, Callable[[Sequence[int]], float]] = {
    "lower quartile": lambda samples: float(np.quantile(samples, 0.25)),
    "minimum": min,
    "median": lambda samples: float(np.median(samples)),
    "mean": lambda samples: float(np.mean(samples)),
}


@dataclass(frozen=True)
class Pairs:
    """Logarithms of A and of B by statistic, (processes, rounds) each, and what a pair and an iteration took."""

    logs: dict[str, tuple[Array, Array]]
    pair_s: float
    iteration_s: float


def measured(axes: dict[str, Value], block_s: float, processes: int, rounds: int, nursery: Nursery) -> Pairs:
    """So many fresh pairs of workers, and so many rounds of each."""
    settings = {"block_seconds": block_s, "warmup_limit": 1.0, "cache": str(cache_folder()), "lean": True}
    order = random.Random(1)
    samples: list[list[list[list[int]]]] = []  # process, round, member
    spent_s = 0.0
    for _ in range(processes):
        children = [Child(nursery), Child(nursery)]
        try:
            for child in children:
                child.ask(None, 60)
                child.ask({"do": "build", "axes": points.point(axes).axes, "settings": settings}, 60)
            found: list[list[list[int]]] = [[[], []] for _ in range(rounds)]
            began = time.perf_counter()
            for round_, member in turns(range(rounds), lambda _: (0, 1), order):
                request = {"do": "block", "kind": "timed", "round": round_, "process": 0}
                found[round_][member] = children[member].ask(request, 60)["block"]["samples_ns"]
            spent_s += time.perf_counter() - began
            samples.append(found)
        finally:
            for child in children:
                child.kill()
    logs = {
        name: tuple(
            np.log([[summary(found[round_][member]) for round_ in range(rounds)] for found in samples])
            for member in (0, 1)
        )
        for name, summary in STATISTICS.items()
    }
    typical = float(np.exp(np.median(logs["median"][0]))) / 1e9
    return Pairs(logs, spent_s / processes / rounds, typical)  # type: ignore[arg-type]


def spreads(pairs: Pairs, statistic: str) -> tuple[float, float, float, float]:
    """Standard deviations in %: of ln(B/A) over pairs, of it within processes, between processes, and unpaired."""
    first, second = pairs.logs[statistic]
    ratios = second - first  # (processes, rounds)
    within = np.sqrt(ratios.var(axis=1, ddof=1).mean())
    apart = second - np.random.default_rng(1).permutation(first.ravel()).reshape(first.shape)
    found = ratios.std(ddof=1), within, ratios.mean(axis=1).std(ddof=1), apart.std(ddof=1)
    return tuple(100 * float(each) for each in found)  # type: ignore[return-value]


def prove(quick: bool) -> Outcome:
    """The larger standard deviation over the pairs of a workload, in blocks as a sweep has them; none is left out."""
    processes, rounds = (6, 40) if quick else (20, 60)
    rows, worst = [], 0.0
    with Nursery() as nursery:
        for name, axes in WORK.items():
            nursery.read(points.point(axes).axes, {"cache": str(cache_folder())})
            for block_s in BLOCKS_S:
                count = rounds if block_s == BLOCKS_S[0] else rounds // 4
                pairs = measured(axes, block_s, processes, count, nursery)
                for statistic in STATISTICS:
                    spread = spreads(pairs, statistic)
                    told = [f"{1e3 * pairs.iteration_s:.2f} ms", f"{pairs.pair_s:.3f} s", statistic]
                    rows.append([name, *told, *(f"{each:.1f} %" for each in spread)])
                if block_s == BLOCKS_S[0]:
                    worst = max(worst, spreads(pairs, "lower quartile")[0])
    print(f"{processes} fresh pairs of workers, {rounds} rounds each; standard deviations of ln(B/A):")
    table(["work", "step", "a pair", "block's", "all pairs", "within", "between", "unpaired"], rows)
    return Outcome(
        "paired_noise", round(worst, 2), "%", processes * rounds, f"<= {TARGET:g} a pair of 0.05 s", worst <= TARGET
    )


if __name__ == "__main__":
    main(prove, __doc__)
