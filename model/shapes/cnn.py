"""A convolutional encoder with an LSTM decoder: its dimensions, presets and what it costs.

Convolutions over words as in Collobert et al. (2011) and Kim (2014), the first state from their mean.
"""

from dataclasses import dataclass, replace

from model.errors import UserError
from model.shapes import Costs, Work, _convolution, _recurrent
from model.shapes._dimensions import check_counts, check_share
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
from model.shapes.lstm import CELL, untouched_workspace_bytes


@dataclass(frozen=True)
class Config:
    """Rows of the embedding, its width, channels (and width of the decoder's state), layers of either side, window.

    A convolution sees `kernel` neighbours, an odd number so that the length stays, and pooling halves the length after
    each. Raises `UserError` for a dimension that cannot be.
    """

    vocabulary: int
    embedding: int
    hidden: int
    layers: int
    kernel: int = 3
    dropout: float = 0.0

    def __post_init__(self) -> None:
        check_counts(self, ("vocabulary", "embedding", "hidden", "layers", "kernel"))
        check_share(self, "dropout")
        if self.kernel % 2 == 0:
            raise UserError(f"kernel = {self.kernel} has no middle.", "Give an odd number of neighbours.")

    @property
    def decoder(self) -> _recurrent.Config:
        """The decoder's dimensions."""
        return _recurrent.Config(self.vocabulary, self.embedding, self.hidden, self.layers, self.dropout)


#: With the vocabulary and, within 1.5 %, the parameters of the LSTM's presets.
PRESETS = {
    "nano": Config(vocabulary=4096, embedding=168, hidden=168, layers=1),  # 1,060,984 parameters
    "tiny": Config(vocabulary=8192, embedding=312, hidden=312, layers=2),  # 5,101,904
    "small": Config(vocabulary=16384, embedding=720, hidden=720, layers=2),  # 25,307,104
    "base": Config(vocabulary=32768, embedding=1320, hidden=1320, layers=3),  # 111,283,688
}


def narrowed(config: Config, share: float) -> Config:
    """The Config after `share` of the channels and of the decoder's units of each layer is removed.

    A tied embedding narrows with them.
    """
    decoder = _recurrent.narrowed(config.decoder, share)
    return replace(config, embedding=decoder.embedding, hidden=decoder.hidden)


def costs(config: Config, work: Work) -> Costs:
    """Exact counts for one iteration of `work`; operators as `model.shapes._operators` counts them.

    `train` is one optimizer step. `prefill` is the encoder's pass: convolutions over ever fewer positions, their mean,
    and the linear layer that makes the decoder's first h and c of it. `decode` is the whole generation of
    `generated_length` steps of the LSTM, as `model.shapes.lstm` counts them.
    """
    phases = {"train": _train, "prefill": _prefill, "decode": _decode}
    return phases[work.phase](config, work)


def untouched_bytes(config: Config, work: Work) -> int:
    """Bytes among `activations_B` that take no memory, as `model.shapes.lstm.untouched_bytes` estimates them."""
    return untouched_workspace_bytes(config.decoder, work, (work.generated_length,)) if work.phase == "train" else 0


def _bridge_width(config: Config) -> int:
    # h and c of every layer of the decoder
    return 2 * config.layers * config.hidden


def _encoder_parameters(config: Config) -> int:
    convolutions = _convolution.stack_parameters(config.decoder.inputs, config.hidden, config.kernel)
    return convolutions + (config.hidden + 1) * _bridge_width(config)


def _parameters(config: Config) -> int:
    tables = config.vocabulary * (config.embedding + (0 if config.decoder.tied else config.hidden))
    decoder = _recurrent.stack_parameters(CELL, config.decoder) + config.vocabulary
    return tables + _encoder_parameters(config) + decoder


def _encoder(config: Config, work: Work) -> Operator:
    batch, read = work.batch_size, work.sequence_length
    *_, left = _convolution.lengths(read, config.layers)
    values, mean = batch * left * config.hidden, batch * config.hidden
    return (
        lookup(work, batch * read, config.embedding)
        + _convolution.stack(work, config.decoder.inputs, config.hidden, config.kernel, batch, read)
        + elementwise(work, values, mean, backward=values + mean)
        + linear(work, batch, config.hidden, _bridge_width(config))
    )


def _train(config: Config, work: Work) -> Costs:
    batch, read, graded = work.batch_size, work.sequence_length, work.generated_length
    step = (
        _encoder(config, work)
        + lookup(work, batch * graded, config.embedding)
        + _recurrent.stack(CELL, config.decoder, work, batch, graded)
        # the LSTM has counted its output among what it keeps
        + linear(work, batch * graded, config.hidden, config.vocabulary, keeps_input=False)
        + cross_entropy(work, batch * graded, config.vocabulary)
        + table_gradient(work, config.vocabulary * config.embedding, lookups=2, tied=config.decoder.tied)
    )
    return training(work, _parameters(config), batch * (read + graded), step)


def _prefill(config: Config, work: Work) -> Costs:
    tokens = work.batch_size * work.sequence_length
    transient = _convolution.transient_bytes(work, config.decoder.inputs, config.hidden, work.sequence_length)
    return inference(
        work,
        _parameters(config),
        _encoder_parameters(config),
        tokens,
        _encoder(config, work),
        # the decoder's first state is made when the convolutions' transients are gone
        transient_B=max(0, work.batch_size * transient - _state_bytes(config, work)),
        state_B=_state_bytes(config, work),
    )


def _decode(config: Config, work: Work) -> Costs:
    batch, steps = work.batch_size, work.generated_length
    step = (
        lookup(work, batch, config.embedding)
        + _recurrent.stack(CELL, config.decoder, work, batch, 1)
        + linear(work, batch, config.hidden, config.vocabulary)
    )
    used = _recurrent.stack_parameters(CELL, config.decoder) + config.vocabulary * (config.hidden + 1)
    logits = batch * (config.vocabulary + config.hidden) * work.activation_itemsize
    return inference(
        work,
        _parameters(config),
        used,
        batch * steps,
        step * steps,
        transient_B=max(logits, CELL.transient(config.decoder, batch, 1, work)),
        state_B=_state_bytes(config, work),
    )


def _state_bytes(config: Config, work: Work) -> int:
    return work.batch_size * _bridge_width(config) * work.activation_itemsize
