"""Do experiments bear out the walls that are named from records?

Each point of the sweep `quick` is observed, its wall named by the ceilings of this machine, and then diagnosed. Label
and experiments agree where the verdict is `confirmed`. A point whose wall no experiment could decide counts as one on
which they do not agree, and so does one whose wall is not known; both are told apart from contradictions, each of which
is printed with what contradicts it. Rules and thresholds of the proof (`reports.proof`) look at the time under
interventions alone, those of the label (`reports.bottleneck`) at counts and ceilings alone.
"""

from collections import Counter

from reports.bottleneck import attribute
from reports.elasticity import fit
from reports.proof import proof
from tests.known_walls.running import ceilings
from tests.proofs.diagnosed import chosen, diagnosed
from tests.proofs.proof import Outcome, main, table

TARGET = 0.9
_BUDGET_S = 25.0


def prove(quick: bool) -> Outcome:
    """The share of points whose label the experiments confirm."""
    measured = ceilings()
    among = chosen(quick, plain=False)
    counts: Counter[str] = Counter()
    rows, told = [], []
    for each in diagnosed(among, _BUDGET_S, measured):
        if each.observation is None:
            counts["not run"] += 1
            rows.append([each.name, "not run", "", ""])
            told.append(f"{each.name}: {each.reason}")
            continue
        label = attribute(each.observation, measured)
        found = proof(label.verdict, fit(each.outcome.experiments), each.outcome.experiments)
        counts[found.verdict] += 1
        rows.append([each.name, label.verdict, f"{label.share(label.verdict):.0%}", found.verdict])
        if found.verdict != "confirmed":
            shares = ", ".join(f"{share.wall} {share.share:.0%}" for share in label.shares[:3])
            told.append(f"{each.name}: {label.verdict} {found.verdict} (shares: {shares}). {found.sentence}")
        print(*rows[-1], sep=" | ", flush=True)
    table(["point", "wall", "share", "by experiment"], rows)
    print(*told, sep="\n")
    n = len(among)
    decided = counts["confirmed"] + counts["contradicted"]
    print(", ".join(f"{count} {verdict}" for verdict, count in counts.most_common()))
    print(f"of {decided} points that experiments decide, {counts['confirmed']} agree")
    share = counts["confirmed"] / n
    # with a few points, one that does not agree is compatible with 90 %
    holds = counts["confirmed"] >= n - 1 if quick else share >= TARGET
    return Outcome("verdict_agreement", round(100 * share, 1), "% of points", n, f">= {TARGET:.0%}", holds)


if __name__ == "__main__":
    main(prove, __doc__)
