"""Verdicts on returned measurements on a terminal, within 80 columns."""

import textwrap
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.units import bracketed, digits, interval, quantity
from reports import gate_words, labels
from reports.acceptance import Judged, Verdict, Verdicts
from reports.acceptance_offers import Offer
from reports.acceptance_score import Ratio, Score

_SIGNS = {"met": "✓", "missed": "✗", "cannot tell": "?", "missing": "–"}
_WORDS: dict[Verdict, str] = {"missed": "missed", "cannot tell": "cannot be told", "missing": "without a figure"}
_WIDTH = 80
#: So many requirements get a sentence of their own with the same reason.
_MOST_ALONE = 3


def print_verdicts(offer: Offer, console: Console) -> None:
    """The table of one offer, a sentence for each requirement that is not met, what its records lack, and its score."""
    verdicts = offer.verdicts
    _say(console, f"{verdicts.title}: {offer.label}, measured on {verdicts.machine}.")
    console.print(_requirements(verdicts.judged))
    _say(console, "✓ met, ✗ missed, ? cannot tell, – missing. In brackets the 95 % interval.")
    for line in _sentences(verdicts.judged):
        _say(console, line)
    for check in verdicts.checks:
        if check.outcome != "ok":
            _say(console, f"{'✗' if check.outcome == 'fault' else '!'} {check.name}: {check.sentence}")
    for note in offer.notes:
        _say(console, note)
    _say(console, f"Score: {scored(verdicts.score)} (1 is as asked, more is better).")


def print_offers(offers: Sequence[Offer], console: Console) -> None:
    """The offers, best first, with their scores and how many requirements have which verdict."""
    table = _empty()
    table.add_column("", justify="right", no_wrap=True)
    table.add_column("returned", overflow="fold", min_width=12)
    table.add_column("score", overflow="fold")
    for verdict in ("met", "missed", "cannot tell", "missing"):
        table.add_column(verdict, justify="right")
    table.add_column("outcome", overflow="fold")
    for offer in offers:
        counts = [str(number) for number in offer.verdicts.counts.values()]
        table.add_row(
            *map(Text, (str(offer.place), offer.label, scored(offer.verdicts.score), *counts, outcome(offer.verdicts)))
        )
    console.print(table)
    _say(console, "Those that meet every limit come first. Offers of one place cannot be told apart.")


def outcome(verdicts: Verdicts) -> str:
    """The outcome in a word or two."""
    return {0: "accepted", 1: "missed", 3: "open"}[verdicts.exit_code]


def answer(verdicts: Verdicts) -> str:
    """The outcome as a sentence."""
    counts, total = verdicts.counts, labels.count(len(verdicts.judged), "limit")
    told = [f"{counts[verdict]} {words}" for verdict, words in _WORDS.items() if counts[verdict]]
    if verdicts.exit_code == 0:
        return f"Accepted: all {total} met." if len(verdicts.judged) > 1 else "Accepted: the limit is met."
    if told:
        return f"Not accepted: of {total}, {labels.listed(told)}."
    return f"Not accepted, although all {total} are met: {verdicts.faults[0].sentence}"


def scored(score: Score) -> str:
    """`1.12 [1.05, 1.20]`, or why there is none."""
    if score.value is None:
        return f"none, {score.reason}"
    if score.low is None or score.high is None:
        return f"{digits(score.value)}, without an interval"
    return bracketed(score.value, score.low, score.high)


def _empty() -> Table:
    return Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1), collapse_padding=True)


def _requirements(judged: Sequence[Judged]) -> Table:
    table = _empty()
    table.add_column("requirement", overflow="fold", min_width=14)
    table.add_column("limit", justify="right", overflow="fold", min_width=9)
    table.add_column("returned", justify="right", overflow="fold", min_width=9)
    table.add_column("ratio", justify="right", no_wrap=True)
    table.add_column("verdict", overflow="fold", min_width=9)
    for each in judged:
        asked = each.requirement
        limit = f"{'≥' if asked.relation == 'at least' else '≤'} {quantity(asked.limit, asked.unit)}"
        returned = interval(each.value, each.low, each.high, asked.unit)
        cells = (
            f"{each.name}: {gate_words.metric(asked.metric)}",
            labels.unbroken(limit),
            returned,
            _ratio(each.ratio),
            f"{_SIGNS[each.verdict]} {each.verdict}",
        )
        table.add_row(*(Text(labels.plain(cell) if cell is returned else cell) for cell in cells))
    return table


def _ratio(ratio: Ratio | None) -> str:
    return "" if ratio is None else digits(ratio.value)


def _sentences(judged: Sequence[Judged]) -> list[str]:
    """Why each is not met; one for all that share a reason, where they are many."""
    groups: dict[tuple[str, str], list[str]] = {}
    for each in judged:
        if each.verdict != "met":
            name = f"{each.name}: {gate_words.metric(each.requirement.metric)}"
            groups.setdefault((each.verdict, each.reason), []).append(name)
    lines = []
    for (verdict, reason), names in groups.items():
        more = len(names) - _MOST_ALONE
        shown = "; ".join(names[:_MOST_ALONE]) + (f"; and {more} more" if more > 0 else "")
        lines.append(f"{_SIGNS[verdict]} {shown}: {reason}.")
    return lines


def _say(console: Console, text: str) -> None:
    """A sentence on lines of its own, which a pipe gets whole words of too."""
    console.print(Text(textwrap.fill(labels.plain(text), _WIDTH, break_long_words=False)), soft_wrap=True)
