"""One prefill: the prompt is read until generation could begin. For an encoder-decoder that is the encoder's pass."""

import torch

from bench.stopwatch import Step
from bench.workloads import Subject
from model import precision
from model.shapes import Work


def prepare(subject: Subject, work: Work) -> Step:
    """One pass over the next batch of prompts."""
    model = subject.language_model().eval()
    source = subject.sources()

    def iteration() -> None:
        with torch.inference_mode(), precision.autocast(subject.precision, subject.device):
            model.prefill(source())

    return iteration
