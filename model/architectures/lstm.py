"""An LSTM encoder reads the source; an LSTM decoder starts from its state and predicts the continuation."""

from torch import nn

from model.architectures import _recurrent
from model.architectures._recurrent import Recurrent
from model.shapes.lstm import CELL, Config
from model.structured import Group


class LSTM(Recurrent):
    """The encoder-decoder of `model.shapes.lstm`."""

    def __init__(self, config: Config) -> None:
        super().__init__(config, nn.LSTM)


def build(config: Config) -> LSTM:
    """A model of `config` with fresh weights, drawn from torch's generator."""
    return LSTM(config)


def units(config: Config) -> tuple[Group, ...]:
    """The hidden units of each layer; see `model.architectures._recurrent.units`."""
    return _recurrent.units(config, CELL.gates)
