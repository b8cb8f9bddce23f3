"""Programs whose wall is known by how they were made: how often is it named? Beside it xprof's fixed thresholds.

The thresholds of `reports.bottleneck` were fixed on even seeds; what is scored here are fresh draws, odd ones. A case
that cannot run counts as missed.
"""

from collections import Counter, defaultdict

from bench.observation import Observation
from bench.record import Ceiling
from reports import necessity
from reports.bottleneck import attribute
from reports.rates import Rates
from tests.known_walls import running
from tests.known_walls.catalogue import PURE
from tests.proofs.proof import Outcome, main, table

#: Runs of each case that count, and how many of 20 must be right.
RUNS, QUICK_RUNS, TARGET = 20, 1, 19 / 20


def xprof(o: Observation, ceilings: dict[str, Ceiling]) -> str:
    """The wall by xprof's thresholds (tensorboard-plugin-profile), `none` where they name none.

    Input above 10 %, collectives above 30 %, compute or memory above 70 % of its ceiling, the other below 50 %.
    """
    rates = Rates(ceilings)

    def share(kind: str) -> float:
        return sum(each.seconds for each in o.operators if each.kind == kind) / o.iteration_s

    if share("input") > 0.1:
        return "input"
    if share("communication") > 0.3:
        return "communication"
    peaks = [(each.flops or 0.0, rates.peak(each.dtype)) for each in o.operators]
    compute = sum(flops / peak for flops, peak in peaks if peak) / o.iteration_s
    bandwidth = rates.bandwidth(necessity.MEMORY, stores=False) or float("inf")
    memory = sum(each.bytes_moved or 0.0 for each in o.operators) / bandwidth / o.iteration_s
    if compute > 0.7 and memory < 0.5:
        return "compute"
    if memory > 0.7 and compute < 0.5:
        return "memory bandwidth"
    return "none"


def prove(quick: bool) -> Outcome:
    """The worst case's share of runs named right."""
    ceilings = running.ceilings()
    wanted = QUICK_RUNS if quick else RUNS
    named: dict[str, Counter[str]] = defaultdict(Counter)
    peer: dict[str, Counter[str]] = defaultdict(Counter)
    truths: dict[str, str] = {}
    for run in running.runs(PURE, range(1, 2 * wanted, 2)):
        (truth,) = run.truth
        found = attribute(run.observation, ceilings)
        truths[run.name] = truth
        named[run.name][found.verdict] += 1
        peer[run.name][xprof(run.observation, ceilings)] += 1
        if found.verdict != truth:
            shares = ", ".join(f"{each.wall} {each.share:.0%}" for each in found.shares[:4])
            print(f"{run.name} {run.seed} ({run.sizes}): {truth} was named {found.verdict} ({shares})")
        done = sum(map(Counter.total, named.values()))
        if done % len(PURE) == 0:
            print(f"{sum(named[name][truth] for name, truth in truths.items())} of {done} right so far", flush=True)
    rows = []
    for name in PURE:
        truth = truths.get(name, "it did not run")
        others = ", ".join(f"{wall} {n}" for wall, n in named[name].most_common() if wall != truth)
        rows.append([name, truth, f"{named[name][truth]} of {wanted}", others, f"{peer[name][truth]} of {wanted}"])
    table(["case", "true wall", "named right", "else", "xprof's thresholds"], rows)
    right = {name: named[name][truths[name]] if name in truths else 0 for name in PURE}
    theirs = sum(peer[name][truth] for name, truth in truths.items())
    n = wanted * len(PURE)
    print(f"all cases: {sum(right.values())} of {n} right, by xprof's thresholds {theirs} of {n}")
    # with one run a case, one miss in all is compatible with 19 of 20
    holds = sum(right.values()) >= n - 1 if quick else all(count >= TARGET * wanted for count in right.values())
    figure = min(right.values()) / wanted
    target = "every case right in at least 19 of 20 runs"
    return Outcome("confusion_matrix", round(100 * figure, 1), "%", n, target, holds)


if __name__ == "__main__":
    main(prove, __doc__)
