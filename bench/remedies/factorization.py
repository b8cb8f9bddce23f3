"""Low-rank factors in place of the matrices of linear layers: fewer weights to read and to multiply with."""

from dataclasses import fields, replace
from typing import Any

from bench import points
from bench.errors import Unsupported, UserError
from bench.kernels import Kernel
from bench.remedies import Change, Refused, Situation

#: Of the narrowest width: a matrix much longer than wide then keeps about so much of its weights.
SHARE = 0.25


def changes(situation: Situation) -> list[Change | Refused]:
    """A rank of a quarter of the model's width, of a model that is not factored yet."""
    if situation.axes["factorize"] != "none":
        return [Refused({"factorize": "none"}, "Its matrices are factored already.")]
    try:
        width = _width(points.shaped(dict(situation.axes), situation.inputs))
    except (Unsupported, UserError) as error:
        return [Refused({"factorize": "rank:1"}, str(error))]
    if not width:
        return [Refused({"factorize": "rank:1"}, "How wide the model is, its shape does not tell.")]
    rank = max(round(width * SHARE), 1)

    def kernel(each: Kernel) -> Kernel:
        outputs, inputs = each.sizes[-2:]
        if rank * (outputs + inputs) >= outputs * inputs or each.rank:
            return each
        if each.kind == "linear":
            return replace(each, rank=rank)
        if each.over == "weights" and (outputs, inputs) in situation.linears:  # and so do its gradients and moments
            return replace(each, sizes=(max(rank * (outputs + inputs) // inputs, 1), inputs))
        return each

    return [Change({"factorize": f"rank:{rank}"}, kernel)]


def _width(config: Any) -> int:
    named = {field.name: getattr(config, field.name) for field in fields(config)}
    return int(named.get("hidden") or named.get("embedding") or 0)
