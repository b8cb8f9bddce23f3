"""The modules that are run. Each file offers `build(config)`; its costs stand in `model/shapes/`.

What is built is a `LanguageModel`, which continues a text, or a `Classifier`, which labels it.
"""

from abc import ABC, abstractmethod
from typing import Any, cast

import torch
from torch import Tensor, nn

from model import plugins
from model.errors import Unsupported

#: What an architecture carries from step to step: a recurrent state or a KV cache. Only the architecture looks inside.
State = Any


class LanguageModel(nn.Module, ABC):
    """A model that continues a source text. S, G and V are the lengths of source and target, and the vocabulary.

    All codes are int64. `lengths` (B,) are the true lengths of a padded source; None means that none is padded.
    """

    @abstractmethod
    def forward(self, source: Tensor, target: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Logits (B, G, V) of each token of `target` (B, G), given `source` (B, S) and the targets before it."""

    @abstractmethod
    def prefill(self, source: Tensor, lengths: Tensor | None = None, steps: int = 0) -> State:
        """Read `source` (B, S): what generation starts from, with room set aside for `steps` steps (more may follow).

        A state is consumed by its first step: afterwards it may be started from anew, but two continuations of one
        state cannot take turns.
        """

    @abstractmethod
    def first(self, source: Tensor, lengths: Tensor | None = None) -> Tensor:
        """The tokens (B,) that the first step after `prefill` consumes: <bos>, or a token that prefill left unread."""

    @abstractmethod
    def step(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """Logits (B, V) of the token after `tokens` (B,), and the state after them."""


class Classifier(nn.Module, ABC):
    """A model that labels a text."""

    @abstractmethod
    def forward(self, source: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Logits (B, classes) of each text of `source` (B, S), of true `lengths` (B,) where padded."""


def build(architecture: str, config: Any, seed: int | None = None) -> LanguageModel:
    """A fresh model in fp32 on the CPU; the same `seed` gives the same weights, and None leaves torch's generator be.

    Raises `UserError` for an unknown architecture, `Unsupported` for one that continues no text.
    """
    model = build_any(architecture, config, seed)
    if not isinstance(model, LanguageModel):
        raise Unsupported(f"The architecture '{architecture}' labels texts; it continues none.")
    return model


def build_classifier(architecture: str, config: Any, seed: int | None = None) -> Classifier:
    """As `build`, for an architecture that labels texts. Raises `Unsupported` for one that does not."""
    model = build_any(architecture, config, seed)
    if not isinstance(model, Classifier):
        raise Unsupported(f"The architecture '{architecture}' continues texts; it labels none.")
    return model


def build_any(architecture: str, config: Any, seed: int | None = None) -> LanguageModel | Classifier:
    """As `build`, whichever of the two it is. Raises `UserError` for an unknown architecture."""
    module = plugins.load("model.architectures", architecture)
    if seed is not None:
        torch.manual_seed(seed)
    return cast(LanguageModel | Classifier, module.build(config))
