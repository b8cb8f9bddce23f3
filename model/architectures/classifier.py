"""Classifiers: an encoder reads the text, and a linear head over the mean of its states scores the labels."""

from torch import Tensor, nn

from model.architectures import Classifier
from model.architectures._blocks import Block, Embedding, initialize, make_norm
from model.architectures._convolution import Convolutions
from model.architectures._padding import mean, real
from model.architectures._recurrent import INITIAL_RANGE, encode, layers
from model.shapes.classifier import KERNEL, Config

CELLS = {"lstm": nn.LSTM, "rnn": nn.RNN}

#: States (B, T, H) and their true lengths (B,), None where none are padded.
States = tuple[Tensor, Tensor | None]


class PooledClassifier(Classifier):
    """The model of `model.shapes.classifier`."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.encoder = make_encoder(config)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(config.hidden, config.classes)

    def forward(self, source: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Logits (B, classes); see `Classifier`."""
        pooled = mean(*self.encoder(source, lengths))  # (B, H)
        return self.head(self.dropout(pooled))  # type: ignore[no-any-return]  # torch leaves a module's call untyped


class Words(nn.Module):
    """Embedded tokens; by themselves, the encoder of a bag of words."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.embedding = nn.Embedding(config.vocabulary, config.hidden)
        self.dropout = nn.Dropout(config.dropout)
        nn.init.uniform_(self.embedding.weight, -INITIAL_RANGE, INITIAL_RANGE)

    def forward(self, source: Tensor, lengths: Tensor | None) -> States:
        """States (B, S, H) of `source` (B, S)."""
        return self.dropout(self.embedding(source)), lengths


class RecurrentEncoder(Words):
    """A stack of recurrent layers; its states at every step."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.layers = layers(CELLS[config.encoder], config.recurrent)

    def forward(self, source: Tensor, lengths: Tensor | None) -> States:
        """States (B, S, H) of `source` (B, S)."""
        embedded, _ = super().forward(source, lengths)
        return encode(self.layers, embedded, lengths)[0], lengths


class ConvolutionalEncoder(Words):
    """Convolutions with pooling."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.layers = Convolutions(config.recurrent.inputs, config.hidden, KERNEL)

    def forward(self, source: Tensor, lengths: Tensor | None) -> States:
        """States (B, T, H) of `source` (B, S), T being what pooling leaves."""
        embedded, _ = super().forward(source, lengths)
        return self.layers(embedded, lengths)  # type: ignore[no-any-return]  # torch leaves a module's call untyped


class TransformerEncoder(nn.Module):
    """Transformer blocks that look in both directions."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        shape = config.transformer
        self.embedding = Embedding(shape)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = make_norm(shape)
        initialize(self, shape.layers)

    def forward(self, source: Tensor, lengths: Tensor | None) -> States:
        """States (B, S, H) of `source` (B, S)."""
        x, angles = self.embedding(source, 0)  # (B, S, H)
        mask = real(source, lengths)  # (B, 1, 1, S)
        for block in self.blocks:
            x = block(x, angles, mask, causal=False)
        return self.norm(x), lengths


def make_encoder(config: Config) -> nn.Module:
    """The encoder that `config` names."""
    if config.encoder == "transformer":
        return TransformerEncoder(config)
    if config.encoder == "cnn":
        return ConvolutionalEncoder(config)
    if config.encoder in CELLS:
        return RecurrentEncoder(config)
    return Words(config)


def build(config: Config) -> PooledClassifier:
    """A model of `config` with fresh weights, drawn from torch's generator."""
    return PooledClassifier(config)
