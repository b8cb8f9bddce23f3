"""A narrower KV cache: fewer bytes to read for each token that is generated, where there is such a cache."""

from dataclasses import fields, replace

from bench import points
from bench.errors import Unsupported, UserError
from bench.kernels import Kernel
from bench.remedies import Change, Factor, Refused, Situation

#: int8 is converted before it is multiplied with, which takes a pass of its own.
_FORMATS = {"bf16": Factor(1.0, 0.8, 1.2), "int8": Factor(1.1, 0.8, 1.5)}


def changes(situation: Situation) -> list[Change | Refused]:
    """bf16 and int8, where an iteration generates from a cache that is wider."""
    try:
        cached = "kv_cache" in {field.name for field in fields(points.shaped(dict(situation.axes), situation.inputs))}
    except (Unsupported, UserError):
        cached = False
    if not cached or situation.axes["workload"] != "decode":
        return [Refused({"kv_cache": "int8"}, "An iteration reads no KV cache.")]
    present = str(situation.axes["kv_cache"])
    return [_change(word, factor) for word, factor in _FORMATS.items() if word != present]


def _change(word: str, factor: Factor) -> Change:
    def kernel(each: Kernel) -> Kernel:
        return replace(each, precision="bf16") if each.kind == "attention" and word == "bf16" else each

    return Change({"kv_cache": word}, kernel, rest=factor)
