"""Models of transformers, behind our own interface: decoder-only and encoder-decoder, from a folder or the hub."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from model.architectures import LanguageModel
from model.architectures._padding import aligned
from model.errors import Unsupported, UserError
from model.shapes.hf import Config


@dataclass(frozen=True)
class Past:
    """transformers' cache with `length` tokens read, and a mask (B, L) of what is real, None where all is.

    `encoded` is the encoder's output, of a model that has one.
    """

    cache: Any
    length: int
    mask: Tensor | None
    encoded: Any = None


class Causal(LanguageModel):
    """A decoder-only model; source and target are one sequence, as in `model.architectures.transformer`."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, source: Tensor, target: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Logits (B, G, V); see `LanguageModel`."""
        source, padding = aligned(source, lengths)
        codes = torch.cat([source, target[:, :-1]], dim=1)  # (B, S + G - 1)
        placed = _placed(_real(codes, padding), 0)
        output = self.model(codes, use_cache=False, logits_to_keep=target.shape[1], **placed)
        return output.logits  # type: ignore[no-any-return]  # transformers is left untyped

    def prefill(self, source: Tensor, lengths: Tensor | None = None, steps: int = 0) -> Past:
        """transformers' dynamic cache after all but the last token of `source`; it grows with each step."""
        import transformers

        source, padding = aligned(source, lengths)
        read = source[:, :-1]
        past = Past(transformers.DynamicCache(config=self.model.config), read.shape[1], _real(read, padding))
        if past.length:
            self.model.base_model(read, past_key_values=past.cache, use_cache=True, **_placed(past.mask, 0))
        return past

    def first(self, source: Tensor, lengths: Tensor | None = None) -> Tensor:
        """The source's last token (B,), which `prefill` left unread."""
        return source[:, -1] if lengths is None else source.gather(1, lengths.unsqueeze(1) - 1).squeeze(1)

    def step(self, tokens: Tensor, state: Past) -> tuple[Tensor, Past]:
        """Read `tokens` into the cache; see `LanguageModel`."""
        _rewind(state)
        mask = state.mask
        if mask is not None:
            mask = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)  # (B, L + 1)
        placed = _placed(mask, state.length)
        output = self.model(tokens.unsqueeze(1), past_key_values=state.cache, use_cache=True, **placed)
        return output.logits[:, -1], replace(state, length=state.length + 1, mask=mask)  # (B, V)


class EncoderDecoder(LanguageModel):
    """A sequence-to-sequence model; its decoder begins with the token that its configuration names."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, source: Tensor, target: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Logits (B, G, V); see `LanguageModel`."""
        before = torch.cat([self.first(source).unsqueeze(1), target[:, :-1]], dim=1)  # (B, G)
        mask = _mask(source, lengths)
        output = self.model(source, attention_mask=mask, decoder_input_ids=before, use_cache=False)
        return output.logits  # type: ignore[no-any-return]  # transformers is left untyped

    def prefill(self, source: Tensor, lengths: Tensor | None = None, steps: int = 0) -> Past:
        """The encoder's output and an empty cache, which grows with each step."""
        import transformers

        mask = _mask(source, lengths)
        encoded = self.model.get_encoder()(source, attention_mask=mask)
        settings = self.model.config
        own, cross = (transformers.DynamicCache(config=settings) for _ in range(2))
        return Past(transformers.EncoderDecoderCache(own, cross), 0, mask, encoded)

    def first(self, source: Tensor, lengths: Tensor | None = None) -> Tensor:
        """The decoder's first token (B,)."""
        return source.new_full((len(source),), self.model.config.decoder_start_token_id)

    def step(self, tokens: Tensor, state: Past) -> tuple[Tensor, Past]:
        """One step of the decoder; see `LanguageModel`."""
        _rewind(state)
        output = self.model(
            encoder_outputs=state.encoded,
            attention_mask=state.mask,
            decoder_input_ids=tokens.unsqueeze(1),
            past_key_values=state.cache,
            use_cache=True,
        )
        return output.logits[:, -1], replace(state, length=state.length + 1)  # (B, V)


def _rewind(state: Past) -> None:
    """Forget what was read after `state`: transformers' cache is shared by all states of a generation."""
    surplus = state.cache.get_seq_length() - state.length
    if surplus > 0:
        state.cache.crop(-surplus)


def _mask(source: Tensor, lengths: Tensor | None) -> Tensor | None:
    """Which of `source` (B, S) is real, (B, S) of 0 and 1."""
    if lengths is None:
        return None
    positions = torch.arange(source.shape[1], device=source.device)  # (S,)
    return (positions < lengths.to(source.device).unsqueeze(1)).long()


def _real(codes: Tensor, padding: Tensor | None) -> Tensor | None:
    """Which of `codes` (B, T) is real, (B, T) of 0 and 1, given the padding (B, 1) before them."""
    if padding is None:
        return None
    return (torch.arange(codes.shape[1], device=codes.device) >= padding).long()


def _placed(mask: Tensor | None, start: int) -> dict[str, Tensor]:
    """Mask and positions from `start` on, for tokens with padding before them; nothing where there is none."""
    if mask is None:
        return {}
    positions = (mask.cumsum(dim=1) - 1).clamp(min=0)  # (B, L)
    return {"attention_mask": mask, "position_ids": positions[:, start:]}


def fetch(config: Config) -> Config:
    """`config` with the folder of its files: itself, or the hub's copy, downloaded where it is not kept yet.

    Safetensors and settings alone are fetched, and code only with `trust_remote_code`. Raises `UserError` where the
    hub cannot be reached or has no such model, `Unsupported` without the extra `hf`.
    """
    _require()
    if Path(config.path).is_dir():
        return config
    from huggingface_hub import snapshot_download

    patterns = ["*.json", "*.safetensors", *(["*.py"] if config.trust_remote_code else [])]
    try:
        # the variable is read here, so that it need not be set before the first import
        folder = snapshot_download(config.path, allow_patterns=patterns, endpoint=os.environ.get("HF_ENDPOINT"))
    except Exception as error:  # httpx', the hub's and Python's own errors all mean the same to the user
        raise UserError(
            f"'{config.path}' is no folder, and the hub did not give it ({type(error).__name__}).",
            "Check the name and the network, or give the folder of a model that was downloaded before.",
        ) from error
    return replace(config, path=folder)


def _require() -> None:
    try:
        import transformers  # noqa: F401 - asked for its presence alone
    except ImportError as error:
        raise Unsupported("transformers is not installed: pip install 'pinchpoint[hf]'.") from error


def build(config: Config) -> LanguageModel:
    """The model at `config.path` in fp32 on the CPU, in evaluation mode. Weights are read from safetensors alone.

    Raises `UserError` for a model that cannot be had, has no safetensors, or brings code that nobody has allowed;
    `Unsupported` without the extra `hf`.
    """
    folder = fetch(config)
    with _explained(config):
        settings, kind, options = _open(folder)
        model = kind.from_pretrained(folder.path, use_safetensors=True, dtype=torch.float32, **options)
    return EncoderDecoder(model).eval() if settings.is_encoder_decoder else Causal(model).eval()


def rehearse(config: Config) -> None:
    """Load the code that `build` will need: the same model, with neither weights nor memory. Raises as `build` does."""
    folder = fetch(config)
    with _explained(config), torch.device("meta"):
        settings, kind, options = _open(folder)
        kind.from_config(settings, trust_remote_code=options["trust_remote_code"])


def _open(folder: Config) -> tuple[Any, Any, dict[str, bool]]:
    """transformers' configuration of the model, the class that builds it, and the options for either."""
    import transformers

    options = {"local_files_only": True, "trust_remote_code": folder.trust_remote_code}
    settings = transformers.AutoConfig.from_pretrained(folder.path, **options)
    both = settings.is_encoder_decoder
    return settings, transformers.AutoModelForSeq2SeqLM if both else transformers.AutoModelForCausalLM, options


@contextmanager
def _explained(config: Config) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, KeyError) as error:
        said = " ".join(str(error).split())[:300].rstrip(".")
        raise UserError(
            f"The model '{config.path}' cannot be loaded: {said}.",
            "It needs config.json and .safetensors files; code of its own runs only with --trust-remote-code.",
        ) from error
