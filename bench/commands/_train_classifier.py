"""What `pinchpoint train` does for a model that labels texts."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    import torch

    from model.quality import Classification
    from model.tokens import TokenOptions
    from model.train import Plan


def train(
    config: Any, labels: Path | None, options: "TokenOptions", plan: "Plan", device: "torch.device", folder: Path
) -> None:
    """Train it; print the loss per epoch and how well each label is found; save model.safetensors in `folder`."""
    import torch
    from torch.nn import functional as F

    from model import architectures, checkpoint, classifier_parents, classify, labelled, precision, quality

    data = labelled.load(labels, config.vocabulary, **options)
    built = architectures.build_classifier(classifier_parents.ARCHITECTURE, config).to(device)
    model = precision.apply(built, plan.precision, device, training=True)
    chosen = classify.Plan(
        epochs=plan.epochs,
        batch_size=plan.batch_size,
        longest=plan.sequence_length,
        optimizer=plan.optimizer,
        learning_rate=plan.learning_rate,
        weight_decay=plan.weight_decay,
        seed=plan.seed,
        precision=plan.precision,
    )
    expected = torch.tensor([example.label for example in data.held_out])  # (N,)

    def print_epoch(number: int, loss: float) -> None:
        found = classify.scores(model, data.held_out, chosen)  # (N, classes)
        held_out, right = F.cross_entropy(found, expected).item(), found.argmax(dim=-1) == expected
        click.echo(f"{number:>5}  {loss:>10.3f}  {held_out:>13.3f}  {right.float().mean():>17.1%}")

    click.echo(f"{data.description}: {len(data.train):,} texts to train on, {len(data.held_out):,} held out.")
    click.echo("epoch  train loss  held-out loss  held-out accuracy")
    classify.fit(model, data.train, chosen, print_epoch)
    _print_scores(quality.classification(expected, classify.predict(model, data.held_out, chosen), data.labels))
    path = folder / "model.safetensors"
    kept = checkpoint.Checkpoint(
        model, classifier_parents.ARCHITECTURE, config, data.vocabulary, options, labels=data.labels
    )
    checkpoint.save(path, kept)
    click.echo(f"Model: {path}")


def _print_scores(found: "Classification") -> None:
    click.echo("\nprecision  recall     F1  texts  label")
    for each in found.classes:
        click.echo(f"{each.precision:>9.2f}  {each.recall:>6.2f}  {each.f1:>5.2f}  {each.support:>5}  {each.name}")
    macro = (found.macro_precision, found.macro_recall, found.macro_f1)
    click.echo("{:>9.2f}  {:>6.2f}  {:>5.2f}  {:>5}  mean".format(*macro, found.examples))
