"""Weights stored in 8 or 4 bits: fewer bytes to read, and other kernels. Copies for inference."""

from dataclasses import replace

from bench.axes import BY_NAME
from bench.kernels import Kernel
from bench.kinds import Choice
from bench.remedies import Change, Refused, Situation

#: Schemes that reach the matrices of recurrent layers; the others reach linear layers alone (`model.quantize`).
_RECURRENT = ("int8-dynamic",)


def changes(situation: Situation) -> list[Change | Refused]:
    """Every scheme, of a model that is not quantized yet."""
    if situation.axes["quantize"] != "none":
        return [Refused({"quantize": "none"}, "The weights are quantized already.")]
    kind = BY_NAME["quantize"].kind
    assert isinstance(kind, Choice)
    return [_change(word) for word in kind.words() if word != "none"]


def _change(word: str) -> Change:
    def kernel(each: Kernel) -> Kernel:
        reached = each.kind == "linear" or (each.kind == "lstm" and word in _RECURRENT)
        return replace(each, quantize=word) if reached else each

    return Change({"quantize": word}, kernel)
