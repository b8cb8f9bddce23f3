"""For the engineer: what limits each option, its memory by part, rates, power, and why it is trusted how far."""

from collections.abc import Sequence

from bench.units import digits, scale
from reports import answer_words, labels, tables
from reports.datasheets import Device, figures, shipped
from reports.document import Cell, Column, Paragraph, Part, Section, Table
from reports.prices import Price
from reports.projection.answers import Option
from reports.sections._procurement_tables import NOTHING, cells, identity
from reports.study import Study

ORDER = 4

_SPLITS = {"none": "—", "tensor": "tensor", "pipeline": "pipeline", "data": "data"}
_MEANING = (
    "What limits is what a step of decoding waits for: memory bandwidth (weights and cache must be read), compute "
    "(arithmetic), communication (between devices of a replica), or launches (the host hands out work). Prefill reads "
    "the prompt, decode generates. A split is how a replica lies on its devices: tensor (each layer is divided), "
    "pipeline (layers one after the other), data (whole copies). Power and energy are of the devices, while they work."
)


def build(study: Study) -> Section | None:
    """None where nothing was projected."""
    answer = study.answer
    if answer is None or not answer.options:
        return None
    bound = labels.count(len({option.outlook.limited_by for option in answer.options}), "limit")
    lead = f"{labels.count(len(answer.options), 'option')} and {bound}: what each waits for, needs and draws, and why."
    parts: list[Part] = [Paragraph(_MEANING), _rates(answer.options), _memory(answer.options), *_trust(answer.options)]
    parts += [each for each in (_prices(answer.options), _datasheets(answer.options)) if each is not None]
    return Section("For the engineer", lead, tuple(parts))


def _rates(options: Sequence[Option]) -> Table:
    columns, named = identity(options)
    outlooks = [option.outlook for option in options]
    found = [
        cells([each.prefill_tokens_per_s for each in outlooks], "tokens/s", "prefill"),
        cells([each.tokens_per_s for each in outlooks], "tokens/s", "generated"),
        cells([each.power_W for each in outlooks], "W", "power of a replica"),
        cells([each.joules_per_token for each in outlooks], "J", "energy per token"),
    ]
    rows = tuple(
        (*named[place], Cell(labels.plain(each.limited_by)), Cell(_SPLITS[each.candidate.split]),
         *(column[place] for _, column in found))
        for place, each in enumerate(outlooks)
    )  # fmt: skip
    heads = (*columns, Column("decode is limited by"), Column("split"), *(head for head, _ in found))
    return Table("What limits each, its rates and power", heads, rows, wraps=True)


def _memory(options: Sequence[Option]) -> Table:
    """Bytes by part at the batch shown, over all devices of a replica."""
    columns, named = identity(options)
    fits = [option.outlook.fit for option in options]
    parts = list(dict.fromkeys(part for fit in fits for part in fit.parts_B))
    factor, unit = scale([fit.have_B for fit in fits], "B")
    heads = (
        *columns,
        *(Column(f"{labels.plain(part)}, {unit}", "right") for part in parts),
        Column(f"needed, {unit}", "right"), Column(f"there is, {unit}", "right"), Column("largest batch", "right"),
    )  # fmt: skip
    rows = tuple(
        (
            *named[place],
            *(_bytes(fit.parts_B.get(part), factor) for part in parts),
            _bytes(fit.need_B, factor),
            _bytes(fit.have_B, factor),
            Cell(f"{fit.most_batch:,}", sort=fit.most_batch),
        )
        for place, fit in enumerate(fits)
    )
    return Table("Memory of a replica", heads, rows, wraps=True)


def _bytes(value: float | None, factor: float) -> Cell:
    return NOTHING if value is None else Cell(digits(value / factor), sort=value)


def _trust(options: Sequence[Option]) -> list[Part]:
    """Why each is trusted as far as it is; options of the same reasons stand together."""
    found: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for option in options:
        trust = option.outlook.trust
        reasons = tuple(labels.plain(reason).rstrip(".") for reason in trust.reasons)
        found.setdefault((trust.label, reasons), []).append(answer_words.name(option))
    rows = [[", ".join(names), label, "; ".join(reasons) or "—"] for (label, reasons), names in found.items()]
    return [tables.simple("How far each figure reaches", ["device", "confidence", "why"], rows)]


def _prices(options: Sequence[Option]) -> Table | None:
    """Each price that was used, once."""
    rows = dict.fromkeys(
        (labels.plain(option.outlook.candidate.device.name), *_price(price))
        for option in options
        for price in (option.cost.bought_at, option.cost.rented_at)
        if price is not None
    )
    if not rows:
        return None
    heads = ["device", "price", "kind", "of", "from"]
    return tables.simple("Where the prices are from", heads, rows)


def _price(price: Price) -> tuple[str, str, str, str]:
    note = f" ({labels.plain(price.note)})" if price.note else ""
    return (
        labels.unbroken(f"{digits(price.amount)} {labels.plain(price.currency)} per {price.per}"),
        price.kind,
        labels.unbroken(labels.plain(price.date)),
        "; ".join(map(labels.plain, price.sources)) + note,
    )


def _datasheets(options: Sequence[Option]) -> Table | None:
    """Where each device's promised figures were read."""
    devices = {option.outlook.candidate.device.name: option.outlook.candidate.device for option in options}
    rows = [[labels.plain(name), *row] for name, device in devices.items() for row in _sources(device)]
    return (
        tables.simple("Where the figures of the devices are from", ["device", "figures", "from"], rows)
        if rows
        else None
    )


def _sources(device: Device) -> list[tuple[str, str]]:
    """The groups of figures by their sources, in words where the catalogue that comes with pinchpoint names them."""
    told = shipped().sources
    found: dict[str, list[str]] = {}
    for title, group in device.groups().items():
        if not figures(group):
            continue
        named = [f"{told[key].where} ({told[key].standing})" if key in told else key for key in group.sources]
        found.setdefault("; ".join(map(labels.plain, named)), []).append(title.replace("_", " "))
    return [(", ".join(titles), where) for where, titles in found.items()]
