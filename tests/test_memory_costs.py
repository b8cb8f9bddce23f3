"""The memory that costs declare is the memory that torch takes on the CPU, fp32 and bf16."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from model import shapes
from model.architectures import build
from model.shapes import cnn, rnn, transformer
from tests.small_models import Peak, kept_bytes, random_codes

RNNS = [
    rnn.Config(500, 160, 160, 1),
    rnn.Config(300, 240, 120, 2),
    rnn.Config(64, 120, 240, 2),
    rnn.Config(300, 160, 160, 2, attention=True),
]
TRANSFORMERS = [
    transformer.Config(500, 96, 2, 4, kv_heads=2, tied=False),
    transformer.Config(300, 64, 3, 4, positions="learned", context=64, activation="gelu", norm="layer", bias=True),
    transformer.Config(64, 128, 2, 4),
]
#: Half of the heads and of the feed-forward units gone; and caches in another format than the activations.
NARROW = transformer.narrowed(TRANSFORMERS[0], 0.5)
INT8 = [replace(config, kv_cache="int8") for config in TRANSFORMERS]
CNNS = [cnn.Config(500, 160, 160, 1), cnn.Config(300, 96, 128, 3, kernel=5)]
#: Architecture, config, and how far declared may be from kept for backward and from the peak of a step.
CASES = [
    *[("rnn", config, 0.01, 0.2) for config in RNNS],
    # what oneDNN's LSTM takes while it runs is out of sight, so the decoder's step is left out
    *[("cnn", config, 0.1, None) for config in CNNS],
    *[(name, config, 0.08, 0.01) for name in ("transformer", "seq2seq") for config in [*TRANSFORMERS, NARROW]],
    # the formula lets what attention made and the cache's copy live together, though the former goes a little earlier
    *[(name, config, 0.08, 0.15) for name in ("transformer", "seq2seq") for config in INT8],
]
B, S, G = 4, 32, 16


@pytest.mark.parametrize(("dtype", "itemsize"), [(torch.float32, 4), (torch.bfloat16, 2)])
@pytest.mark.parametrize(("architecture", "config", "kept_within", "step_within"), CASES)
def test_memory_is_what_torch_takes(
    architecture: str, config: Any, kept_within: float, step_within: float | None, dtype: torch.dtype, itemsize: int
):
    model = build(architecture, config, 0).to(dtype)
    source, target = (random_codes(B, length, rows=config.vocabulary) for length in (S, G))

    def declared(phase: shapes.Phase) -> shapes.Costs:
        return shapes.load(architecture).costs(config, shapes.Work(phase, B, S, G, itemsize, itemsize))

    # of the three tensors of logits' size that live when backward begins, autograd keeps one: the log-softmax
    gradients = 2 * B * G * config.vocabulary * itemsize
    kept = kept_bytes(
        lambda: F.cross_entropy(model(source, target).flatten(0, 1), target.flatten()), model, source, target
    )
    assert declared("train").activations_B - gradients == pytest.approx(kept, rel=kept_within)
    model.eval()
    with torch.no_grad():
        with Peak() as peak:
            model.prefill(source)
        assert declared("prefill").activations_B + declared("prefill").state_B == pytest.approx(peak.peak_B, rel=0.01)
        if step_within is None:
            return
        state = model.prefill(source, None, G)
        for i in range(G - 1):
            _, state = model.step(target[:, i], state)
        with Peak() as peak:  # over the last step, which looks at the most
            model.step(target[:, -1], state)
        assert declared("decode").activations_B == pytest.approx(peak.peak_B, rel=step_within)
