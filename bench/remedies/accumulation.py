"""A training batch read in parts: the same update from less memory, in more passes."""

from bench.remedies import Change, Factor, Refused, Situation

PARTS = 2


def changes(situation: Situation) -> list[Change | Refused]:
    """Twice as many parts, where the batch has as many sequences."""
    parts = PARTS * int(situation.axes["accumulation"])
    axes = {"accumulation": parts}
    if not situation.trains:
        return [Refused(axes, "There are no gradients that could be added up.")]
    if parts > int(situation.axes["batch_size"]):
        return [Refused(axes, f"A batch of {situation.axes['batch_size']} cannot be read in {parts} parts.")]
    # each part starts every operator again, and adds its gradients to those that are there
    return [
        Change(
            axes,
            lambda kernel: kernel.with_rows(1 / PARTS),
            repeats=PARTS,
            host=Factor(1.8, 1.0, 2.0),
            rest=Factor(1.05, 1.0, 1.3),
        )
    ]
