"""The blocks that Transformers of all kinds are built of.

B, T and L are batch, queries and keys; H is the width of the stream, D of a head, Q of all heads and I of the inner
layer.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model.architectures._kv_cache import KVCache
from model.errors import Unsupported
from model.shapes._transformer import Config
from model.structured import Group, made_by, read_by

#: Standard deviation of the start of every matrix (Radford et al., 2019); GPT-2 and Llama use the same.
INITIAL_DEVIATION = 0.02

Angles = tuple[Tensor, Tensor]  # cosine and sine, (T, D/2) or (B, 1, T, D/2)


class Rotary:
    """Angles of rotary positions: pair i of a head turns by position * base^(-2i/D) (Su et al., 2021).

    Pairs are value i and value i + D/2, as in Llama. The table is kept between calls, in fp32, and no part of the
    model's state: it follows from the configuration.
    """

    def __init__(self, head_dim: int, base: float) -> None:
        self._head_dim = head_dim
        self._base = base
        self._table: Angles | None = None

    def angles(self, positions: slice | Tensor, end: int, device: torch.device) -> Angles:
        """Angles of `positions`, all below `end`: a slice gives (T, D/2), a tensor (B, T) gives (B, 1, T, D/2)."""
        if self._table is None or len(self._table[0]) < end or self._table[0].device != device:
            with torch.inference_mode(False):  # training may read the table that generation made
                self._table = self._made(end, device)
        cosine, sine = self._table
        if isinstance(positions, slice):
            return cosine[positions], sine[positions]
        return cosine[positions].unsqueeze(1), sine[positions].unsqueeze(1)

    def _made(self, end: int, device: torch.device) -> Angles:
        rows = 1 << (end - 1).bit_length()  # in powers of two, lest every step of a generation make a new one
        pairs = torch.arange(0, self._head_dim, 2, device=device, dtype=torch.float32)  # (D/2,)
        frequencies = self._base ** (-pairs / self._head_dim)  # (D/2,)
        turned = torch.arange(rows, device=device, dtype=torch.float32).unsqueeze(1) * frequencies  # (rows, D/2)
        return turned.cos(), turned.sin()


def rotate(heads: Tensor, angles: Angles) -> Tensor:
    """Turn each pair of `heads` (B, heads, T, D) by its angle; the result has the same shape and format."""
    cosine, sine = (each.to(heads.dtype) for each in angles)  # (T, D/2) or (B, 1, T, D/2)
    first, second = heads.chunk(2, dim=-1)  # (B, heads, T, D/2) each
    return torch.cat([first * cosine - second * sine, second * cosine + first * sine], dim=-1)


class Embedding(nn.Module):
    """Embedded tokens with their positions: learned ones are added, rotary ones are angles for the attention."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        learned = config.positions == "learned"
        self.tokens = nn.Embedding(config.vocabulary, config.hidden)
        self.positions = nn.Embedding(config.context, config.hidden) if learned else None
        self.rotary = None if learned else Rotary(config.head_width, config.rotary_base)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, codes: Tensor, start: int, padding: Tensor | None = None) -> tuple[Tensor, Angles | None]:
        """The stream (B, T, H) of `codes` (B, T) at positions from `start`, and the angles of rotary positions.

        With `padding` (B, 1) codes before the first real one, that one stands at position 0. Raises `Unsupported`
        where a sequence is longer than the learned positions.
        """
        end = start + codes.shape[1]
        positions: slice | Tensor = slice(start, end)
        if padding is not None:
            positions = (torch.arange(start, end, device=codes.device) - padding).clamp(min=0)  # (B, T)
        x = self.tokens(codes)  # (B, T, H)
        if self.rotary is not None:
            return self.dropout(x), self.rotary.angles(positions, end, codes.device)
        assert self.positions is not None
        table = self.positions.weight  # (context, H)
        if end > len(table):
            raise Unsupported(f"The model has learned {len(table)} positions; this sequence takes {end}.")
        return self.dropout(x + table[positions]), None


def make_norm(config: Config) -> nn.Module:
    """LayerNorm or RMSNorm (Zhang and Sennrich, 2019) over the width."""
    if config.norm == "rms":
        return nn.RMSNorm(config.hidden, eps=config.norm_epsilon)
    return nn.LayerNorm(config.hidden, eps=config.norm_epsilon, bias=config.bias)


class SelfAttention(nn.Module):
    """Multi-head or grouped-query attention of a sequence over itself and what it cached before."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.head_dim = config.head_width
        self.widths = [config.query_width, config.key_value_width, config.key_value_width]  # of queries, keys, values
        self.qkv = nn.Linear(config.hidden, sum(self.widths), bias=config.bias)
        self.out = nn.Linear(config.query_width, config.hidden, bias=config.bias)

    def forward(
        self,
        x: Tensor,
        angles: Angles | None,
        mask: Tensor | None,
        causal: bool = True,
        cache: KVCache | None = None,
        start: int = 0,
    ) -> Tensor:
        """Mix `x` (B, T, H), which stands at position `start` after what `cache` holds.

        `mask` (B, 1, T, L) is true where a query may look; without one, `causal` lets each look back and at itself.
        """
        query, key, value = (
            split_heads(part, self.head_dim) for part in self.qkv(x).split(self.widths, dim=-1)
        )  # (B, heads, T, D), and twice (B, kv_heads, T, D)
        if angles is not None:
            query, key = rotate(query, angles), rotate(key, angles)
        if cache is not None:
            key, value = cache.store(key, value, start)  # (B, kv_heads, L, D)
        mixed = attend(query, key, value, mask, causal and mask is None and x.shape[1] > 1)  # (B, T, Q)
        return self.out(mixed)  # type: ignore[no-any-return]  # torch leaves a module's call untyped


def split_heads(x: Tensor, head_dim: int) -> Tensor:
    """Heads apart: `x` (B, T, heads * D) as (B, heads, T, D)."""
    return x.view(*x.shape[:2], -1, head_dim).transpose(1, 2)


def attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
    """Attention of `query` (B, heads, T, D) over `key` and `value` (B, kv_heads, L, D): side by side, (B, T, Q)."""
    grouped = query.shape[1] != key.shape[1]
    mixed = F.scaled_dot_product_attention(
        query, key, value, attn_mask=mask, is_causal=causal, enable_gqa=grouped
    )  # (B, heads, T, D)
    return mixed.transpose(1, 2).flatten(2)


class FeedForward(nn.Module):
    """Two matrices with GELU between them (in GPT-2's tanh form), or SwiGLU: SiLU of a gate times the inner layer."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.gated = config.gated
        self.up = nn.Linear(config.hidden, (2 if self.gated else 1) * config.inner, bias=config.bias)
        self.down = nn.Linear(config.inner, config.hidden, bias=config.bias)

    def forward(self, x: Tensor) -> Tensor:
        """`x` (B, T, H), each token by itself."""
        inner = self.up(x)  # (B, T, I), or (B, T, 2I): the gate first
        if self.gated:
            gate, inner = inner.chunk(2, dim=-1)  # (B, T, I) each
            inner = F.silu(gate) * inner
        else:
            inner = F.gelu(inner, approximate="tanh")
        return self.down(inner)  # type: ignore[no-any-return]  # torch leaves a module's call untyped


class Block(nn.Module):
    """Attention, then feed-forward, each on the normalized stream and added to it (pre-norm)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.attention_norm = make_norm(config)
        self.attention = SelfAttention(config)
        self.feed_forward_norm = make_norm(config)
        self.feed_forward = FeedForward(config)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self,
        x: Tensor,
        angles: Angles | None,
        mask: Tensor | None,
        causal: bool = True,
        cache: KVCache | None = None,
        start: int = 0,
    ) -> Tensor:
        """The stream `x` (B, T, H) after this block; the rest is `SelfAttention.forward`'s."""
        x = x + self.dropout(self.attention(self.attention_norm(x), angles, mask, causal, cache, start))
        return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))  # type: ignore[no-any-return]


def initialize(model: nn.Module, layers: int) -> None:
    """Draw every matrix as GPT-2 does: normal, those that write into the stream narrower the more of them there are."""
    for name, parameter in model.named_parameters():
        if parameter.dim() > 1:
            writes = name.endswith(("out.weight", "down.weight"))
            # each of `layers` blocks adds two layers' output to the stream
            nn.init.normal_(parameter, std=INITIAL_DEVIATION / (2 * layers) ** 0.5 if writes else INITIAL_DEVIATION)
        elif name.endswith("bias"):
            nn.init.zeros_(parameter)


def block_units(config: Config, block: str) -> list[Group]:
    """The heads and the feed-forward units of the block of that name (see `model.structured`).

    A head of keys goes with its values and with the heads of queries that look at it.
    """
    queries, keys = head_members(config)
    fused = torch.cat([queries, config.query_width + keys], 1)  # the order of `SelfAttention.widths`
    inner = torch.arange(config.inner).unsqueeze(1)  # (I, 1)
    up = torch.cat([inner, config.inner + inner], 1) if config.gated else inner  # the gate's and the unit's own row
    attention = made_by(f"{block}.attention.qkv", fused, bias=config.bias)
    feed_forward = made_by(f"{block}.feed_forward.up", up, bias=config.bias)
    return [
        Group("key_value_heads", (*attention, read_by(f"{block}.attention.out", queries))),
        Group("inner", (*feed_forward, read_by(f"{block}.feed_forward.down", inner))),
    ]


def head_members(config: Config) -> tuple[Tensor, Tensor]:
    """Where each head of keys lies, with its values and with the queries that look at it.

    The places of the queries among all queries are (kv_heads, heads / kv_heads * D); those of the keys, then of the
    values, among all keys followed by all values (kv_heads, 2 * D).
    """
    heads = config.key_value_heads
    queries = torch.arange(config.query_width).view(heads, -1)  # neighbouring heads of queries share one of keys
    keys = torch.arange(config.key_value_width).view(heads, -1)
    return queries, torch.cat([keys, config.key_value_width + keys], 1)
