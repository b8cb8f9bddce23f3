"""A decoder-only Transformer reads source and target as one sequence; each token is predicted from those before it."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from model.architectures import LanguageModel, _kv_cache
from model.architectures._blocks import Angles, Block, Rotary, initialize, make_norm
from model.architectures._kv_cache import KVCache
from model.errors import Unsupported
from model.shapes.transformer import Config


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
        self.embedding = nn.Embedding(config.vocabulary, config.hidden)
        learned = config.positions == "learned"
        self.positions = nn.Embedding(config.context, config.hidden) if learned else None
        self.rotary = None if learned else Rotary(config.head_dim, config.rotary_base)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = make_norm(config)
        self.projection = nn.Linear(config.hidden, config.vocabulary, bias=False)
        initialize(self, config.layers)
        if config.tied:
            self.projection.weight = self.embedding.weight

    def forward(self, source: Tensor, target: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Logits (B, G, V); see `LanguageModel`."""
        source, padding = _aligned(source, lengths)
        codes = torch.cat([source, target[:, :-1]], dim=1)  # (B, S + G - 1): what precedes the last target
        x = self._read(codes, Past((), 0, padding))[:, source.shape[1] - 1 :]  # (B, G, H)
        return self.projection(self.norm(x))  # type: ignore[no-any-return]  # torch leaves a module's call untyped

    def prefill(self, source: Tensor, lengths: Tensor | None = None, steps: int = 0) -> Past:
        """Keys and values of all but the last token of `source`, with room for `steps` more."""
        source, padding = _aligned(source, lengths)
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
        start, end = past.length, past.length + codes.shape[1]
        x, angles = self._placed(self.embedding(codes), past, end)
        mask = None if past.padding is None else _visible(past.padding, start, end)
        for block, cache in zip(self.blocks, past.caches or [None] * len(self.blocks), strict=True):
            x = block(x, angles, mask, cache=cache, start=start)
        return x

    def _placed(self, x: Tensor, past: Past, end: int) -> tuple[Tensor, Angles | None]:
        """The embedded tokens (B, T, H) with their positions added, or the angles that say them."""
        positions: slice | Tensor = slice(past.length, end)
        if past.padding is not None:  # the first token that is none stands at 0
            positions = (torch.arange(past.length, end, device=x.device) - past.padding).clamp(min=0)  # (B, T)
        if self.rotary is not None:
            return self.dropout(x), self.rotary.angles(positions, end, x.device)
        assert self.positions is not None
        table = self.positions.weight  # (context, H)
        if end > len(table):
            raise Unsupported(f"The model has learned {len(table)} positions; this sequence takes {end}.")
        return self.dropout(x + table[positions]), None


def _aligned(source: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """`source` (B, S) with its padding moved to the front, so that the target follows, and how much (B, 1) that is."""
    if lengths is None:
        return source, None
    padding = source.shape[1] - lengths.to(source.device).unsqueeze(1)  # (B, 1)
    moved = (torch.arange(source.shape[1], device=source.device) - padding) % source.shape[1]  # (B, S)
    return source.gather(1, moved), padding


def _visible(padding: Tensor, start: int, end: int) -> Tensor:
    """Which keys 0..end each query start..end may look at: (B, 1, T, L), true where it may."""
    queries = torch.arange(start, end, device=padding.device).unsqueeze(1)  # (T, 1)
    keys = torch.arange(end, device=padding.device)  # (L,)
    real = keys >= padding.unsqueeze(1)  # (B, 1, L)
    # padding looks at itself: a query without any key would be NaN
    return ((keys <= queries) & (real | (keys == queries))).unsqueeze(1)


def build(config: Config) -> Transformer:
    """A model of `config` with fresh weights, drawn from torch's generator."""
    return Transformer(config)
