"""What one iteration does: one file a workload, found by its name.

Each file offers `prepare(subject, work) -> Step`: a callable without arguments that runs one iteration of exactly the
`model.shapes.Work` it was given, on tensors that are already on the device. `Subject` is what it runs on.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle
from typing import Any, cast

import torch

from bench.errors import Unsupported
from bench.stopwatch import Step
from model import plugins
from model.architectures import Classifier, LanguageModel
from model.shapes import Work

#: Batches that the iterations cycle through: enough that no two neighbours are equal, few enough to stay small.
BATCHES = 8


@dataclass(frozen=True)
class Subject:
    """A built and shaped model on its device, and batches of real text.

    A batch is a source (B, S) and, for a language model, the target (B, G) that continues it; for a classifier, the
    labels (B,) of its texts.
    """

    model: LanguageModel | Classifier
    batches: list[tuple[torch.Tensor, torch.Tensor]]
    precision: str
    learning_rate: float
    device: torch.device

    def sources(self) -> Callable[[], torch.Tensor]:
        """The next source, endlessly."""
        turn = cycle([source for source, _ in self.batches])
        return lambda: next(turn)

    def language_model(self) -> LanguageModel:
        """The model, as one that continues texts. Raises `Unsupported` for a classifier."""
        if isinstance(self.model, Classifier):
            raise Unsupported("A classifier labels texts; it continues none.")
        return self.model

    def classifier(self) -> Classifier:
        """The model, as one that labels texts. Raises `Unsupported` for a language model."""
        if isinstance(self.model, LanguageModel):
            raise Unsupported("A language model continues texts; it labels none.")
        return self.model


def prepare(name: str, subject: Subject, work: Work) -> Step:
    """One iteration of the workload `name`."""
    made: Any = plugins.load("bench.workloads", name).prepare(subject, work)
    return cast(Step, made)
