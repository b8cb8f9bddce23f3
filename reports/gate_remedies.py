"""What a single finding says to people: a word for its unit, and what to do about its reason."""

from reports import gate_words
from reports.comparison import Finding

#: What more and less of a unit is called; a time is slower or faster, and so is a rate.
_WORDS = {
    "B": ("bigger", "smaller"),
    "J": ("hungrier", "thriftier"),
    "J/token": ("hungrier", "thriftier"),
    "W": ("hungrier", "thriftier"),
    "FLOP": ("more", "less"),
    "": ("more", "less"),
}
_IN_TURNS = "compare in turns, which is free of drift: pinchpoint ab"
_REMEDIES = {
    "above_margin": "Where the cost is meant, raise the limit, or make the new run the baseline.",
    "between": f"Measure with more --repetitions, or {_IN_TURNS}.",
    "time_cap": "Give it more time.",
    "few_pairs": "Measure longer, with more processes: a larger --point-budget or --repetitions.",
    "drift": f"To tell, {_IN_TURNS}. On a dedicated machine say how little its runs differ, such as --run-spread 1%.",
    "unresolvable": f"Choose a wider limit or a quieter machine, or {_IN_TURNS}.",
    "new_fails": "Run it alone to see why: pinchpoint run.",
    "only_in_base": "If it was dropped on purpose: --missing pass.",
    "no_reading": "`pinchpoint doctor` shows what can be read here; or leave out its limit.",
    "bad_reading": "Measure that side again.",
    "no_interval": "Measure it some more times: from 4 other runs on, a store shows how much they differ.",
    "other_host": "Measure both alike, or compare all the same: --anyway.",
    "exact_more": "Where it is meant: --allow-more {metric}, or make the new run the baseline.",
}
#: Where the sides were measured in turns, other things help.
_MORE_TIME = "Give it more time, or a quieter machine."
_IN_TURNS_REMEDIES = {
    "above_margin": "Where the cost is meant, raise the limit.",
    "between": _MORE_TIME,
    "time_cap": _MORE_TIME,
    "few_pairs": _MORE_TIME,
    "given_up": "Mend the test: it must pass each time.",
    "unresolvable": "Give it more time, a quieter machine, or a wider limit.",
    "new_fails": "Run it there to see why.",
    "no_reading": "Leave out its limit, or compare two sweeps: pinchpoint compare.",
    "exact_more": "Where it is meant: --allow-more {metric}.",
}


def word(finding: Finding) -> str:
    """The verdict as people say it: `bigger` for memory, `hungrier` for energy, `broken` for what fails now."""
    if finding.code in {"new_fails", "base_fails"}:
        return "broken" if finding.code == "new_fails" else "mended"
    if finding.verdict == "inconclusive" and finding.outcome == "pass":
        return "not worse"  # how much better is open
    if finding.verdict not in {"slower", "faster"}:
        return finding.verdict
    return _WORDS.get(finding.unit, ("slower", "faster"))[finding.verdict == "faster"]


def remedy(finding: Finding) -> str:
    """What to do about it; empty where nothing need be done."""
    known = _REMEDIES | _IN_TURNS_REMEDIES if finding.paired else _REMEDIES
    return known.get(finding.code, "").format(metric=finding.metric)


def sentence(finding: Finding) -> str:
    """One finding with its reason and its remedy."""
    what = "" if finding.metric == "status" else f"{gate_words.metric(finding.metric)} "
    said = f"{gate_words.benchmark(finding)}: {what}{word(finding)}. {gate_words.reason(finding)} {remedy(finding)}"
    return said.strip()
