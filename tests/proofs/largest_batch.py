"""Is the batch that `pinchpoint largest-batch` finds the largest, in few trials, and without anyone being killed?

Afterwards fresh children try the batch that was found, which must run within 2 % of the limit (two runs of the same
work differ by that much in what glibc keeps), and one larger by 5 % (at least by 1), which must not fit.
"""

from dataclasses import replace
from math import ceil, log2
from typing import Any

from bench import control_group, points, units
from bench.largest_batch import MOST, Finder
from tests.proofs.proof import Outcome, main, table

#: As many as halving all sizes takes, and one for the prediction.
MOST_TRIALS = ceil(log2(MOST + 1)) + 1
AGAIN = 1.02
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


def prove(quick: bool) -> Outcome:
    kills = control_group.oom_kills()
    rows, most, good = [], 0, True
    for values, limit in CASES[:3] if quick else CASES:
        finder = Finder(points.point(values), limit * MIB, on_gpu=False)
        guess = finder.guess()
        found, trials = finder.find()
        again = replace(finder, limit_B=int(finder.limit_B * AGAIN)).try_(found) if found else None
        beyond = finder.try_(max(found + 1, round(found * BEYOND)))
        verified = again is not None and again.fits and not beyond.fits
        for name, trial in (("again", again), ("beyond", beyond)):
            told = "out of memory" if trial is None or trial.peak_B is None else f"{trial.peak_B / finder.limit_B:.1%}"
            print(f"{name} {trial.batch_size if trial else 0}: {told} of the limit")
        good &= verified
        most = max(most, len(trials))
        peak = max((trial.peak_B or 0 for trial in trials if trial.fits), default=0)
        name = points.describe(finder.point, [finder.point])
        limited = units.quantity(finder.limit_B, "B")
        share, answer = f"{peak / finder.limit_B:.1%}", "yes" if verified else "NO"
        what = f"{values['architecture']}, {name}"
        rows.append([what, limited, str(guess), str(found), share, str(len(trials)), answer])
    table(["work", "limit", "predicted", "found", "peak of limit", "trials", "verified"], rows)
    after = control_group.oom_kills()
    told = "its counter cannot be read here" if after is None else f"its counter went from {kills} to {after}"
    print(f"out-of-memory killer: {told}; at most {MOST_TRIALS} trials allowed")
    holds = good and most <= MOST_TRIALS and after == kills
    return Outcome("largest_batch", most, "trials at most", len(rows), f"<= {MOST_TRIALS}, each verified", holds)


if __name__ == "__main__":
    main(prove, __doc__)
