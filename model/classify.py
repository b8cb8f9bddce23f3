"""Training a classifier on labelled text, and what it then says of a text."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model import train
from model.architectures import Classifier
from model.errors import UserError
from model.labelled import Example
from model.text import pad


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


class LabellingStep(train.TrainingStep):
    """One optimizer step of a classifier, on texts (B, S) without padding and their labels (B,); see `TrainingStep`."""

    def _loss(self, source: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
        return F.cross_entropy(self.model(source), target, reduction=reduction)

    def _graded(self, target: Tensor) -> Tensor:
        return target.new_tensor(target.numel())


def fit(model: Classifier, examples: Sequence[Example], plan: Plan) -> list[float]:
    """Train `model` on its device; the mean cross-entropy in nats a text of each epoch.

    Deterministic on the CPU for a seed (it seeds torch's generator, which dropout draws from). Raises `UserError`
    where a loss is no longer finite.
    """
    torch.manual_seed(plan.seed)
    device = next(model.parameters()).device
    optimizer = train.optimizer(model, plan.optimizer, plan.learning_rate, plan.weight_decay)
    history = []
    model.train()
    for epoch in range(1, plan.epochs + 1):
        order = torch.randperm(len(examples)).tolist()
        total = 0.0
        for source, lengths, labels in _batches([examples[i] for i in order], plan, device):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(source, lengths), labels)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), train.CLIP_NORM)
            optimizer.step()
            total += loss.item() * len(labels)
        if not math.isfinite(total):
            raise UserError(f"The loss is {total} in epoch {epoch}.", f"Lower the rate: it is {plan.learning_rate:g}.")
        history.append(total / len(examples))
    return history


@torch.inference_mode()
def predict(model: Classifier, examples: Sequence[Example], plan: Plan) -> Tensor:
    """The likeliest label (N,) of each example, int64 on the CPU. Leaves the model in evaluation mode."""
    model.eval()
    device = next(model.parameters()).device
    found = [model(source, lengths).argmax(dim=-1).cpu() for source, lengths, _ in _batches(examples, plan, device)]
    return torch.cat(found)


def _batches(examples: Sequence[Example], plan: Plan, device: torch.device) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Codes (B, S), lengths (B,) and labels (B,), in order."""
    for start in range(0, len(examples), plan.batch_size):
        chosen = examples[start : start + plan.batch_size]
        source, lengths, _ = pad([example.codes[: plan.longest] for example in chosen])
        labels = torch.tensor([example.label for example in chosen])
        yield source.to(device), lengths.to(device), labels.to(device)
