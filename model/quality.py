"""What a compression costs in quality: a variant against its fp32 parent, paired token by token on held-out text."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from model import precision as precisions
from model.architectures import LanguageModel
from model.errors import UserError
from model.text import PAD, Windows

#: Resamples of the bootstrap: the standard error of a standard error from n of them is 1/sqrt(2n), here 2 %.
RESAMPLES = 1000

#: The tail of the divergence that is told beside its mean, as llama.cpp's `--kl-divergence` does.
TAIL = 0.999


@dataclass(frozen=True)
class Quality:
    """A variant beside its parent, over `tokens` graded tokens in `sequences` windows of held-out text.

    `delta_ln_perplexity` is the variant's ln perplexity less the parent's, above 0 where the variant is worse;
    `delta_ln_perplexity_se` its standard error by a block bootstrap over whole sequences, since the tokens of one are
    not independent. It says how far other sequences of such a text would move the figure; neighbours share a topic, so
    another text moves it further (blocks of 64 sequences gave 2.5 times as much on the default corpus).

    `kl_mean` and `kl_tail` are the mean and the 99.9 % quantile over tokens of KL(parent || variant) in nats;
    `same_top_1` is the share of tokens whose likeliest word is the same. Where the variant's logits are not finite on
    some token, all its figures are None and `reason` says so; None too is a perplexity that no double holds.
    """

    tokens: int
    sequences: int
    parent_perplexity: float | None
    perplexity: float | None
    delta_ln_perplexity: float | None
    delta_ln_perplexity_se: float | None
    kl_mean: float | None
    kl_tail: float | None
    same_top_1: float | None
    reason: str | None = None


@dataclass(frozen=True)
class Graded:
    """Per target, (sequences, G) each, on the CPU: whether it counts (<pad> does not), and what both models made of it.

    `parent` and `variant` are losses and `divergence` is KL(parent || variant), in nats; `same_top` is 1 where the
    likeliest word is the same, else 0.
    """

    counted: Tensor
    parent: Tensor
    variant: Tensor
    divergence: Tensor
    same_top: Tensor

    def deltas(self) -> Tensor:
        """The variant's loss less the parent's, summed over each sequence: (sequences,)."""
        return torch.where(self.counted, self.variant - self.parent, 0.0).sum(1)


def compare(
    parent: LanguageModel,
    variant: LanguageModel,
    windows: Windows,
    *,
    batch_size: int = 32,
    precision: str = "fp32",
    cached: bool = False,
    seed: int = 0,
) -> Quality:
    """Grade `variant`, under `precision`, and `parent`, in fp32, on every target of `windows`; both on one device.

    With `cached`, the variant reads each target token after token, as it generates: what its KV cache loses counts.
    Leaves both in evaluation mode. Raises `UserError` where the parent's own logits are not finite.
    """
    graded = grade(parent, variant, windows, batch_size=batch_size, precision=precision, cached=cached)
    return summarize(graded, seed=seed)


def summarize(graded: Graded, *, seed: int = 0) -> Quality:
    """The figures of a grading; `seed` draws the bootstrap's sequences."""
    counted = graded.counted  # (sequences, G)
    tokens, sequences = int(counted.sum()), len(counted)
    broken = int((~graded.variant.isfinite() & counted).sum())
    parent_perplexity = perplexity(float(graded.parent[counted].mean()))
    if broken:
        reason = f"The variant's likelihood is not finite on {broken} of {tokens} held-out tokens."
        return Quality(tokens, sequences, parent_perplexity, None, None, None, None, None, None, reason)
    deltas, divergence = graded.deltas(), graded.divergence[counted]
    found = perplexity(float(graded.variant[counted].mean()))
    return Quality(
        tokens=tokens,
        sequences=sequences,
        parent_perplexity=parent_perplexity,
        perplexity=found,
        delta_ln_perplexity=float(deltas.sum()) / tokens,
        delta_ln_perplexity_se=standard_error(deltas, counted.sum(1), seed=seed),
        kl_mean=float(divergence.mean()),
        kl_tail=_quantile(divergence, TAIL),
        same_top_1=float(graded.same_top[counted].mean()),
        reason=None if found is not None else "The variant's perplexity is beyond what a number holds.",
    )


def perplexity(loss: float) -> float | None:
    """e to a mean loss in nats a token; None where no double holds it."""
    try:
        return math.exp(loss)
    except OverflowError:
        return None


def standard_error(totals: Tensor, counts: Tensor, *, resamples: int = RESAMPLES, seed: int = 0) -> float | None:
    """Standard error of sum(`totals`) / sum(`counts`), (sequences,) each, by drawing whole sequences again.

    The cluster bootstrap of Efron and Tibshirani (1993, section 8): every resample draws as many sequences as there
    are, with replacement. None for fewer than two sequences.
    """
    sequences = len(totals)
    if sequences < 2:
        return None
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randint(sequences, (resamples, sequences), generator=generator)
    totals, counts = totals.double().cpu(), counts.double().cpu()
    ratios = totals[drawn].sum(1) / counts[drawn].sum(1)  # (resamples,)
    return float(ratios.std())


@torch.inference_mode()
def grade(
    parent: LanguageModel,
    variant: LanguageModel,
    windows: Windows,
    *,
    batch_size: int = 32,
    precision: str = "fp32",
    cached: bool = False,
) -> Graded:
    """Run both over every window; see `compare`. Holds a batch's logits (B, G, V) of both at once, and no more."""
    device = next(parent.parameters()).device
    parent.eval()
    variant.eval()
    batches = []
    for batch in DataLoader(windows, batch_size):
        source, target = (codes.to(device) for codes in batch)
        with precisions.exact():
            expected = parent(source, target).float()  # (B, G, V)
        with precisions.autocast(precision, device):
            found = stepwise(variant, source, target) if cached else variant(source, target)
        batches.append(_grade_batch(expected, found.float(), target))
    graded = Graded(*[torch.cat(column).cpu() for column in zip(*batches, strict=True)])
    if not graded.parent[graded.counted].isfinite().all():
        raise UserError("The parent's likelihood is not finite on held-out text.", "Train it at a lower learning rate.")
    return graded


def stepwise(model: LanguageModel, source: Tensor, target: Tensor) -> Tensor:
    """Logits (B, G, V) of `target` (B, G) by prefill and one step a token, each given the true tokens before it."""
    steps = target.shape[1]
    state = model.prefill(source, steps=steps)
    given = torch.cat([model.first(source).unsqueeze(1), target[:, :-1]], dim=1)  # (B, G)
    logits = []
    for tokens in given.unbind(1):
        found, state = model.step(tokens, state)
        logits.append(found)
    return torch.stack(logits, dim=1)


def _grade_batch(expected: Tensor, found: Tensor, target: Tensor) -> tuple[Tensor, ...]:
    parent, variant = expected.log_softmax(-1), found.log_softmax(-1)  # (B, G, V)
    losses = [-logs.gather(-1, target.unsqueeze(-1)).squeeze(-1) for logs in (parent, variant)]  # (B, G) each
    divergence = (parent.exp() * (parent - variant)).sum(-1).clamp(min=0)  # rounding gives -1e-7 for equal ones
    same_top = expected.argmax(-1) == found.argmax(-1)
    return (target != PAD, *[each.double() for each in (*losses, divergence, same_top)])


def _quantile(values: Tensor, share: float) -> float:
    # torch.quantile takes 16 million values at most
    return float(values.kthvalue(max(math.ceil(share * len(values)), 1)).values)


@dataclass(frozen=True)
class ClassScore:
    """Precision, recall and their harmonic mean F1 for one class that `support` examples have."""

    name: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class Classification:
    """How well labels are predicted; the macro figures are plain means over the classes that occur.

    A ratio over nothing, such as the precision of a class that was never predicted, counts as 0, as scikit-learn has
    it; `never_predicted` names those classes.
    """

    examples: int
    accuracy: float
    macro_precision: float
    macro_recall: float
    macro_f1: float
    classes: tuple[ClassScore, ...]
    never_predicted: tuple[str, ...]


def classification(labels: Tensor, predicted: Tensor, names: Sequence[str]) -> Classification:
    """Score `predicted` (n,) against `labels` (n,), both codes of `names`; a class that neither has is left out.

    Raises `UserError` where there is no example.
    """
    if not len(labels):
        raise UserError("There is no example to grade.", "Hold out at least one.")
    classes = len(names)
    confusion = torch.bincount(labels * classes + predicted, minlength=classes * classes).view(classes, classes)
    right, of_label, of_prediction = confusion.diagonal(), confusion.sum(1), confusion.sum(0)  # (classes,) each
    scores = tuple(
        _score(name, int(right[code]), int(of_label[code]), int(of_prediction[code]))
        for code, name in enumerate(names)
        if of_label[code] + of_prediction[code] > 0
    )
    return Classification(
        examples=len(labels),
        accuracy=int(right.sum()) / len(labels),
        macro_precision=sum(score.precision for score in scores) / len(scores),
        macro_recall=sum(score.recall for score in scores) / len(scores),
        macro_f1=sum(score.f1 for score in scores) / len(scores),
        classes=scores,
        never_predicted=tuple(name for code, name in enumerate(names) if of_label[code] and not of_prediction[code]),
    )


def _score(name: str, right: int, labelled: int, predicted: int) -> ClassScore:
    return ClassScore(
        name=name,
        precision=right / predicted if predicted else 0.0,
        recall=right / labelled if labelled else 0.0,
        f1=2 * right / (labelled + predicted),
        support=labelled,
    )
