"""Is the batch that `pinchpoint largest-batch` finds the largest, in few trials, and without anyone being killed?

A trial is one batch size, in up to three children. Afterwards fresh children judge the answer by the limit itself: the
batch that was found must keep it in every one of three, and of three that try a batch larger by 5 % (at least by 1) one
must not: that batch could not be relied upon to fit.
"""

from math import ceil, log2
from typing import Any

from bench import control_group, points, units
from bench.largest_batch import MOST, PROCESSES, Finder, OutOfMemory
from tests.proofs.proof import Outcome, main, table

#: As many as halving all sizes takes, and one for the prediction.
MOST_TRIALS = ceil(log2(MOST + 1)) + 1
BEYOND = 1.05
MIB = 2**20
CASES: tuple[tuple[dict[str, Any], int], ...] = (
    ({"architecture": "transformer", "workload": "train"}, 700),
    ({"architecture": "rnn", "workload": "prefill", "size": "tiny"}, 600),
    ({"architecture": "lstm", "workload": "train"}, 1200),
    ({"architecture": "transformer", "workload": "decode", "size": "tiny"}, 500),
    ({"architecture": "cnn", "workload": "train"}, 900),
    ({"architecture": "seq2seq", "workload": "prefill"}, 600),
    ({"architecture": "classifier", "workload": "classify"}, 700),
    ({"architecture": "lstm", "workload": "train", "precision": "amp-bf16"}, 800),
)


def kept(finder: Finder, batch_size: int) -> list[bool]:
    """Whether fresh children kept the limit with the batch, up to the first that did not."""
    told: list[bool] = []
    while len(told) < PROCESSES and all(told):
        try:
            peak = finder.peak_B(batch_size)
        except OutOfMemory:
            print(f"  batch {batch_size}: out of memory", flush=True)
            told.append(False)
        else:
            print(f"  batch {batch_size}: {peak / finder.limit_B:.1%} of the limit", flush=True)
            told.append(peak <= finder.limit_B)
    return told


def prove(quick: bool) -> Outcome:
    kills = control_group.oom_kills()
    rows, most, good = [], 0, True
    for values, limit in CASES[:2] if quick else CASES:
        finder = Finder(points.point(values), limit * MIB, on_gpu=False)
        guess = finder.guess()
        found, trials = finder.find()
        what = f"{values['architecture']}, {points.describe(finder.point, [finder.point])}"
        print(f"{what}: {found}", flush=True)
        verified = found > 0 and all(kept(finder, found))
        verified &= not all(kept(finder, max(found + 1, round(found * BEYOND))))
        good &= verified
        most = max(most, len(trials))
        peak = max((trial.peak_B or 0 for trial in trials if trial.fits), default=0)
        counts = [str(len(trials)), str(sum(trial.processes for trial in trials))]
        limited, share = units.quantity(finder.limit_B, "B"), f"{peak / finder.limit_B:.1%}"
        rows.append([what, limited, str(guess), str(found), share, *counts, "yes" if verified else "NO"])
    heading = ["work", "limit", "predicted", "found", "peak of limit", "trials", "children", "verified"]
    table(heading, rows)
    after = control_group.oom_kills()
    told = "its counter cannot be read here" if after is None else f"its counter went from {kills} to {after}"
    print(f"out-of-memory killer: {told}; at most {MOST_TRIALS} trials allowed")
    holds = good and most <= MOST_TRIALS and after == kills
    return Outcome("largest_batch", most, "trials at most", len(rows), f"<= {MOST_TRIALS}, each verified", holds)


if __name__ == "__main__":
    main(prove, __doc__)
