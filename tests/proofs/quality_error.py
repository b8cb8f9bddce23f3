"""How finely a loss of quality is told: the standard error of delta ln perplexity, for `tiny` and several variants.

A parent is trained first, and its time is told apart. Then each variant is graded against it, token by token, on the
last three tenths of the default corpus. The standard error is itself checked: the sequences are divided at random into
halves, over and over, and half the spread of the difference between two halves must be it (each half has twice the
variance). The last column, not part of the promise, has the spread between 20 stretches of neighbouring sequences
instead: they share a topic each, so it says how much further another text would move the figure.
"""

import copy
import time
from dataclasses import dataclass

import torch

from model import compress, quality, text
from model.compress import Compression
from model.parents import HELD_OUT_SHARE, Parent, Recipe, hold_out, parent
from model.quality import Quality
from model.shapes.lstm import PRESETS
from model.text import Text, Windows
from model.train import Plan
from tests.proofs.proof import Outcome, main, table

CONFIG = PRESETS["tiny"]
LENGTH = 32
LIMIT_S = 15.0
VARIANTS = {
    "pruned 0.5": Compression(prune=0.5),
    "int8-dynamic": Compression(quantize="int8-dynamic"),
    "bf16": Compression(precision="bf16"),
    "energy 0.9": Compression(factorize="energy:0.9"),
}
HALVINGS = 400
#: A standard deviation from 400 draws has itself 3.5 % of error, the bootstrap's 2.2 %; five of both together.
AGREEMENT = 0.2


def allowed(delta: float) -> float:
    """The standard error that is promised for a loss of `delta` nats a token."""
    return max(0.002, 0.05 * abs(delta))


def spread_over_halves(deltas: torch.Tensor, count: int) -> float:
    """Standard error from `count` random divisions of the sequences (of equal length, so sums do) into halves."""
    generator = torch.Generator().manual_seed(1)
    order = torch.rand(count, len(deltas), generator=generator).argsort(1)  # (count, sequences)
    half = len(deltas) // 2
    shuffled = deltas[order]
    means = [part.mean(1) for part in (shuffled[:, :half], shuffled[:, half : 2 * half])]  # (count,) each
    return float((means[0] - means[1]).std()) / 2 / LENGTH


def spread_over_stretches(deltas: torch.Tensor, count: int = 20) -> float:
    """Standard error from `count` neighbouring stretches of text: more, where neighbours are alike."""
    length = len(deltas) // count
    return float(deltas[: count * length].view(count, length).mean(1).std()) / count**0.5 / LENGTH


def trained(corpus: Text, seed: int, budget_s: float) -> Parent:
    """The parent of a seed, trained now."""
    plan = Plan(4, sequence_length=LENGTH, generated_length=LENGTH, seed=seed)
    made = parent(Recipe("lstm", CONFIG, plan, budget_s), corpus, folder=None)
    print(f"parent {seed}: {made.steps} steps in {made.seconds:.0f} s, {made.held_out_loss:.3f} nats a held-out token")
    return made


@dataclass(frozen=True)
class Row:
    """One variant of one parent: what was found, how long it took, and the standard error by two other ways."""

    seed: int
    name: str
    found: Quality
    delta: float
    error: float
    seconds: float
    halves: float
    stretches: float

    def cells(self) -> list[str]:
        """The row of the table."""
        numbers = [f"{value:.5f}" for value in (self.delta, self.error, allowed(self.delta), self.found.kl_mean or 0)]
        checks = [f"{self.halves / self.error:.3f}", f"{self.stretches / self.error:.2f}"]
        return [str(self.seed), self.name, *numbers, f"{self.found.same_top_1:.1%}", f"{self.seconds:.1f} s", *checks]


def graded(made: Parent, seed: int, name: str, windows: Windows) -> Row:
    """Compress a copy of the parent, and grade it; only the grading is timed."""
    variant = compress.apply(copy.deepcopy(made.model), "lstm", CONFIG, VARIANTS[name], torch.device("cpu")).model
    began = time.perf_counter()
    grading = quality.grade(made.model, variant, windows)
    found = quality.summarize(grading)
    seconds = time.perf_counter() - began
    delta, error = found.delta_ln_perplexity, found.delta_ln_perplexity_se
    if delta is None or error is None:
        raise SystemExit(f"{name}: {found.reason}")
    deltas = grading.deltas()
    halves, stretches = spread_over_halves(deltas, HALVINGS), spread_over_stretches(deltas)
    return Row(seed, name, found, delta, error, seconds, halves, stretches)


def prove(quick: bool) -> Outcome:
    """Train parents, grade every variant of each, and print each standard error beside what is allowed."""
    corpus = hold_out(text.load(None, CONFIG.vocabulary), HELD_OUT_SHARE)
    windows = Windows(corpus.held_out, LENGTH, LENGTH, stride=LENGTH)
    rows = []
    for seed in range(1 if quick else 3):
        made = trained(corpus, seed, budget_s=120 if quick else 600)
        rows += [graded(made, seed, name, windows) for name in VARIANTS]
    header = ["seed", "variant", "delta ln ppl", "std. error", "allowed", "mean KL", "same top 1", "time"]
    table([*header, "halves", "stretches"], [row.cells() for row in rows])
    worst = max(row.error / allowed(row.delta) for row in rows)
    slowest = max(row.seconds for row in rows)
    apart = max(abs(row.halves / row.error - 1) for row in rows)
    print(f"slowest {slowest:.1f} s (at most {LIMIT_S:.0f}); halves differ from the standard error by {apart:.0%}")
    return Outcome(
        proof="quality_error",
        figure=worst,
        unit="of the allowed standard error",
        n=len(rows) * len(windows) * LENGTH,
        target="standard error of delta ln perplexity at most max(0.002, 5 % of |delta|), within 15 s for tiny",
        holds=worst <= 1 and slowest <= LIMIT_S and apart <= AGREEMENT,
    )


if __name__ == "__main__":
    main(prove, __doc__)
