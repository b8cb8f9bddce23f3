"""An Elman RNN encoder reads the source; an Elman RNN decoder starts from its state and predicts the continuation."""

from torch import nn

from model.architectures import _recurrent
from model.architectures._recurrent import Recurrent
from model.shapes.rnn import CELL, Config
from model.structured import Group


class RNN(Recurrent):
    """The encoder-decoder of `model.shapes.rnn`."""

    def __init__(self, config: Config) -> None:
        super().__init__(config, nn.RNN)


def build(config: Config) -> RNN:
    """A model of `config` with fresh weights, drawn from torch's generator."""
    return RNN(config)


def units(config: Config) -> tuple[Group, ...]:
    """The hidden units of each layer; see `model.architectures._recurrent.units`."""
    return _recurrent.units(config, CELL.gates)
