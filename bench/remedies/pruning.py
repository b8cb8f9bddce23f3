"""Structured pruning: whole units go, so that the matrices shrink. (Single zeros give no speed to dense kernels.)"""

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any

from bench import points
from bench.errors import Unsupported, UserError
from bench.kernels import Kernel
from bench.record import Value
from bench.remedies import Change, Refused, Situation

#: Half of the units: enough to be felt, and the share that the shipped sweeps prune.
SHARE = 0.5
#: Gates and other stacks of one width in one matrix, as many as those architectures have.
_STACKED = (1, 2, 3, 4, 6, 8)


def changes(situation: Situation) -> list[Change | Refused]:
    """Half of the units, of a model that is not pruned in this way yet."""
    axes: dict[str, Value] = {"prune": SHARE, "prune_scheme": "structured"}
    if situation.axes["prune"] and situation.axes["prune_scheme"] == "structured":
        return [Refused(axes, "Units were removed from it already.")]
    before = dict(situation.axes) | {"prune": 0.0, "prune_scheme": "unstructured"}
    try:
        old, new = (points.shaped(values, situation.inputs) for values in (before, before | axes))
    except (Unsupported, UserError) as error:
        return [Refused(axes, str(error))]
    if new == old:
        return [Refused(axes, "No units are known that could be removed from this architecture.")]
    return [Change(axes, _narrower(widths(old, new)))]


def widths(old: Any, new: Any) -> dict[int, int]:
    """Sizes of matrices before and after: of each dimension of the Config, and of products that layers are made of."""
    found: dict[int, int] = {}
    named = {field.name: (getattr(old, field.name), getattr(new, field.name)) for field in fields(old)}
    counts = {name: pair for name, pair in named.items() if all(type(each) is int for each in pair)}
    unchanged = {before for before, after in counts.values() if before == after}
    for before, after in counts.values():
        if before != after:
            for stacked in _STACKED:
                found.setdefault(stacked * before, stacked * after)
    found |= _heads(old, new)
    return {before: after for before, after in found.items() if before not in unchanged and before != after}


def _heads(old: Any, new: Any) -> dict[int, int]:
    """Widths of queries, and of queries, keys and values in one matrix, where there are heads."""
    sizes = []
    for config in (old, new):
        heads, width = getattr(config, "heads", 0), getattr(config, "head_dim", 0)
        if not (isinstance(heads, int) and isinstance(width, int)):
            return {}
        kv = getattr(config, "kv_heads", heads) or heads
        sizes.append((heads * width, kv * width, (heads + 2 * kv) * width, heads))
    return dict(zip(*sizes, strict=True))


#: Which of a kernel's sizes are widths, and no numbers of tokens.
_WIDTHS = {"linear": (1, 2), "lstm": (2, 3), "attention": (), "elementwise": (1,)}


def _narrower(widths: Mapping[int, int]) -> Callable[[Kernel], Kernel]:
    """The kernel with the dimensions that shrink."""

    def kernel(each: Kernel) -> Kernel:
        sizes, at = each.sizes, (0, 1) if each.over == "weights" else _WIDTHS[each.kind]
        return replace(each, sizes=tuple(widths.get(n, n) if place in at else n for place, n in enumerate(sizes)))

    return kernel
