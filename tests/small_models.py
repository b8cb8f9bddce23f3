"""Small models of every architecture, and what tests and proofs ask of each of them."""

import warnings
import weakref
from collections.abc import Callable
from dataclasses import replace
from itertools import chain
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from model.architectures import LanguageModel, build
from model.generate import generate
from model.shapes import cnn, lstm, rnn, seq2seq, transformer
from model.text import Vocabulary
from model.train import TrainingStep, optimizer

ROWS = 20

#: By architecture, every option that changes what is computed.
CONFIGS: dict[str, dict[str, Any]] = {
    "lstm": {
        "tied": lstm.Config(vocabulary=ROWS, embedding=8, hidden=8, layers=2),
        "untied": lstm.Config(vocabulary=ROWS, embedding=6, hidden=8, layers=1),
        "attention": lstm.Config(vocabulary=ROWS, embedding=6, hidden=8, layers=2, attention=True),
    },
    "rnn": {
        "tied": rnn.Config(vocabulary=ROWS, embedding=8, hidden=8, layers=2),
        "untied": rnn.Config(vocabulary=ROWS, embedding=6, hidden=8, layers=1),
        "attention": rnn.Config(vocabulary=ROWS, embedding=8, hidden=8, layers=1, attention=True),
    },
    "transformer": {
        "llama": transformer.Config(vocabulary=ROWS, hidden=16, layers=2, heads=4, kv_heads=2, tied=False),
        "gpt2": transformer.Config(
            vocabulary=ROWS,
            hidden=16,
            layers=2,
            heads=2,
            positions="learned",
            context=32,
            activation="gelu",
            norm="layer",
            bias=True,
        ),
        "mixed": transformer.Config(vocabulary=ROWS, hidden=12, layers=1, heads=3, kv_heads=1, bias=True),
    },
}
CONFIGS["cnn"] = {
    "tied": cnn.Config(vocabulary=ROWS, embedding=8, hidden=8, layers=2),
    "untied": cnn.Config(vocabulary=ROWS, embedding=6, hidden=8, layers=1, kernel=5),
}
CONFIGS["seq2seq"] = {
    "rotary": replace(CONFIGS["transformer"]["llama"], tied=True),
    "learned": CONFIGS["transformer"]["gpt2"],
}

# pruned, so that heads are no longer as wide together as the model
CONFIGS["transformer"]["pruned"] = transformer.narrowed(CONFIGS["transformer"]["llama"], 0.5)
CONFIGS["seq2seq"]["pruned"] = seq2seq.narrowed(CONFIGS["seq2seq"]["learned"], 0.5)

#: By architecture, a model that learns in seconds.
LEARNERS: dict[str, Callable[[int], Any]] = {
    "cnn": lambda rows: cnn.Config(rows, embedding=48, hidden=48, layers=1),
    "lstm": lambda rows: lstm.Config(rows, embedding=32, hidden=32, layers=1, attention=True),
    "rnn": lambda rows: rnn.Config(rows, embedding=32, hidden=32, layers=1),
    "seq2seq": lambda rows: seq2seq.Config(rows, hidden=32, layers=1, heads=2),
    "transformer": lambda rows: transformer.Config(rows, hidden=32, layers=2, heads=2),
}
EVERY = [(name, option) for name, options in CONFIGS.items() for option in options]


def model_of(architecture: str, config: Any, seed: int = 0) -> LanguageModel:
    """A model in evaluation mode whose weights are large enough that every part shows in the logits."""
    model = build(architecture, config, seed).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            scale = float(name.endswith("norm.weight"))  # a norm's starts at 1
            parameter.copy_(scale + 0.4 * torch.randn(parameter.shape, generator=generator))
    return model


def random_codes(*shape: int, rows: int = ROWS, seed: int = 1) -> Tensor:
    return torch.randint(4, rows, shape, generator=torch.Generator().manual_seed(seed))


def stepped(
    model: LanguageModel, source: Tensor, target: Tensor, lengths: Tensor | None = None, room: int = 0
) -> Tensor:
    """Logits (B, G, V) that decoding gives, one token of `target` at a time."""
    tokens, state = model.first(source, lengths), model.prefill(source, lengths, room)
    logits = []
    for i in range(target.shape[1]):
        row, state = model.step(tokens, state)
        logits.append(row)
        tokens = target[:, i]
    return torch.stack(logits, dim=1)


def counted(run: Callable[[], object]) -> int:
    """FLOPs that torch counts, by kernels that it sees into: oneDNN's LSTM and fused attention on the CPU count 0."""
    with warnings.catch_warnings():
        # torch says so whenever oneDNN's flags are set, on machines without an Intel GPU
        warnings.filterwarnings("ignore", "TF32 acceleration on top of oneDNN")
        return _counted(run)


def _counted(run: Callable[[], object]) -> int:
    with (
        torch.backends.mkldnn.flags(enabled=False),
        torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH),
        FlopCounterMode(display=False) as counter,
    ):
        run()
    return counter.get_total_flops()


def kept_bytes(run: Callable[[], Tensor], model: torch.nn.Module, *codes: Tensor) -> int:
    """Bytes that autograd keeps for the backward pass of what `run` returns, beside the model and what it is given."""
    own = {tensor.untyped_storage().data_ptr() for tensor in (*model.parameters(), *codes)}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        result = run()
        total = sum(kept.values())
    assert result.isfinite().all()
    return total


def unlearned(architecture: str) -> int:
    """Wrong tokens of greedy generation after learning twenty sentences of five words by heart."""
    stream = [f"w{i} w{(7 * i) % 20 + 20} w{(3 * i) % 20 + 40} w{i + 60} w{19 - i + 80}".split() for i in range(20)]
    vocabulary = Vocabulary.of(chain.from_iterable(stream), rows=200)
    codes = torch.tensor([vocabulary.encode(sentence) for sentence in stream])  # (20, 5)
    source, target = codes[:, :1], codes[:, 1:]
    model = build(architecture, LEARNERS[architecture](200), seed=0)
    step = TrainingStep(model, optimizer(model, "adamw", 1e-2))
    for _ in range(250):
        step(source, target)
    return int((generate(model, source, 4) != target).sum())


class Peak(TorchDispatchMode):
    """The most bytes that live at one moment in tensors made within this context."""

    def __init__(self) -> None:
        super().__init__()
        self._live: dict[int, int] = {}
        self.peak_B = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        # storages that an argument has are not new: views and work in place make nothing
        known = {leaf.untyped_storage()._cdata for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)}
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor) and leaf.untyped_storage()._cdata not in known:
                self._follow(leaf.untyped_storage())
        self.peak_B = max(self.peak_B, sum(self._live.values()))
        return result

    def _follow(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key not in self._live:
            self._live[key] = storage.nbytes()
            weakref.finalize(storage, self._live.pop, key, None)
