"""`pinchpoint train`: train a reference model on real text, and keep it."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench import axes, files, points
from bench.commands import _inputs, _options
from bench.errors import UserError
from bench.inputs import Inputs
from bench.record import Value
from model import shapes

if TYPE_CHECKING:
    import torch

    from model.tokens import TokenOptions
    from model.train import Epoch, Plan

_AXES = (
    "architecture",
    "size",
    "batch_size",
    "sequence_length",
    "generated_length",
    "vocabulary",
    "embedding",
    "hidden",
    "layers",
    "encoder",
    "heads",
    "dropout",
    "optimizer",
    "learning_rate",
    "precision",
    "device",
    "threads",
    "seed",
)
#: A model is trained with more than the benchmark's batch of one.
_BATCH_SIZE = 16

_EPILOG = """
\b
Examples:
  pinchpoint train
  pinchpoint train -s tiny --epochs 5 --corpus texts/ --output-dir my-model
  pinchpoint train --corpus 红楼梦.txt --language chinese
  pinchpoint train -a classifier --labels reviews.tsv
  pinchpoint generate my-model/model.safetensors --prompt 'The statement'
"""


@click.command(epilog=_EPILOG)
@_options.axis_options(*_AXES, several=False)
@click.option("--epochs", type=click.IntRange(1, 10_000), default=3, show_default=True, help="passes over the text")
@click.option("--weight-decay", type=click.FloatRange(0, 1), default=0.01, show_default=True, help="of the optimizer")
@_options.text_options
@_options.corpus
@_inputs.labels
@_options.output_dir
def command(epochs: int, weight_decay: float, corpus: Path | None, labels: Path | None, **flags: Any) -> int:
    """Train a model; print and plot the loss per epoch; save model.safetensors."""
    values = {"batch_size": _BATCH_SIZE} | _options.given(flags, axes.AXES)
    point = points.point({name: axes.find(name).parse(value) for name, value in values.items()})  # type: ignore[arg-type]
    chosen, folder = point.axes, flags["output_dir"]
    config, plan = _checked(chosen, corpus, labels), _plan(chosen, epochs, weight_decay)
    files.make_folder(folder)  # one that cannot be written is told before an hour of training

    import torch

    from bench import devices

    device = devices.resolve(str(chosen["device"]))
    devices.set_threads(chosen["threads"])
    torch.manual_seed(int(chosen["seed"]))
    options = _options.tokens_of(flags)
    if shapes.labels_texts(str(chosen["architecture"])):
        from bench.commands import _train_classifier

        _train_classifier.train(config, labels, options, plan, device, folder)
    else:
        _train(str(chosen["architecture"]), config, corpus, options, plan, device, folder)
    return 0


def _checked(chosen: Mapping[str, Value], corpus: Path | None, labels: Path | None) -> Any:
    """The Config of what is to be trained. Raises `UserError` for what cannot be, before a folder is made."""
    architecture = str(chosen["architecture"])
    if architecture == "hf":
        ours = ", ".join(name for name in shapes.names() if name != "hf")
        raise UserError("A model of transformers comes trained.", f"Choose one of ours: {ours}.")
    if labels is not None and not shapes.labels_texts(architecture):
        raise UserError(f"The architecture '{architecture}' labels no texts.", "Add -a classifier, or give --corpus.")
    if corpus is not None and shapes.labels_texts(architecture):
        raise UserError("A classifier is trained on labelled texts.", "Give --labels FILE.tsv in place of --corpus.")
    given, classes = _inputs.read_labels(labels)
    return points.config(chosen, Inputs(given, classes))


def _plan(chosen: Mapping[str, Value], epochs: int, weight_decay: float) -> "Plan":
    from model.train import Plan

    return Plan(
        epochs=epochs,
        batch_size=int(chosen["batch_size"]),
        sequence_length=int(chosen["sequence_length"]),
        generated_length=int(chosen["generated_length"]),
        optimizer=str(chosen["optimizer"]),
        learning_rate=float(chosen["learning_rate"]),
        weight_decay=weight_decay,
        precision=str(chosen["precision"]),
        seed=int(chosen["seed"]),
    )


def _train(
    architecture: str,
    config: Any,
    corpus: Path | None,
    options: "TokenOptions",
    plan: "Plan",
    device: "torch.device",
    folder: Path,
) -> None:
    from bench.executors.local import cache_folder
    from model import architectures, checkpoint, precision, text, train
    from reports import plots

    read = text.load(corpus, config.vocabulary, **options, cache=cache_folder())
    model = architectures.build(architecture, config).to(device)
    model = precision.apply(model, plan.precision, device, training=True)
    click.echo(f"{read.description}: {len(read.train):,} tokens to train on, {len(read.held_out):,} held out.")
    click.echo("epoch  train loss  held-out loss  held-out perplexity")
    history = train.fit(model, read, plan, _print_epoch)
    plot = plots.loss_curve([e.train_loss for e in history], [e.held_out_loss for e in history])
    files.write(folder / "loss.svg", plot)
    path = folder / "model.safetensors"
    checkpoint.save(path, checkpoint.Checkpoint(model, architecture, config, read.vocabulary, options))
    click.echo(f"Model: {path}\nPlot:  {folder / 'loss.svg'}")


def _print_epoch(epoch: "Epoch") -> None:
    import math

    perplexity = math.exp(min(epoch.held_out_loss, 700))  # exp(709) is the largest float
    click.echo(f"{epoch.number:>5}  {epoch.train_loss:>10.3f}  {epoch.held_out_loss:>13.3f}  {perplexity:>19.1f}")
