"""Do the elasticities of a point sum to 1, and how often does an experiment that changed nothing seem to have changed?

Points are those of the sweep `quick` that differ in work (not in compression), fewer of them with --quick. The sum is
a check and no promise: time that no resource here decides (a serial stage that waits, a lock) makes it smaller, and the
finite changes of halved rates make it larger. The promise is that null experiments raise a false alarm (an interval
that excludes 0, and more than 2 %) in at most 5 % of all, which is held against the counts' Clopper-Pearson interval.
"""

from reports.elasticity import effect, false_alarm, fit
from reports.proof import shown_elasticity
from tests.known_walls.running import ceilings
from tests.proofs.diagnosed import chosen, diagnosed
from tests.proofs.proof import Outcome, main, table

TARGET = 0.05
_BUDGET_S = 25.0


def most_likely_to_exceed(alarms: int, n: int) -> float:
    """Lower 95 % bound of the rate behind `alarms` in n (Clopper & Pearson, Biometrika 1934)."""
    from scipy.stats import beta

    return float(beta.ppf(0.05, alarms, n - alarms + 1)) if alarms else 0.0


def prove(quick: bool) -> Outcome:
    """The share of null experiments that raised a false alarm, over all points."""
    rows, alarms, nulls, sums = [], 0, 0, 0
    among = chosen(quick, plain=True)
    for point in diagnosed(among, _BUDGET_S, ceilings()):
        name, found = point.name, point.outcome
        if found.failed is not None:
            rows.append([name, str(point.reason), "", "", ""])
            continue
        made = fit(found.experiments)
        changed = [each for each in found.experiments if each.null and (e := effect(each)) and e.low is not None]
        nulls += len(changed)
        alarms += sum(false_alarm(each) for each in changed)
        total = made.total
        sums += total.low is not None and total.high is not None and total.low <= 1 <= total.high
        parts = "; ".join(f"{'+'.join(each.resources)} {shown_elasticity(each)}" for each in made.elasticities)
        null_shares = ", ".join(f"{e.share:+.1%}" for each in changed if (e := effect(each)))
        rows.append([name, shown_elasticity(total), parts, null_shares, str(sum(map(false_alarm, changed)))])
        print(f"{name}: sum {shown_elasticity(total)}", flush=True)
    table(["point", "sum [95 %]", "elasticities", "nulls", "false alarms"], rows)
    print(f"{sums} of {len(among)} intervals of the sum hold 1")
    rate = alarms / nulls if nulls else float("nan")
    holds = nulls > 0 and (most_likely_to_exceed(alarms, nulls) if quick else rate) <= TARGET
    return Outcome("elasticity_sum", round(100 * rate, 2), "% false alarms", nulls, f"<= {TARGET:.0%}", holds)


if __name__ == "__main__":
    main(prove, __doc__)
