"""`pinchpoint train`: train a reference model on real text, and keep it."""

from pathlib import Path
from typing import Any

import click

from bench import axes, files, points
from bench.commands import _options

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
  pinchpoint generate my-model/model.safetensors --prompt 'The statement'
"""


@click.command(epilog=_EPILOG)
@_options.axis_options(*_AXES, several=False)
@click.option("--epochs", type=click.IntRange(1, 10_000), default=3, show_default=True, help="passes over the text")
@click.option("--weight-decay", type=click.FloatRange(0, 1), default=0.01, show_default=True, help="of the optimizer")
@click.option("--without-stop-words", is_flag=True, help="leave out the commonest English words")
@click.option("--stems", is_flag=True, help="train on word stems (Snowball)")
@_options.corpus
@_options.output_dir
def command(
    epochs: int,
    weight_decay: float,
    without_stop_words: bool,
    stems: bool,
    corpus: Path | None,
    output_dir: Path,
    **flags: Any,
) -> int:
    """Train a model; print and plot the loss per epoch; save model.safetensors."""
    values = {"batch_size": _BATCH_SIZE} | _options.given(flags, axes.AXES)
    point = points.point({name: axes.find(name).parse(value) for name, value in values.items()})  # type: ignore[arg-type]
    files.make_folder(output_dir)  # one that cannot be written is told before an hour of training

    import torch

    from bench import devices
    from bench.executors.local import cache_folder
    from model import architectures, checkpoint, precision, text, train
    from model.tokens import TokenOptions
    from reports import plots

    chosen = point.axes
    device = devices.resolve(str(chosen["device"]))
    devices.set_threads(chosen["threads"])
    torch.manual_seed(int(chosen["seed"]))
    config = points.config(chosen)
    options: TokenOptions = {"stop_words": without_stop_words, "stems": stems}
    read = text.load(corpus, config.vocabulary, **options, cache=cache_folder())
    plan = train.Plan(
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
    model = architectures.build(str(chosen["architecture"]), config).to(device)
    model = precision.apply(model, plan.precision, device, training=True)
    click.echo(f"{read.description}: {len(read.train):,} tokens to train on, {len(read.held_out):,} held out.")
    click.echo("epoch  train loss  held-out loss  held-out perplexity")
    history = train.fit(model, read, plan, _print_epoch)
    files.write(
        output_dir / "loss.svg",
        plots.loss_curve([e.train_loss for e in history], [e.held_out_loss for e in history]),
    )
    path = output_dir / "model.safetensors"
    checkpoint.save(path, checkpoint.Checkpoint(model, str(chosen["architecture"]), config, read.vocabulary, options))
    click.echo(f"Model: {path}\nPlot:  {output_dir / 'loss.svg'}")
    return 0


def _print_epoch(epoch: Any) -> None:
    import math

    perplexity = math.exp(min(epoch.held_out_loss, 700))  # exp(709) is the largest float
    click.echo(f"{epoch.number:>5}  {epoch.train_loss:>10.3f}  {epoch.held_out_loss:>13.3f}  {perplexity:>19.1f}")
