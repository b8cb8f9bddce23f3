"""Tables of a projection's options for whoever decides: what each does, and what was refused and why."""

from collections.abc import Sequence

from reports import answer_words, labels, tables
from reports.document import Cell, Column, Emphasis, Table
from reports.projection.answers import Answer, Estimate, Option, Workload

NOTHING = Cell("—", emphasis="muted")


def cells(found: Sequence[Estimate | None], unit: str, head: str) -> tuple[Column, list[Cell]]:
    """A column under one unit: likely values with 90 % intervals, or bounds."""
    known = [each for each in found if each is not None]
    factor, named = answer_words.scaled(known, unit)
    return Column(f"{head}, {named}", "right"), [cell(each, factor) for each in found]


def cell(found: Estimate | None, factor: float = 1.0) -> Cell:
    """A likely value with its interval, divided by `factor`; an em dash where there is none."""
    return NOTHING if found is None else Cell(answer_words.figure(found, factor), sort=found.likely)


def identity(options: Sequence[Option]) -> tuple[tuple[Column, ...], list[tuple[Cell, ...]]]:
    """Rank and device, the first in bold. An option without a rank, or that misses what was asked, has a dash."""
    found: list[tuple[Cell, ...]] = []
    for place, option in enumerate(options):
        emphasis: Emphasis = "best" if place == 0 and option.meets else "plain" if option.meets else "muted"
        rank = Cell(str(option.rank), sort=option.rank) if option.rank and option.meets else NOTHING
        found.append((rank, Cell(answer_words.name(option), emphasis=emphasis)))
    return (Column("rank", "right"), Column("device")), found


def speeds(answer: Answer) -> Table:
    """What one replica of each option does."""
    options = answer.options
    columns, named = identity(options)
    outlooks = [option.outlook for option in options]
    figures = [
        cells([each.ttft_s for each in outlooks], "s", "TTFT"),
        cells([each.tpot_s for each in outlooks], "s", "TPOT"),
        cells([each.tokens_per_s for each in outlooks], "tokens/s", "speed of a replica"),
    ]
    heads = (*columns, Column("memory"), Column("batch", "right"), *(head for head, _ in figures), Column("confidence"))
    rows = [
        (
            *named[place],
            Cell(answer_words.fits(each.fit), emphasis="plain" if each.fit.fits else "bad"),
            Cell(f"{each.batch:,}", sort=each.batch),
            *(column[place] for _, column in figures),
            Cell(each.trust.label, emphasis="bad" if each.trust.label == "bounds" else "plain"),
        )
        for place, each in enumerate(outlooks)
    ]
    return Table("What each option does", heads, tuple(rows), _missed(options), wraps=True)


def _missed(options: Sequence[Option]) -> str:
    """Why some options have no rank though they were not refused."""
    told = [
        f"{answer_words.name(option)}: {'; '.join(labels.plain(miss).rstrip('.') for miss in option.misses)}"
        for option in options
        if not option.meets
    ]
    return f"Without a rank, since they miss what was asked: {'. '.join(told)}." if told else ""


def refusals(answer: Answer) -> Table | None:
    """What nothing honest can be said of, or cannot do the work, by reason."""
    if not answer.refusals:
        return None
    rows = [[", ".join(names), reason] for reason, names in answer_words.refused(answer).items()]
    return tables.simple("Refused, and why", ["device", "reason"], rows)


def asked(workload: Workload) -> str:
    """What was asked, in a sentence or two."""
    uses = labels.listed(
        [
            f"{100 * use.share:.3g} % {labels.plain(use.name)} ({use.prompt:,} tokens in, {use.output:,} out)"
            for use in workload.uses
        ]
    )
    limits = [
        f"{what} within {answer_words.si(limit, 's')}"
        for what, limit in (("the first token", workload.ttft_s), ("each further token", workload.tpot_s))
        if limit is not None
    ]
    demand = workload.demand_tokens_per_s
    wanted = [f"{answer_words.si(demand, 'tokens/s')} in all"] if demand else []
    what = f"{labels.plain(workload.model.name)}, weights in {labels.plain(workload.weights)}, cache in "
    asks = f"; asked for: {labels.listed([*wanted, *limits])}" if wanted or limits else ""
    engine = f" with {labels.plain(workload.engine)}" if workload.engine else ""
    return f"The work: {what}{labels.plain(workload.kv)}{engine}, for {uses}{asks}."
