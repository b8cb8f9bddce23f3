"""`pinchpoint classify`: what a trained classifier says of a text."""

from pathlib import Path

import click

_EPILOG = """
\b
Examples:
  pinchpoint train -a classifier --labels reviews.tsv --output-dir my-model
  pinchpoint classify my-model/model.safetensors --text 'A fine film'
"""


@click.command(epilog=_EPILOG)
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--text", required=True, help="text to label")
def command(model: Path, text: str) -> int:
    """Print the labels of MODEL (a file of `pinchpoint train -a classifier`), the likeliest for a text first."""
    import torch

    from model import checkpoint, tokens
    from model.architectures import Classifier
    from model.errors import UserError

    trained = checkpoint.load(model)
    if not isinstance(trained.model, Classifier):
        raise UserError(f"'{model}' continues texts; it labels none.", "Give it a prompt with `pinchpoint generate`.")
    words = [word for word in tokens.tokenize(text, **trained.text_options) if word != tokens.END]
    if not words:
        raise UserError("The text has no word in it.", "Give one or more words: --text 'A fine film'.")
    with torch.inference_mode():
        shares = trained.model(torch.tensor([trained.vocabulary.encode(words)]))[0].softmax(dim=-1)  # (classes,)
    for share, label in sorted(zip(shares.tolist(), trained.labels, strict=True), reverse=True):
        click.echo(f"{share:7.1%}  {label}")
    return 0
