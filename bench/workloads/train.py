"""One training step: forward, loss, backward, clipping, update. Batches are on the device already, so not timed."""

from itertools import cycle

from bench.stopwatch import Step
from bench.workloads import Subject
from model import classify, train
from model.architectures import Classifier
from model.shapes import Work


def prepare(subject: Subject, work: Work) -> Step:
    """One step of the optimizer over the next batch."""
    subject.model.train()
    optimizer = train.optimizer(subject.model, work.optimizer, subject.learning_rate)
    kind = classify.LabellingStep if isinstance(subject.model, Classifier) else train.TrainingStep
    step = kind(subject.model, optimizer, subject.precision)
    turn = cycle(subject.batches)

    def iteration() -> None:
        step(*next(turn))

    return iteration
