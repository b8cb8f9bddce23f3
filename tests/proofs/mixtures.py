"""Two walls in known proportions: how far, in percentage points, are the shares of the time from the truth?"""

from statistics import median

from reports.bottleneck import attribute
from tests.known_walls import running
from tests.known_walls.catalogue import MIXED
from tests.proofs.proof import Outcome, main, table

RUNS, QUICK_RUNS, TARGET = 10, 2, 10.0


def prove(quick: bool) -> Outcome:
    """The worst distance over all mixtures and both of their parts; draws are of odd seeds, apart from the tuning."""
    ceilings = running.ceilings()
    wanted = QUICK_RUNS if quick else RUNS
    rows, errors = [], []
    for run in running.runs(MIXED, range(1, 2 * wanted, 2)):
        found = attribute(run.observation, ceilings)
        told = {wall: (share, found.share(wall)) for wall, share in run.truth.items()}
        far = [100 * abs(share - attributed) for share, attributed in told.values()]
        errors += far
        words = [f"{wall} {share:.0%} told as {attributed:.0%}" for wall, (share, attributed) in told.items()]
        others = [f"{s.wall} {s.share:.0%}" for s in found.shares if s.wall not in told and s.share >= 0.03]
        rows.append([str(run.seed), *words, f"{max(far):.1f}", ", ".join(others)])
        print(*rows[-1], sep=" | ", flush=True)
    table(["seed", "first part", "second part", "farthest", "other shares"], sorted(rows, key=lambda row: row[1]))
    n = 2 * wanted * len(MIXED)
    complete = len(errors) == n
    worst = max(errors, default=100.0)
    print(f"{len(errors)} of {n} shares: median {median(errors or [100.0]):.1f}, worst {worst:.1f} percentage points")
    return Outcome("mixtures", round(worst, 1), "percentage points", n, f"<= {TARGET:g}", complete and worst <= TARGET)


if __name__ == "__main__":
    main(prove, __doc__)
