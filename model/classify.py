"""Training a classifier on labelled text, and what it then says of a text."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from model import precision as precisions
from model import train
from model.architectures import Classifier
from model.errors import UserError
from model.labelled import Example
from model.text import PAD, pad


@dataclass(frozen=True)
class Plan:
    """How `fit` trains: texts are cut to `longest` tokens."""

    epochs: int = 5
    batch_size: int = 16
    longest: int = 64
    optimizer: str = "adamw"
    learning_rate: float = 3e-3
    weight_decay: float = 0.01
    seed: int = 0
    precision: str = "fp32"


@dataclass(frozen=True)
class History:
    """The mean cross-entropy in nats a text of each epoch (the last may be cut short), and the optimizer's steps."""

    losses: tuple[float, ...]
    steps: int


class LabellingStep(train.TrainingStep):
    """One optimizer step of a classifier, on texts (B, S) without padding and their labels (B,); see `TrainingStep`."""

    def _loss(self, source: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
        return F.cross_entropy(self.model(source, self._lengths(source)), target, reduction=reduction)

    def _lengths(self, source: Tensor) -> Tensor | None:
        return None

    def _graded(self, target: Tensor) -> Tensor:
        return target.new_tensor(target.numel())


class _PaddedStep(LabellingStep):
    def _lengths(self, source: Tensor) -> Tensor | None:
        return (source != PAD).sum(dim=1)  # (B,)


def fit(
    model: Classifier,
    examples: Sequence[Example],
    plan: Plan,
    on_epoch: Callable[[int, float], None] = lambda number, loss: None,
    *,
    budget_s: float = math.inf,
    clock: Callable[[], float] = time.monotonic,
) -> History:
    """Train `model` on its device until the epochs of `plan` are over, or `budget_s` seconds are spent.

    `on_epoch` is told the number and the loss of each epoch. Deterministic on the CPU for a seed and no budget (it
    seeds torch's generator, which dropout draws from). Raises `UserError` where a loss is no longer finite.
    """
    torch.manual_seed(plan.seed)
    updating = train.optimizer(model, plan.optimizer, plan.learning_rate, plan.weight_decay)
    step = _PaddedStep(model, updating, plan.precision)
    began, losses = clock(), []
    for epoch in range(1, plan.epochs + 1):
        model.train()
        order = torch.randperm(len(examples)).tolist()
        total, seen = 0.0, 0
        for source, _, labels in _batches([examples[i] for i in order], plan, step.device):
            total += step(source, labels).item() * len(labels)
            seen += len(labels)
            if clock() - began >= budget_s:
                break
        if not math.isfinite(total):
            raise UserError(f"The loss is {total} in epoch {epoch}.", f"Lower the rate: it is {plan.learning_rate:g}.")
        losses.append(total / seen)
        on_epoch(epoch, losses[-1])
        if clock() - began >= budget_s:
            break
    return History(tuple(losses), step.steps)


@torch.inference_mode()
def scores(model: Classifier, examples: Sequence[Example], plan: Plan) -> Tensor:
    """Logits (N, classes) of each example, fp32 on the CPU. Leaves the model in evaluation mode."""
    model.eval()
    device = next(model.parameters()).device
    found = []
    for source, lengths, _ in _batches(examples, plan, device):
        with precisions.autocast(plan.precision, device):
            found.append(model(source, lengths).float().cpu())
    return torch.cat(found)


def predict(model: Classifier, examples: Sequence[Example], plan: Plan) -> Tensor:
    """The likeliest label (N,) of each example, int64 on the CPU. Leaves the model in evaluation mode."""
    return scores(model, examples, plan).argmax(dim=-1)


def _batches(examples: Sequence[Example], plan: Plan, device: torch.device) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Codes (B, S), lengths (B,) and labels (B,), in order."""
    for start in range(0, len(examples), plan.batch_size):
        chosen = examples[start : start + plan.batch_size]
        source, lengths, _ = pad([example.codes[: plan.longest] for example in chosen])
        labels = torch.tensor([example.label for example in chosen])
        yield source.to(device), lengths.to(device), labels.to(device)
