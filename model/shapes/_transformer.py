"""What Transformers of all kinds share: their dimensions, and what one block costs."""

from dataclasses import dataclass, replace

from model.errors import UserError
from model.shapes import Work
from model.shapes._dimensions import check_choice, check_counts, check_flags, check_positive, check_share
from model.shapes._narrowing import left
from model.shapes._operators import Operator, attention, elementwise, linear, lookup

POSITIONS = ("learned", "rotary")
ACTIVATIONS = ("gelu", "swiglu")
NORMS = ("layer", "rms")

#: Bytes of one cached key or value by the cache's format; `auto` is the format of the activations.
KV_CACHE_ITEMSIZES = {"auto": None, "fp32": 4, "bf16": 2, "int8": 1}


@dataclass(frozen=True)
class Config:
    """Dimensions of a pre-norm Transformer (Xiong et al., 2020); GPT-2 and Llama are members of this family.

    `hidden` is the model's width, `layers` the blocks (of the encoder and of the decoder each, where there are both).
    `kv_heads` below `heads` is grouped-query attention (Ainslie et al., 2023); None has one a head. `head_dim` is the
    width of a head; None divides the model's width among the heads, and another width makes the attention narrower or
    wider than the model. `feed_forward` is the inner width; None is 4 times the width for GELU, and 8/3 times, in whole
    eights, for SwiGLU (Shazeer, 2020), which has three matrices instead of two. `context` rows of positions are
    learned; rotary ones (Su et al., 2021) have no bound. `bias` is that of every linear layer but the projection, which
    has none, and of LayerNorm. Raises `UserError` for a dimension that cannot be.
    """

    vocabulary: int
    hidden: int
    layers: int
    heads: int
    kv_heads: int | None = None
    head_dim: int | None = None
    feed_forward: int | None = None
    positions: str = "rotary"
    context: int = 1024
    activation: str = "swiglu"
    norm: str = "rms"
    tied: bool = True
    bias: bool = False
    dropout: float = 0.0
    rotary_base: float = 10_000.0
    norm_epsilon: float = 1e-5
    kv_cache: str = "auto"

    def __post_init__(self) -> None:
        optional = [name for name in ("kv_heads", "head_dim", "feed_forward") if getattr(self, name) is not None]
        check_counts(self, ("vocabulary", "hidden", "layers", "heads", "context", *optional))
        check_choice(self, "positions", POSITIONS)
        check_choice(self, "activation", ACTIVATIONS)
        check_choice(self, "norm", NORMS)
        check_choice(self, "kv_cache", tuple(KV_CACHE_ITEMSIZES))
        check_flags(self, ("tied", "bias"))
        check_share(self, "dropout")
        check_positive(self, ("rotary_base", "norm_epsilon"))
        if self.head_dim is None:
            self._check_divisible("hidden", "heads", self.heads)
        self._check_divisible("heads", "kv_heads", self.key_value_heads)
        if self.positions == "rotary" and self.head_width % 2:
            raise UserError(
                f"A head of {self.head_width} values cannot be rotated in pairs.",
                f"Give an even head_dim, hidden as an even multiple of {self.heads}, or learned positions.",
            )

    def _check_divisible(self, name: str, among: str, parts: int) -> None:
        whole = getattr(self, name)
        if whole % parts:
            raise UserError(
                f"{name} = {whole} cannot be divided among {parts} {among}.",
                f"Give a multiple of {parts}, or another number of them.",
            )

    @property
    def head_width(self) -> int:
        """Width of one head."""
        return self.hidden // self.heads if self.head_dim is None else self.head_dim

    @property
    def query_width(self) -> int:
        """Width of all queries of a token, and of what its heads find."""
        return self.heads * self.head_width

    @property
    def key_value_heads(self) -> int:
        """Heads of keys and of values."""
        return self.heads if self.kv_heads is None else self.kv_heads

    @property
    def key_value_width(self) -> int:
        """Width of all keys of a token, and of all its values."""
        return self.key_value_heads * self.head_width

    @property
    def inner(self) -> int:
        """Width inside the feed-forward layer."""
        if self.feed_forward is not None:
            return self.feed_forward
        return 4 * self.hidden if self.activation == "gelu" else -(-self.hidden // 3) * 8

    @property
    def gated(self) -> bool:
        """Whether the feed-forward layer has a gate beside its inner layer."""
        return self.activation == "swiglu"


def narrowed(config: Config, share: float) -> Config:
    """The Config after `share` of the heads and of the feed-forward units of each layer is removed.

    Heads go in whole groups: a head of keys and values with the heads of queries that look at it. Those that stay are
    as wide as they were, so the attention is then narrower than the model.
    """
    groups = left(config.key_value_heads, share)
    return replace(
        config,
        heads=groups * (config.heads // config.key_value_heads),
        kv_heads=groups,
        head_dim=config.head_width,
        feed_forward=left(config.inner, share),
    )


def stream_itemsize(work: Work) -> int:
    """Bytes of a value of the residual stream: autocast leaves sums and norms in the weights' format."""
    return max(work.weight_itemsize, work.activation_itemsize)


def linear_parameters(config: Config, width: int, out: int) -> int:
    """A linear layer of a block."""
    return width * out + (out if config.bias else 0)


def norm_parameters(config: Config) -> int:
    """A norm's scale, and LayerNorm's offset."""
    return config.hidden * (2 if config.norm == "layer" and config.bias else 1)


def attention_parameters(config: Config) -> int:
    """An attention layer: queries, keys and values in one matrix, and what mixes the heads."""
    width, queries = config.hidden, config.query_width
    return linear_parameters(config, width, queries + 2 * config.key_value_width) + linear_parameters(
        config, queries, width
    )


def feed_forward_parameters(config: Config) -> int:
    """A feed-forward layer; with a gate, its first matrix is twice as wide."""
    inner = config.inner
    return linear_parameters(config, config.hidden, (2 if config.gated else 1) * inner) + linear_parameters(
        config, inner, config.hidden
    )


def block_parameters(config: Config) -> int:
    """A block: its attention, its feed-forward layer and a norm before each."""
    return attention_parameters(config) + feed_forward_parameters(config) + 2 * norm_parameters(config)


def embedding_parameters(config: Config) -> int:
    """The table of tokens, the projection where that is another one, and the table of learned positions."""
    tables = config.vocabulary * config.hidden * (1 if config.tied else 2)
    return tables + (config.context * config.hidden if config.positions == "learned" else 0)


def norm(config: Config, work: Work, tokens: int, calls: int = 1) -> Operator:
    """A norm over `tokens` of the stream, in `calls` calls, and its cast to what products read under autocast.

    LayerNorm keeps its input, mean and deviation. On the CPU torch has no kernel of its own for RMSNorm's gradient:
    the input and the normalized input are kept, both in fp32.
    """
    stream, values = stream_itemsize(work), tokens * config.hidden
    scale = calls * norm_parameters(config) * work.weight_itemsize
    cast = values * (stream + work.activation_itemsize) if work.activation_itemsize < stream else 0
    return Operator(
        moved=scale + 2 * values * stream + cast,
        backward_moved=2 * scale + 3 * values * stream + cast,
        kept=2 * values * 4 + 4 * tokens if config.norm == "rms" else values * stream + 8 * tokens,
    )


def residual(config: Config, work: Work, tokens: int) -> Operator:
    """The sum of a layer's output and its input; backward adds the two gradients. Autograd keeps neither."""
    stream, values = stream_itemsize(work), tokens * config.hidden
    return Operator(moved=values * (2 * stream + work.activation_itemsize), backward_moved=3 * values * stream)


def rotation(config: Config, work: Work, tokens: int, width: int) -> Operator:
    """Rotary positions on queries or keys of `width`: each is read and written once, forward and backward."""
    if config.positions != "rotary":
        return Operator()
    values = tokens * width
    # v keeps the fused product's whole output alive, so the rotated copies come on top of it
    return elementwise(work, values, values, backward=2 * values, kept=values)


def feed_forward(config: Config, work: Work, tokens: int, calls: int = 1) -> Operator:
    """Norm, first matrix, activation (and gate), second matrix, residual sum."""
    inner = tokens * config.inner
    if config.gated:
        # SiLU and the product with the other half are two operators; both halves and the SiLU are kept
        active = elementwise(work, 3 * inner, 2 * inner, backward=7 * inner, kept=3 * inner)
    else:
        active = elementwise(work, inner, inner, backward=3 * inner, kept=inner)
    wide = (2 if config.gated else 1) * config.inner
    return (
        norm(config, work, tokens, calls)
        + linear(work, tokens, config.hidden, wide, bias=config.bias, calls=calls)
        + active
        + linear(work, tokens, config.inner, config.hidden, bias=config.bias, calls=calls)
        + residual(config, work, tokens)
    )


def self_attention(config: Config, work: Work, batch: int, queries: int, calls: int = 1) -> Operator:
    """Norm, queries, keys and values, rotation, heads mixed, residual sum: all but the attention itself."""
    tokens, width = batch * queries, config.query_width
    return (
        norm(config, work, tokens, calls)
        + linear(work, tokens, config.hidden, width + 2 * config.key_value_width, bias=config.bias, calls=calls)
        + rotation(config, work, tokens, width)
        + rotation(config, work, tokens, config.key_value_width)
        + linear(work, tokens, width, config.hidden, bias=config.bias, calls=calls)
        + residual(config, work, tokens)
    )


def attend(config: Config, work: Work, batch: int, queries: int, keys: int, pairs: int | None = None) -> Operator:
    """Attention of every head; `pairs` a sequence where not each of `queries` sees each of `keys`."""
    pairs = queries * keys if pairs is None else pairs
    return attention(work, batch, config.heads, config.key_value_heads, config.head_width, queries, keys, pairs)


def embedded(config: Config, work: Work, batch: int, length: int) -> Operator:
    """`length` tokens of each sequence looked up, with their positions."""
    tokens = lookup(work, batch * length, config.hidden)
    if config.positions != "learned":
        return tokens
    values, rows = batch * length * config.hidden, length * config.hidden
    # rows of positions are shared by the batch, so their gradient is a sum over it
    return (
        tokens + lookup(work, length, config.hidden) + elementwise(work, values + rows, values, backward=values + rows)
    )


def projected(config: Config, work: Work, tokens: int) -> Operator:
    """The last norm, and the projection to the vocabulary."""
    return norm(config, work, tokens) + linear(work, tokens, config.hidden, config.vocabulary, bias=False)


def block_transient(config: Config, tokens: int, copied: int = 0) -> int:
    """The most values that live at one moment within a block, when nothing is kept for backward.

    Beside the block's input, the sum after its attention and a normalized copy: in the feed-forward layer both halves,
    the SiLU and the product (without a gate: before and after the GELU); in the attention the fused product, the
    rotated queries and keys, what comes out, its copy with the heads side by side, and the `copied` values of a cache
    in another format.
    """
    queries, pair = config.query_width, 2 * config.key_value_width
    rotated = queries + pair // 2 if config.positions == "rotary" else 0
    inner = (4 if config.gated else 2) * config.inner
    attended = queries + pair + rotated + 2 * queries
    return tokens * 3 * config.hidden + max(tokens * inner, tokens * attended + copied)
