"""Is it right what is said to fit?

Twice: against what others published of which model ran on which device (`published_fits`), and on this machine, where
the peaks of the points of `memory_prediction` are measured and held against budgets of memory: a point fits one where
its peak is no larger. A verdict that is closer to the limit than is known, of an engine or by what
`memory_prediction` promises, is said to be too close to tell and is none; the share of all, however close, is printed
beside.
"""

from random import Random

from bench import points
from tests.proofs import published_fits
from tests.proofs.advice import most_likely
from tests.proofs.memory_prediction import P95, Compared, grid, measure_all
from tests.proofs.proof import Outcome, main, table

TARGET = 0.99
GIB = 2**30
BUDGETS_GIB = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
#: Of the measured peak: what is predicted by more than a tenth too low or too high is wrong at one of the middle two.
AROUND_PEAK = (0.8, 0.9, 1.1, 1.25)


def budgets_B(measured_B: float) -> list[float]:
    """The budgets that a point is held against, in bytes."""
    return [size * GIB for size in BUDGETS_GIB] + [share * measured_B for share in AROUND_PEAK]


def verdicts(compared: Compared) -> list[bool]:
    """Of each budget, whether the predicted peak says the same as the measured one."""
    sizes = budgets_B(compared.measured_B)
    return [(compared.predicted_B <= size) == (compared.measured_B <= size) for size in sizes]


def close(compared: Compared) -> list[bool]:
    """Of each budget, whether it is nearer to the predicted peak than `memory_prediction` promises to come (P95)."""
    return [abs(compared.predicted_B / size - 1) < P95 / 100 for size in budgets_B(compared.measured_B)]


def prove(quick: bool) -> Outcome:
    published, counted = published_fits.share_equal(published_fits.read())
    print(f"published: {100 * published:.2f} % of {counted} verdicts equal (target: all)")
    chosen = Random(1).sample(grid(), 24 if quick else 120)
    compared, failed = measure_all(chosen)
    right = [verdicts(each) for each in compared]
    names = [f"{size:g} GiB" for size in BUDGETS_GIB] + [f"{share:g} x peak" for share in AROUND_PEAK]
    rows = []
    for index, name in enumerate(names):
        share = sum(of[index] for of in right) / len(right)
        rows.append([name, str(len(right)), f"{100 * share:.1f}"])
    table(["budget", "points", "right, %"], rows)
    for each, of in zip(compared, right, strict=True):
        if not all(of):
            told = f"{points.describe(each.point, chosen)}, {each.measured_B / 2**20:.0f} MiB"
            print(f"wrong, for it was predicted {each.error:+.1f} % off: {told}")
    flat = [one for of in right for one in of]
    clear = [
        one
        for each, of in zip(compared, right, strict=True)
        for one, near in zip(of, close(each), strict=True)
        if not near
    ]
    print(f"however close: {100 * sum(flat) / len(flat):.2f} % of {len(flat)} verdicts right")
    measured = sum(clear) / len(clear)
    told = f"{len(clear)} verdicts that are not within {P95:.0f} % of the predicted peak"
    print(f"measured here: {100 * measured:.2f} % right of {told} (target {100 * TARGET:.0f} %)")
    holds = (most_likely(sum(clear), len(clear)) if quick else measured) >= TARGET and published == 1.0 and not failed
    target = f">= {100 * TARGET:.0f} (and every published verdict equal)"
    return Outcome("memory_fit", round(100 * measured, 2), "% (verdicts right)", len(clear), target, holds)


if __name__ == "__main__":
    main(prove, __doc__)
