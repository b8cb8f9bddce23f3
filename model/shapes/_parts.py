"""What a training step costs whose batch is read in parts, or whose blocks forget their activations."""

from dataclasses import replace
from typing import Any

from model.shapes import Costs, Shape, Work
from model.shapes._operators import cross_entropy, optimizer_bytes


def costs(shape: Shape, config: Any, work: Work) -> Costs:
    """Counts of one optimizer step over all parts of the batch.

    Every part runs forward and backward and reads all weights again; from the second on, its gradients are added to
    those that are there. The largest part's activations live at once. With checkpointing they are the least that lives,
    the logits with what the loss makes of them: how much of the rest a block would compute again is not known here.
    """
    parts = [shape.costs(config, replace(work, batch_size=size)) for size in sizes(work)]
    first = parts[0]  # the largest
    update = optimizer_bytes(work, first.parameters)
    added = 3 * first.gradients_B * (len(parts) - 1)  # the sum so far and the new gradients are read, the sum written
    activations = first.activations_B
    if work.checkpointing:
        activations = cross_entropy(work, sizes(work)[0] * work.generated_length, config.vocabulary).kept
    return replace(
        first,
        tokens=sum(part.tokens for part in parts),
        flops=sum(part.flops for part in parts),
        bytes_moved=sum(part.bytes_moved - update for part in parts) + update + added,
        activations_B=activations,
    )


def sizes(work: Work) -> list[int]:
    """Sequences in each part, the larger ones first, as torch's `tensor_split` divides a batch.

    >>> sizes(Work("train", batch_size=7, sequence_length=1, generated_length=1, accumulation=3))
    [3, 2, 2]
    """
    parts = min(work.accumulation, work.batch_size)
    size, larger = divmod(work.batch_size, parts)
    return [size + 1] * larger + [size] * (parts - larger)
