"""Our clock against `torch.utils.benchmark`: the same steps, the same number of threads, alternated in random order."""

import random

import torch
from torch.utils.benchmark import Timer

from bench import workloads
from bench.intervals import median_interval
from bench.stopwatch import Step, time_iterations
from model import architectures, shapes, text
from tests.proofs.proof import Outcome, main, table

LOW, HIGH = 0.97, 1.03
#: Seconds that each of the two measures in one alternation.
BLOCK_S = 0.1


def steps() -> dict[str, Step]:
    """Steps of different length: one product of matrices, and a prefill and a training step of the LSTM."""
    torch.manual_seed(0)
    left, right = torch.randn(256, 256), torch.randn(256, 256)
    config = shapes.configure("lstm", "nano")
    work = shapes.Work("train", batch_size=4, sequence_length=32, generated_length=8)
    batches = text.batches(text.load(None, config.vocabulary).train, 4, 32, 8, count=8, seed=0)
    subjects = [
        workloads.Subject(architectures.build("lstm", config, seed=0), batches, "fp32", 1e-3, torch.device("cpu"))
        for _ in range(2)
    ]
    return {
        "matmul 256": lambda: left @ right,
        "prefill nano": workloads.prepare("prefill", subjects[0], work),
        "train nano": workloads.prepare("train", subjects[1], work),
    }


def ratios(step: Step, alternations: int) -> list[float]:
    """Ours over theirs, mean time of the same number of iterations, for each alternation."""
    theirs = Timer("step()", globals={"step": step}, num_threads=torch.get_num_threads())
    typical = theirs.timeit(20).mean
    n = max(round(BLOCK_S / typical), 5)
    order = random.Random(0)
    found = []
    for _ in range(alternations):
        pair = {}
        for ours in order.sample([True, False], 2):
            pair[ours] = sum(time_iterations(step, n)) / n / 1e9 if ours else theirs.timeit(n).mean
        found.append(pair[True] / pair[False])
    return found


def prove(quick: bool) -> Outcome:
    """The median ratio that is farthest from 1, over the steps."""
    alternations = 60 if quick else 300
    rows, farthest = [], 1.0
    for name, step in steps().items():
        middle, low, high = median_interval(ratios(step, alternations))
        rows.append([name, f"{middle:.4f}", f"[{low:.4f}, {high:.4f}]"])
        farthest = max(farthest, middle, key=lambda ratio: abs(ratio - 1))
    print(f"{torch.get_num_threads()} threads, {alternations} alternations of {BLOCK_S} s each")
    table(["step", "ours / torch.utils.benchmark", "95 % interval"], rows)
    holds = LOW <= farthest <= HIGH
    return Outcome("timer_agreement", farthest, "ratio", alternations, f"{LOW} to {HIGH}", holds)


if __name__ == "__main__":
    main(prove, __doc__)
