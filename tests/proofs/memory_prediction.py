"""How far is the predicted peak memory of a process from the measured one?

Each point runs in a fresh child of its own, warmed up and for as many blocks as in a sweep; the peak is the high-water
mark of its resident memory over the blocks. (Forked children would be faster, but of libraries that it shares with its
parent the kernel counts for a child only what it has touched.) The grid shares no combination of batch and lengths with
the one that constants were fitted to.
"""

from dataclasses import dataclass
from itertools import product
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from bench import planning, points
from bench.executors.local import Child, ChildFailed
from bench.points import Point
from bench.spec import SETTING_DEFAULTS
from tests.proofs.proof import Outcome, main, table

MEDIAN, P95 = 5.0, 10.0
ARCHITECTURES = ("transformer", "seq2seq", "lstm", "rnn", "cnn", "classifier")
#: Batch size, prompt, output.
WORK = ((2, 48, 48), (8, 96, 24), (24, 24, 96), (48, 160, 8))
SIZES = ("nano", "tiny", "small")
PRECISIONS = ("fp32", "amp-bf16")
LIMIT_S = 180.0


@dataclass(frozen=True)
class Compared:
    """A point, its predicted and its measured peak, and what the measured one is above the start, in bytes."""

    point: Point
    predicted_B: float
    measured_B: float
    own_B: float

    @property
    def error(self) -> float:
        """In per cent of the measured peak."""
        return 100 * (self.predicted_B / self.measured_B - 1)

    @property
    def own_error(self) -> float:
        """In per cent of what the model itself took."""
        return 100 * (self.predicted_B - self.measured_B) / self.own_B


def grid() -> list[Point]:
    found = []
    for architecture, size, (batch, prompt, output), precision in product(ARCHITECTURES, SIZES, WORK, PRECISIONS):
        for workload in ("train", "classify") if architecture == "classifier" else ("train", "prefill", "decode"):
            values: dict[str, Any] = {
                "architecture": architecture,
                "size": size,
                "workload": workload,
                "batch_size": batch,
                "sequence_length": prompt,
                "generated_length": output,
                "precision": precision,
            }
            found.append(points.point(values))
    return found


def measure(child: Child, point: Point, cache: str) -> Compared:
    settings = SETTING_DEFAULTS | {"corpus": None, "cache": cache}
    try:
        child.ask(None, LIMIT_S)
        facts = child.ask({"do": "build", "axes": point.axes, "settings": settings}, LIMIT_S)["built"]["facts"]
        request = {"do": "block", "kind": "timed", "process": 0}
        rounds = range(int(settings["rounds"]))
        blocks = [child.ask(request | {"round": round_}, LIMIT_S)["block"] for round_ in rounds]
    finally:
        child.kill()
    peak = max(block["readings"]["max_ram_B"] for block in blocks)
    return Compared(point, planning.memory_B(point), peak, peak - facts["start_ram_B"])


def measure_all(chosen: list[Point]) -> tuple[list[Compared], int]:
    """Every point that could be measured, and how many could not, each of which is printed."""
    compared, failed = [], 0
    with TemporaryDirectory() as cache:
        following = Child()
        for point in chosen:
            child, following = following, Child()  # the next imports torch on another core meanwhile
            try:
                compared.append(measure(child, point, cache))
            except ChildFailed as failure:
                print(f"{points.describe(point, chosen)}: {failure}")
                failed += 1
        following.kill()
    return compared, failed


def prove(quick: bool) -> Outcome:
    chosen = Random(0).sample(grid(), 24 if quick else 120)
    compared, failed = measure_all(chosen)
    rows = []
    for name in (*ARCHITECTURES, "train", "inference", "all"):
        members = [each for each in compared if _is(each.point, name)]
        if members:
            errors, own = (
                [abs(value) for value in values]
                for values in zip(*((c.error, c.own_error) for c in members), strict=True)
            )
            figures = [np.median(errors), np.quantile(errors, 0.95), np.median(own)]
            rows.append([name, str(len(members)), *(f"{figure:.1f}" for figure in figures)])
    table(["points", "n", "median error, %", "95th percentile, %", "median of the model's own, %"], rows)
    for each in sorted(compared, key=lambda c: -abs(c.error))[:5]:
        print(f"{each.error:+.1f} %: {points.describe(each.point, chosen)}, {each.measured_B / 2**20:.0f} MiB")
    errors = [abs(each.error) for each in compared]
    median, high = float(np.median(errors)), float(np.quantile(errors, 0.95))
    print(f"median {median:.1f} % (target {MEDIAN:.0f}), 95th percentile {high:.1f} % (target {P95:.0f})")
    holds = median <= MEDIAN and high <= P95 and not failed
    target = f"<= {MEDIAN:.0f} (95th percentile <= {P95:.0f})"
    return Outcome("memory_prediction", round(median, 2), "% (median error)", len(compared), target, holds)


def _is(point: Point, name: str) -> bool:
    training = point.axes["workload"] == "train"
    return name == "all" or name == point.axes["architecture"] or name == ("train" if training else "inference")


if __name__ == "__main__":
    main(prove, __doc__)
