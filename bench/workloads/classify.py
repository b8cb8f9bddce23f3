"""One pass of a classifier over a batch of texts: how long it takes to label them."""

import torch

from bench.stopwatch import Step
from bench.workloads import Subject
from model import precision
from model.shapes import Work


def prepare(subject: Subject, work: Work) -> Step:
    """The likeliest label of each text of the next batch."""
    model = subject.classifier().eval()
    source = subject.sources()

    def iteration() -> None:
        with torch.inference_mode(), precision.autocast(subject.precision, subject.device):
            model(source()).argmax(dim=-1)

    return iteration
