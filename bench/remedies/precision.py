"""Another number format: fewer bytes for weights or activations, and other arithmetic."""

from dataclasses import replace

from bench.axes import BY_NAME
from bench.kernels import Kernel
from bench.kinds import Choice
from bench.remedies import Change, Refused, Situation


def changes(situation: Situation) -> list[Change | Refused]:
    """Every other precision."""
    kind = BY_NAME["precision"].kind
    assert isinstance(kind, Choice)
    present = situation.axes["precision"]
    return [_change(word, situation) for word in kind.words() if word != present]


def _change(word: str, situation: Situation) -> Change | Refused:
    axes = {"precision": word}
    if word == "amp-fp16" and situation.on_cpu:
        return Refused(axes, "Processors multiply fp16 matrices at a small part of the speed of fp32; bf16 is theirs.")

    def kernel(each: Kernel) -> Kernel:
        if each.kind == "elementwise" and each.over == "weights" and word.startswith("amp-"):
            return each  # autocast leaves weights, gradients and moments as they are
        return replace(each, precision=word)

    return Change(axes, kernel)
