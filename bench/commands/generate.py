"""`pinchpoint generate`: text from a trained model."""

from pathlib import Path

import click

_EPILOG = """
\b
Examples:
  pinchpoint generate my-model/model.safetensors --prompt 'The statement'
  pinchpoint generate model.safetensors --prompt 'A class' --temperature 0.8
"""


@click.command(epilog=_EPILOG)
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--prompt", required=True, help="text to continue")
@click.option(
    "-n", "--n-gen", "length", type=click.IntRange(1, 100_000), default=40, show_default=True, help="tokens at most"
)
@click.option("--temperature", type=float, default=0.0, show_default=True, help="0 takes the likeliest word; 1 draws")
@click.option("--top-k", type=int, default=None, help="draw from the k likeliest words alone")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="of what is drawn")
def command(model: Path, prompt: str, length: int, temperature: float, top_k: int | None, seed: int) -> int:
    """Print how MODEL (a file of `pinchpoint train`) continues a prompt; it stops at the end of a sentence."""
    import torch

    from model import checkpoint, tokens
    from model.architectures import LanguageModel
    from model.errors import UserError
    from model.generate import generate

    trained = checkpoint.load(model)
    if not isinstance(trained.model, LanguageModel):
        raise UserError(f"'{model}' labels texts; it continues none.", "Give it texts with `pinchpoint classify`.")
    words = [word for word in tokens.tokenize(prompt, **trained.text_options) if word != tokens.END]
    if not words:
        raise UserError("The prompt has no word in it.", "Give one or more words: --prompt 'The statement'.")
    source = torch.tensor([trained.vocabulary.encode(words)])  # (1, S)
    generator = torch.Generator().manual_seed(seed)
    codes = generate(trained.model, source, length, temperature=temperature, top_k=top_k, generator=generator)
    continued = trained.vocabulary.decode(codes[0].tolist())
    click.echo(tokens.detokenize([*words, *continued], trained.text_options))
    return 0
