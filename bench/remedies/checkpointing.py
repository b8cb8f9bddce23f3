"""Blocks that forget their activations and compute them again: less memory in training, for another forward pass."""

from dataclasses import replace

from bench.kernels import Kernel
from bench.remedies import Change, Factor, Refused, Situation


def changes(situation: Situation) -> list[Change | Refused]:
    """On, where it is off and there is something to forget."""
    axes = {"checkpointing": "on"}
    if not situation.trains:
        return [Refused(axes, "No activations are kept for a backward pass.")]
    if situation.axes["checkpointing"] == "on":
        return [Refused(axes, "Activations are computed again already.")]

    def kernel(each: Kernel) -> Kernel:
        # a projection stands in no block
        return replace(each, forwards=2) if each.kind in ("lstm", "attention") else each

    return [Change(axes, kernel, host=Factor(1.2, 1.0, 1.4), rest=Factor(1.05, 1.0, 1.3))]
