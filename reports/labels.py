"""Words for points: what a reader sees instead of axis names and raw values. Text from records is cleaned here."""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from bench.axes import AXES, BY_NAME, FOREIGN, Axis
from bench.kinds import Choice
from bench.record import Record, Status, Value

#: Axes whose values are variants of the same work; a point's variant is what it has on these.
VARIANT_AXES = tuple(axis.name for axis in AXES if axis.compares)

WORKLOADS = {"train": "Training", "prefill": "Prefill", "decode": "Decode", "classify": "Classify"}

STATUS: dict[Status, str] = {
    "ok": "measured",
    "oom": "out of memory",
    "timeout": "time limit reached",
    "crashed": "crashed",
    "unsupported": "not supported here",
    "does_not_fit": "not tried: would not fit",
    "interrupted": "interrupted",
}


def plain(text: object) -> str:
    """`text` on one line without control characters: a record may come from a stranger, and goes to a terminal too."""
    kept = (" " if unicodedata.category(c)[0] in "CZ" else c for c in str(text))
    return " ".join("".join(kept).split())


def unbroken(text: str) -> str:
    """`text` with spaces at which no line may end: a value stays with its interval and its unit."""
    return text.replace(" ", "\u00a0")


def value(raw: Value) -> str:
    """One value of an axis as text: 0.5, 1024, amp-bf16."""
    return f"{raw:g}" if isinstance(raw, float) else plain(raw)


def workload(name: Value) -> str:
    """A workload's name at the head of a table or figure."""
    return WORKLOADS.get(str(name), plain(name).capitalize())


def variant(values: Mapping[str, Value]) -> str:
    """Precision and compression in words; the plain member of a family is called by its precision.

    It is empty for the plain member of what another tool measured, whose precision its name tells, if anything does.

    >>> from bench.axes import DEFAULTS
    >>> variant(DEFAULTS | {"prune": 0.5, "quantize": "int8-dynamic"})
    'pruned share 0.5, int8-dynamic'
    """
    changed = [_named(BY_NAME[name], values[name]) for name in VARIANT_AXES if values[name] != BY_NAME[name].default]
    if not changed and values["architecture"] == FOREIGN["architecture"]:
        return ""
    return ", ".join(changed) or value(values["precision"])


def point(values: Mapping[str, Value], names: Iterable[str]) -> str:
    """What tells a point from the others: its values on `names`, the axes of the variant last and as one.

    >>> from bench.axes import DEFAULTS
    >>> point(DEFAULTS | {"batch_size": 8, "precision": "amp-bf16"}, ["size", "batch_size", "precision"])
    'nano, batch size 8, amp-bf16'
    """
    names = list(names)
    told = [name for name in names if name not in VARIANT_AXES and not says_nothing(name, values)]
    parts = [_named(BY_NAME[name], values[name]) for name in told]
    if any(name in VARIANT_AXES for name in names):
        parts.append(variant(values))
    return ", ".join(part for part in parts if part)


def says_nothing(name: str, values: Mapping[str, Value]) -> bool:
    """Whether a label can leave an axis out; of what is no workload of ours, a default is only what nobody told."""
    untold = values["workload"] == FOREIGN["workload"] and values[name] == BY_NAME[name].default
    return untold or BY_NAME[name].says_nothing(values[name])


def _named(axis: Axis, raw: Value) -> str:
    return value(raw) if axis.names_itself else f"{axis.label} {value(raw)}"


def order(values: Mapping[str, Value], names: Iterable[str]) -> tuple[object, ...]:
    """A sort key by `names`: words in the order of their axis, numbers by size; variants last, the plain one first."""
    names = list(names)
    return (
        *(rank(name, values[name]) for name in names if name not in VARIANT_AXES),
        tuple(
            (place, rank(name, values[name]))
            for place, name in enumerate(VARIANT_AXES)
            if name in names and values[name] != BY_NAME[name].default
        ),
    )


def rank(name: str, raw: Value) -> tuple[int, float, str]:
    """A sort key for one value of the axis `name`."""
    if not isinstance(raw, str):
        return (1, float(raw), "")
    kind = BY_NAME[name].kind
    words = list(WORKLOADS) if name == "workload" else list(kind.words()) if isinstance(kind, Choice) else []
    return (0, float(words.index(raw) if raw in words else len(words)), raw)


def status(record: Record) -> str:
    """What became of the point, in words."""
    return STATUS.get(record.status, plain(record.status))


def count(number: int, noun: str, plural: str | None = None) -> str:
    """`1 point`, `3 points`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def listed(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
