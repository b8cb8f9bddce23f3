"""Trained classifiers, whose variants are graded: the counterpart of `model.parents` for models that label texts."""

import hashlib
import json
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch.nn import functional as F

from model import checkpoint, classify
from model.architectures import Classifier, build_classifier
from model.classify import Plan
from model.errors import UserError
from model.labelled import Labelled
from model.shapes.classifier import Config

ARCHITECTURE = "classifier"

#: Version of how they are trained; whoever changes this file or `model.classify.fit` so that one comes out otherwise,
#: changes it.
RECIPE = 1


@dataclass(frozen=True)
class Parent:
    """A trained classifier in evaluation mode on the CPU, and what its training took and reached.

    `held_out_loss` is in nats a text, `seconds` are of training alone. `path` is None where it could not be kept.
    """

    model: Classifier
    steps: int
    seconds: float
    held_out_loss: float
    path: Path | None = None


def parent(
    config: Config,
    data: Labelled,
    plan: Plan,
    budget_s: float,
    folder: Path | None,
    *,
    device: torch.device,
    clock: Callable[[], float] = time.monotonic,
) -> Parent:
    """The classifier of `config`: from `folder` where it is kept, else trained on `device` and kept there.

    A damaged file is made again; a folder that cannot be written is no error. Raises `UserError` where the loss is no
    longer finite.
    """
    path = folder / f"parent-{_key(config, data, plan, budget_s, device)[:32]}.safetensors" if folder else None
    kept = _read(path, config, data) if path else None
    if kept is not None:
        return kept
    model = build_classifier(ARCHITECTURE, config, plan.seed).to(device)
    began = clock()
    history = classify.fit(model, data.train, plan, budget_s=budget_s, clock=clock)
    seconds = clock() - began
    labels = torch.tensor([example.label for example in data.held_out])
    loss = F.cross_entropy(classify.scores(model, data.held_out, plan), labels).item()
    made = Parent(model.cpu(), history.steps, seconds, loss)
    return replace(made, path=path) if path is not None and _write(path, made, config, data) else made


def _key(config: Config, data: Labelled, plan: Plan, budget_s: float, device: torch.device) -> str:
    """Hash of all that makes the weights what they are, but for the speed of the machine."""
    identity = {
        "recipe": RECIPE,
        "architecture": ARCHITECTURE,
        "torch": torch.__version__,
        "machine": platform.machine(),
        "device": device.type,
        "texts": data.sha256,
        "vocabulary": data.vocabulary.words,
        "config": asdict(config),
        "plan": asdict(plan),
        "budget_s": budget_s,
    }
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def _read(path: Path, config: Config, data: Labelled) -> Parent | None:
    try:
        kept = checkpoint.load(path)
        told = kept.training
        steps, seconds, loss = int(told["steps"]), float(told["seconds"]), float(told["held_out_loss"])
    except (UserError, KeyError):  # not there, or damaged: it is made again
        return None
    same = (kept.config, kept.vocabulary, kept.labels) == (config, data.vocabulary, data.labels)
    if not same or not isinstance(kept.model, Classifier):
        return None
    return Parent(kept.model, steps, seconds, loss, path)


def _write(path: Path, made: Parent, config: Config, data: Labelled) -> bool:
    """Whether it could be kept."""
    told = {"steps": made.steps, "seconds": made.seconds, "held_out_loss": made.held_out_loss}
    whole = checkpoint.Checkpoint(made.model, ARCHITECTURE, config, data.vocabulary, {}, told, data.labels)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        checkpoint.save(path, whole)
    except (OSError, UserError):
        return False
    return True
