"""Trained parents: what a compressed model's quality is measured against. Trained once each, and kept in a folder."""

import hashlib
import json
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from model import checkpoint
from model.architectures import LanguageModel, build
from model.errors import UserError
from model.text import Text, Windows
from model.tokens import TokenOptions
from model.train import Plan, TrainingStep, WarmupCosine, endless, held_out_loss, optimizer

#: Version of how parents are trained; whoever changes this file so that a parent comes out otherwise, changes it.
RECIPE = 1

#: The schedule is told how far training is in this many parts, since a budget in time knows no number of steps.
PARTS = 10_000

#: Share of a text that is held out to grade on. With a tenth of the default corpus the standard error of a difference
#: in ln perplexity is above what `tests.proofs.quality_error` promises, and a parent needs no more than what is left.
HELD_OUT_SHARE = 0.3

Clock = Callable[[], float]
_CPU = torch.device("cpu")


@dataclass(frozen=True)
class Recipe:
    """Everything that makes a parent beside its text: the seed is the plan's, for the weights as for the training.

    Training ends when `budget_s` seconds are spent or the plan's epochs are over, whichever comes first. How many steps
    that budget allows depends on the machine, so two machines' parents are not the same.
    """

    architecture: str
    config: Any
    plan: Plan = field(default_factory=Plan)
    budget_s: float = 60.0
    text_options: TokenOptions = field(default_factory=TokenOptions)

    def __post_init__(self) -> None:
        if not self.budget_s > 0:
            raise UserError(f"A training budget of {self.budget_s:g} s trains nothing.", "Give more than 0 seconds.")

    def key(self, text: Text, device: torch.device = _CPU) -> str:
        """Hash of this recipe, of the text, its codes and how they are divided, of the torch and the kind of device."""
        identity = {
            "recipe": RECIPE,
            "torch": torch.__version__,
            "machine": platform.machine(),
            "device": device.type,
            "text": text.sha256,
            "codes": [hashlib.sha256(part.numpy().data).hexdigest() for part in (text.train, text.held_out)],
            "vocabulary": text.vocabulary.words,
            "config": asdict(self.config),
            **{name: getattr(self, name) for name in ("architecture", "budget_s", "text_options")},
            "plan": asdict(self.plan),
        }
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Parent:
    """A trained model in evaluation mode on the CPU, what its training took and reached, and whether it was kept.

    `held_out_loss` is in nats a token, `seconds` are of training alone. `path` is None where it could not be kept.
    """

    model: LanguageModel
    steps: int
    seconds: float
    held_out_loss: float
    from_cache: bool
    path: Path | None = None


def hold_out(text: Text, share: float) -> Text:
    """The same text with its last `share` held out, rather than the tenth: more to grade on, less to train on.

    A standard error falls with the square root of the held-out tokens. The vocabulary stays as it was counted. Raises
    `UserError` for a share outside (0, 1).
    """
    if not 0 < share < 1:
        raise UserError(f"A share of {share:g} cannot be held out.", "Give a number between 0 and 1.")
    codes = torch.cat([text.train, text.held_out])  # (tokens,)
    cut = len(codes) - round(share * len(codes))
    return replace(text, train=codes[:cut], held_out=codes[cut:])


def parent(
    recipe: Recipe,
    text: Text,
    folder: Path | None,
    *,
    device: torch.device = _CPU,
    clock: Clock = time.monotonic,
) -> Parent:
    """The parent of `recipe` on `text`: from `folder` where it is kept, else trained now on `device` and kept there.

    A damaged file is made again; a folder that cannot be written costs the training next time, and is no error. Raises
    `UserError` where the loss is no longer finite, or the text is shorter than a window.
    """
    path = folder / f"parent-{recipe.key(text, device)[:32]}.safetensors" if folder else None
    kept = _read(path, recipe, text) if path else None
    if kept is not None:
        return kept
    model = build(recipe.architecture, recipe.config, recipe.plan.seed)
    made = _train(model.to(device), recipe, text, clock)
    if path is None or not _write(path, made, recipe, text):
        return made
    return replace(made, path=path)


def _train(model: LanguageModel, recipe: Recipe, text: Text, clock: Clock) -> Parent:
    plan = recipe.plan
    lengths = (plan.sequence_length, plan.generated_length)
    windows = Windows(text.train, *lengths, stride=plan.generated_length)
    held_out = Windows(text.held_out, *lengths, stride=plan.generated_length)
    total = plan.epochs * -(-len(windows) // plan.batch_size)
    shape = WarmupCosine(round(plan.warmup_share * PARTS), PARTS)
    began = clock()

    def progress(step: int) -> float:
        """How far training is: by steps or by time, whichever will end it."""
        return max(step / total, (clock() - began) / recipe.budget_s)

    torch.manual_seed(plan.seed)
    step = TrainingStep(
        model,
        optimizer(model, plan.optimizer, plan.learning_rate, plan.weight_decay),
        plan.precision,
        lambda number: shape(int(PARTS * min(progress(number), 1.0))),
    )
    for _ in islice(endless(step, windows, plan), total):
        if clock() - began >= recipe.budget_s:
            break
    seconds = clock() - began
    loss = held_out_loss(model, held_out, plan.batch_size, plan.precision)
    return Parent(model.eval().cpu(), step.steps, seconds, loss, from_cache=False)


def _read(path: Path, recipe: Recipe, text: Text) -> Parent | None:
    try:
        kept = checkpoint.load(path)
        told = kept.training
        if not isinstance(kept.model, LanguageModel):
            return None
        made = Parent(kept.model, int(told["steps"]), float(told["seconds"]), float(told["held_out_loss"]), True, path)
    except (UserError, KeyError):  # not there, or damaged: it is made again
        return None
    return made if (kept.config, kept.vocabulary) == (recipe.config, text.vocabulary) else None


def _write(path: Path, made: Parent, recipe: Recipe, text: Text) -> bool:
    """Whether it could be kept."""
    told = {"steps": made.steps, "seconds": made.seconds, "held_out_loss": made.held_out_loss}
    whole = checkpoint.Checkpoint(
        made.model, recipe.architecture, recipe.config, text.vocabulary, recipe.text_options, told
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        checkpoint.save(path, whole)
    except (OSError, UserError):
        return False
    return True
