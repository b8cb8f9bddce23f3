"""A decoder-only Transformer reads source and target as one sequence; each token is predicted from those before it."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from model.architectures import LanguageModel, _kv_cache
from model.architectures._blocks import Block, Embedding, block_units, initialize, make_norm
from model.architectures._kv_cache import KVCache
from model.architectures._padding import aligned, visible
from model.shapes.transformer import Config
from model.structured import Group


@dataclass(frozen=True)
class Past:
    """What a generation has read: `length` positions in each layer's cache, the first `padding` (B, 1) of them none."""

    caches: tuple[KVCache, ...]
    length: int
    padding: Tensor | None


class Transformer(LanguageModel):
    """The model of `model.shapes.transformer`; nothing stands between source and target."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.embedding = Embedding(config)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = make_norm(config)
        self.projection = nn.Linear(config.hidden, config.vocabulary, bias=False)
        initialize(self, config.layers)
        if config.tied:
            self.projection.weight = self.embedding.tokens.weight

    def forward(self, source: Tensor, target: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Logits (B, G, V); see `LanguageModel`."""
        source, padding = aligned(source, lengths)
        codes = torch.cat([source, target[:, :-1]], dim=1)  # (B, S + G - 1): what precedes the last target
        x = self._read(codes, Past((), 0, padding))[:, source.shape[1] - 1 :]  # (B, G, H)
        return self.projection(self.norm(x))  # type: ignore[no-any-return]  # torch leaves a module's call untyped

    def prefill(self, source: Tensor, lengths: Tensor | None = None, steps: int = 0) -> Past:
        """Keys and values of all but the last token of `source`, with room for `steps` more."""
        source, padding = aligned(source, lengths)
        read = source.shape[1] - 1
        caches = tuple(_kv_cache.make(self.config.kv_cache, read + steps) for _ in self.blocks)
        past = Past(caches, 0, padding)
        if read:
            self._read(source[:, :-1], past)
        return replace(past, length=read)

    def first(self, source: Tensor, lengths: Tensor | None = None) -> Tensor:
        """The source's last token (B,), which `prefill` left unread."""
        return source[:, -1] if lengths is None else source.gather(1, lengths.unsqueeze(1) - 1).squeeze(1)

    def step(self, tokens: Tensor, state: Past) -> tuple[Tensor, Past]:
        """Read `tokens` into the cache; see `LanguageModel`."""
        x = self._read(tokens.unsqueeze(1), state).squeeze(1)  # (B, H)
        return self.projection(self.norm(x)), replace(state, length=state.length + 1)  # (B, V)

    def _read(self, codes: Tensor, past: Past) -> Tensor:
        """The stream (B, T, H) over `codes` (B, T), which follow `past` and go into its caches."""
        start = past.length
        x, angles = self.embedding(codes, start, past.padding)
        mask = None if past.padding is None else visible(past.padding, start, start + codes.shape[1])
        for block, cache in zip(self.blocks, past.caches or [None] * len(self.blocks), strict=True):
            x = block(x, angles, mask, cache=cache, start=start)
        return x  # type: ignore[no-any-return]  # torch leaves a module's call untyped


def build(config: Config) -> Transformer:
    """A model of `config` with fresh weights, drawn from torch's generator."""
    return Transformer(config)


def units(config: Config) -> tuple[Group, ...]:
    """The heads and the feed-forward units of each block."""
    return tuple(group for i in range(config.layers) for group in block_units(config, f"blocks.{i}"))
