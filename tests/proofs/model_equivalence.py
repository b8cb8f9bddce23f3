"""The reference models compute what they say: each way to the same result gives the same result.

Checked for every architecture: decoding step by step gives the logits of the full pass, padding changes nothing, no
position sees its future, a seed decides the result, declared FLOPs and parameters are those of the modules, twenty
sentences are learned by heart, and training lowers the perplexity of held-out text of the default corpus. With
transformers installed: its GPT-2 and Llama, with the same weights, give the same logits.

The figure is the worst difference over all checks, as a multiple of its tolerance.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from model import shapes, text
from model.architectures import LanguageModel, build
from model.text import Windows, pad
from model.train import Plan, TrainingStep, fit, held_out_loss, optimizer
from tests import small_models
from tests.proofs.proof import Outcome, main, table
from tests.small_models import CONFIGS, EVERY, LEARNERS, ROWS, model_of, random_codes, stepped

#: Rows of the vocabulary of the models that are trained on the default corpus.
TRAINED_ROWS = 2000


@dataclass(frozen=True)
class Check:
    """One comparison: how far apart, and how far they may be."""

    what: str
    subject: str
    difference: float
    tolerance: float

    @property
    def relative(self) -> float:
        """The difference as a multiple of the tolerance."""
        return self.difference / self.tolerance


def _far(found: Tensor, expected: Tensor) -> float:
    return float((found.detach() - expected.detach()).abs().max())


def _decoding(model: LanguageModel, subject: str, seed: int) -> Iterator[Check]:
    source, target = random_codes(3, 15, seed=seed), random_codes(3, 12, seed=seed + 1)
    full = model(source, target)
    # rounding is relative to what is summed; a model's logits are a few units large
    tolerance = 1e-5 * max(1.0, float(full.detach().abs().max()))
    yield Check("steps with a cache = full pass", subject, _far(stepped(model, source, target), full), tolerance)
    codes, lengths, _ = pad([row[: 5 * (i + 1)].tolist() for i, row in enumerate(source)])
    alone = torch.cat([model(source[i : i + 1, : 5 * (i + 1)], target[i : i + 1]) for i in range(3)])
    yield Check("padded = alone", subject, _far(model(codes, target, lengths), alone), tolerance)
    other = target.clone()
    other[:, 8:] = (target[:, 8:] + 1) % ROWS
    yield Check("past, under another future", subject, _far(model(source, other)[:, :9], full[:, :9]), 1e-6)


def _same_seed(architecture: str, config: Any) -> Check:
    def trained() -> Tensor:
        model = build(architecture, config, seed=3)
        step = TrainingStep(model, optimizer(model, "adamw", 1e-2))
        for i in range(3):
            step(random_codes(2, 6, seed=i), random_codes(2, 4, seed=i + 9))
        return model.eval()(random_codes(2, 6), random_codes(2, 4))

    return Check("same seed, same result", architecture, _far(trained(), trained()), 1e-6)


def _costs(architecture: str, config: Any, subject: str) -> Iterator[Check]:
    model = build(architecture, config)
    batch, read, generated = 2, 9, 5
    source, target = random_codes(batch, read), random_codes(batch, generated)

    def declared(phase: shapes.Phase) -> shapes.Costs:
        return shapes.load(architecture).costs(config, shapes.Work(phase, batch, read, generated))

    def decode() -> None:
        with torch.no_grad():
            stepped(model, source, target)

    step = TrainingStep(model, optimizer(model, "adamw", 1e-3))
    parameters = sum(parameter.numel() for parameter in model.parameters())
    yield Check("parameters", subject, abs(declared("train").parameters - parameters), 0.5)
    found = small_models.counted(lambda: step(source, target))
    yield Check("FLOPs of training", subject, abs(declared("train").flops - found), 0.5)
    found = small_models.counted(decode)
    expected = declared("prefill").flops + declared("decode").flops
    yield Check("FLOPs of prefill and decoding", subject, abs(expected - found), 0.5)


def _peers() -> Iterator[Check]:
    if find_spec("transformers") is None:
        print("transformers is not installed: its GPT-2 and Llama were not compared with ours.")
        return
    from tests import peers

    for name, pair in (("GPT-2", peers.gpt2()), ("Llama", peers.llama())):
        yield Check("logits = those of transformers", name, peers.difference(*pair), 1e-4)


def _learning(read: text.Text, architecture: str, epochs: int) -> Iterator[Check]:
    yield Check("wrong tokens of 20 sentences", architecture, small_models.unlearned(architecture), 0.5)
    model = build(architecture, LEARNERS[architecture](TRAINED_ROWS), seed=0)
    plan = Plan(epochs=epochs, learning_rate=3e-3)
    windows = Windows(read.held_out, plan.sequence_length, plan.generated_length, stride=plan.generated_length)
    before = held_out_loss(model, windows, plan.batch_size)
    after = fit(model, read, plan)[-1].held_out_loss
    yield Check("held-out perplexity, after / before", architecture, math.exp(after - before), 1.0)


def checks(quick: bool) -> Iterator[Check]:
    """Every check, one after the other."""
    for architecture, option in EVERY:
        config, subject = CONFIGS[architecture][option], f"{architecture} ({option})"
        for seed in range(2 if quick else 20):
            yield from _decoding(model_of(architecture, config, seed), subject, seed)
        yield from _costs(architecture, config, subject)
        yield _same_seed(architecture, config)
    yield from _peers()
    read = text.load(None, TRAINED_ROWS)
    for architecture in LEARNERS:
        yield from _learning(read, architecture, epochs=1 if quick else 3)


def prove(quick: bool) -> Outcome:
    """Run all checks and print the worst of each kind for each model."""
    torch.set_num_threads(1)  # sums in one order
    found = list(checks(quick))
    worst: dict[tuple[str, str], Check] = {}
    for check in found:
        key = (check.what, check.subject)
        if key not in worst or check.relative > worst[key].relative:
            worst[key] = check
    rows = [
        [
            each.what,
            each.subject,
            f"{each.difference:.3g}",
            f"{each.tolerance:.3g}",
            "yes" if each.relative <= 1 else "NO",
        ]
        for each in sorted(worst.values(), key=lambda each: each.what)
    ]
    table(["check", "model", "difference", "tolerance", "holds"], rows)
    figure = max(check.relative for check in found)
    return Outcome("model_equivalence", figure, "tolerances", len(found), "<= 1", figure <= 1)


if __name__ == "__main__":
    main(prove, __doc__)
