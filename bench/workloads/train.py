"""One training step: forward, loss, backward, clipping, update. Batches are on the device already, so not timed."""

from itertools import cycle

from bench.errors import Unsupported
from bench.stopwatch import Step
from bench.workloads import Subject
from model import classify, train
from model.architectures import Classifier
from model.shapes import Work


def prepare(subject: Subject, work: Work) -> Step:
    """One step of the optimizer over the next batch, in as many parts as the work says.

    Raises `Unsupported` where the batch has fewer sequences than that, or the model no blocks to checkpoint.
    """
    if work.accumulation > work.batch_size:
        raise Unsupported(f"A batch of {work.batch_size} cannot be read in {work.accumulation} parts.")
    subject.model.train()
    optimizer = train.optimizer(subject.model, work.optimizer, subject.learning_rate)
    kind = classify.LabellingStep if isinstance(subject.model, Classifier) else train.TrainingStep
    step = kind(
        subject.model,
        optimizer,
        subject.precision,
        accumulation=work.accumulation,
        checkpointing=work.checkpointing,
    )
    turn = cycle(subject.batches)

    def iteration() -> None:
        step(*next(turn))

    return iteration
