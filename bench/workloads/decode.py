"""One generation: `generated_length` greedy steps from a prompt that was read beforehand. The prefill is not timed."""

import torch

from bench.stopwatch import Step
from bench.workloads import Subject
from model import precision
from model.shapes import Work


def prepare(subject: Subject, work: Work) -> Step:
    """One generation of full length (it does not stop at <eos>, so that every iteration does the same work)."""
    model = subject.language_model().eval()
    source = subject.batches[0][0]  # one prompt a batch, as in service: a KV cache for each would fill the memory
    with torch.inference_mode(), precision.autocast(subject.precision, subject.device):
        # a copy, lest it be a view of a tensor made elsewhere: a compiled step would be compiled for that apart
        first = model.first(source).clone()  # (B,)
        prompt = model.prefill(source, steps=work.generated_length)

    def iteration() -> None:
        with torch.inference_mode(), precision.autocast(subject.precision, subject.device):
            tokens, state = first, prompt
            for _ in range(work.generated_length):
                logits, state = model.step(tokens, state)
                tokens = logits.argmax(dim=-1)

    return iteration
