"""Classifiers: an encoder, the mean of its states, a linear head over labels. What they cost, and the floor to beat.

The floor is a bag of words: the mean of the embeddings, without any layer (Joulin et al., 2017, fastText).
"""

from dataclasses import dataclass

from model.errors import Unsupported
from model.shapes import Costs, Work, _convolution, _recurrent, _transformer, lstm, rnn
from model.shapes._dimensions import check_choice, check_counts, check_share
from model.shapes._operators import (
    Operator,
    cross_entropy,
    elementwise,
    inference,
    linear,
    lookup,
    table_gradient,
    training,
)

LABELS_TEXTS = True

ENCODERS = ("bag-of-words", "cnn", "lstm", "rnn", "transformer")

#: Neighbours that a convolution sees (Kim, 2014, takes 3 to 5).
KERNEL = 3


@dataclass(frozen=True)
class Config:
    """Rows of the embedding, width of everything, layers of the encoder, labels, and which encoder it is.

    `heads` matter to the Transformer alone, which has rotary positions, SwiGLU and RMSNorm; a bag of words has no
    layers. Raises `UserError` for a dimension that cannot be.
    """

    vocabulary: int
    hidden: int
    layers: int
    classes: int = 2
    encoder: str = "transformer"
    heads: int = 4
    dropout: float = 0.0

    def __post_init__(self) -> None:
        check_choice(self, "encoder", ENCODERS)
        check_counts(self, ("vocabulary", "hidden", "layers", "classes", "heads"))
        check_share(self, "dropout")
        if self.encoder == "transformer":
            _ = self.transformer  # checks what the heads allow

    @property
    def transformer(self) -> _transformer.Config:
        """The dimensions of a Transformer as encoder."""
        return _transformer.Config(self.vocabulary, self.hidden, self.layers, self.heads, dropout=self.dropout)

    @property
    def recurrent(self) -> _recurrent.Config:
        """The dimensions of a recurrent encoder."""
        return _recurrent.Config(self.vocabulary, self.hidden, self.hidden, self.layers, self.dropout)


#: With as many classes as the default texts have labels, the chapters of `model.labelled`.
PRESETS = {
    "nano": Config(vocabulary=4096, hidden=128, layers=2, classes=4),
    "tiny": Config(vocabulary=8192, hidden=256, layers=4, classes=4),
    "small": Config(vocabulary=16384, hidden=512, layers=6, classes=4, heads=8),
    "base": Config(vocabulary=32768, hidden=768, layers=12, classes=4, heads=12),
}

CELLS = {"lstm": lstm.CELL, "rnn": rnn.CELL}


def costs(config: Config, work: Work) -> Costs:
    """Exact counts for one iteration of `work`; operators as `model.shapes._operators` counts them.

    `train` is one optimizer step over B texts of S tokens, graded on one label each; `prefill` labels B such texts.
    Raises `Unsupported` for `decode`: a classifier generates nothing.
    """
    if work.phase == "decode":
        raise Unsupported("A classifier labels texts; it generates none.")
    batch, tokens = work.batch_size, work.batch_size * work.sequence_length
    forward = (
        lookup(work, tokens, config.hidden)
        + _encoder(config, work)
        + _mean(config, work)
        + linear(work, batch, config.hidden, config.classes)
    )
    if work.phase == "train":
        table = table_gradient(work, config.vocabulary * config.hidden, lookups=1, tied=False)
        step = forward + cross_entropy(work, batch, config.classes) + table
        return training(work, _parameters(config), tokens, step)
    used = _parameters(config) - config.vocabulary * config.hidden
    transient = _transient_bytes(config, work)
    return inference(work, _parameters(config), used, tokens, forward, transient_B=transient, state_B=0)


def _parameters(config: Config) -> int:
    head = (config.hidden + 1) * config.classes
    return config.vocabulary * config.hidden + _encoder_parameters(config) + head


def _encoder_parameters(config: Config) -> int:
    if config.encoder == "transformer":
        shape = config.transformer
        return config.layers * _transformer.block_parameters(shape) + _transformer.norm_parameters(shape)
    if config.encoder == "cnn":
        return _convolution.stack_parameters(config.recurrent.inputs, config.hidden, KERNEL)
    if config.encoder in CELLS:
        return _recurrent.stack_parameters(CELLS[config.encoder], config.recurrent)
    return 0


def _encoder(config: Config, work: Work) -> Operator:
    batch, read = work.batch_size, work.sequence_length
    if config.encoder == "transformer":
        shape = config.transformer
        block = (
            _transformer.self_attention(shape, work, batch, read)
            + _transformer.attend(shape, work, batch, read, read)
            + _transformer.feed_forward(shape, work, batch * read)
        )
        return block * config.layers + _transformer.norm(shape, work, batch * read)
    if config.encoder == "cnn":
        return _convolution.stack(work, config.recurrent.inputs, config.hidden, KERNEL, batch, read)
    if config.encoder in CELLS:
        return _recurrent.stack(CELLS[config.encoder], config.recurrent, work, batch, read, from_zero=True)
    return Operator()


def _mean(config: Config, work: Work) -> Operator:
    """The mean over the states that the encoder leaves."""
    left = work.sequence_length
    if config.encoder == "cnn":
        *_, left = _convolution.lengths(left, config.layers)
    values, mean = work.batch_size * left * config.hidden, work.batch_size * config.hidden
    return elementwise(work, values, mean, backward=values + mean)


def _transient_bytes(config: Config, work: Work) -> int:
    batch, read, activation = work.batch_size, work.sequence_length, work.activation_itemsize
    if config.encoder == "transformer":
        return _transformer.block_transient(config.transformer, batch * read) * activation
    if config.encoder == "cnn":
        return batch * _convolution.transient_bytes(work, config.recurrent.inputs, config.hidden, read)
    if config.encoder in CELLS:
        return CELLS[config.encoder].transient(config.recurrent, batch, read, work)
    # the embedded tokens and their mean
    return batch * (read + 1) * config.hidden * activation
