import sys

import pytest
import torch
from torch import nn

from model.architectures import build
from model.errors import Unsupported, UserError
from model.generate import generate
from model.prune import unstructured
from model.quantize import SCALE_B, int8_dynamic, quantize, stored_bytes
from model.shapes import Work
from model.shapes.lstm import Config, costs
from model.train import optimizer

TIED = Config(vocabulary=60, embedding=32, hidden=32, layers=2)
UNTIED = Config(vocabulary=60, embedding=24, hidden=32, layers=2)


@pytest.mark.parametrize("config", [TIED, UNTIED])
def test_fp32_weights_take_what_the_shape_declares(config: Config):
    assert stored_bytes(build("lstm", config)) == costs(config, Work("prefill", 1, 1, 1)).weights_B


@pytest.mark.parametrize("config", [TIED, UNTIED])
def test_int8_weights_take_a_byte_each_while_biases_and_embedding_stay_fp32(config: Config):
    matrices = 2 * sum(4 * config.hidden * (width + config.hidden) for width in config.inputs)
    projection = config.vocabulary * config.hidden
    biases = 2 * config.layers * 8 * config.hidden + config.vocabulary
    embedding = config.vocabulary * config.embedding
    scales = (2 * config.layers * 2 + 1) * SCALE_B
    assert stored_bytes(int8_dynamic(build("lstm", config))) == (
        matrices + projection + scales + 4 * (biases + embedding)
    )


@pytest.mark.parametrize("config", [TIED, UNTIED])
def test_the_quantized_model_says_nearly_the_same(config: Config):
    model = build("lstm", config, seed=0).eval()
    source, target = torch.randint(4, 60, (2, 4, 8), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected, found = model(source, target), int8_dynamic(model)(source, target)
    assert not torch.equal(found, expected)
    assert (found - expected).abs().max() < 0.1 * expected.abs().max()


def test_the_given_model_is_left_as_it_was():
    model = build("lstm", TIED, seed=0)
    int8_dynamic(model)
    assert type(model.encoder) is torch.nn.LSTM
    assert model.projection.weight is model.embedding.weight
    assert model.training
    assert model.embedding.weight.requires_grad


def test_a_pruned_model_can_be_quantized_and_generates():
    model = build("lstm", TIED, seed=0)
    unstructured(model, 0.5)
    assert generate(int8_dynamic(model), torch.full((2, 5), 7), 3).shape[0] == 2


def test_nothing_in_a_quantized_model_can_be_trained():
    with pytest.raises(Unsupported, match="no gradient"):
        optimizer(int8_dynamic(build("lstm", TIED)), "adamw", 1e-3)


def test_weights_in_bf16_are_not_quantized():
    with pytest.raises(Unsupported, match="these are bfloat16"):
        int8_dynamic(build("lstm", TIED).bfloat16())


def test_another_device_is_named():
    with pytest.raises(Unsupported, match="the device is meta"):
        int8_dynamic(build("lstm", TIED).to("meta"))


def test_a_torch_without_dynamic_quantization_is_no_crash(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delattr(torch.ao.quantization, "quantize_dynamic")
    with pytest.raises(Unsupported, match="no longer has"):
        int8_dynamic(build("lstm", TIED))


class Tied(nn.Module):
    """No recurrence: an embedding, a Linear without bias, and a projection that is the embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(64, 32)
        self.inner = nn.Linear(32, 32, bias=False)
        self.projection = nn.Linear(32, 64)
        self.projection.weight = self.embedding.weight

    def forward(self, codes: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.projection(self.inner(self.embedding(codes)))
        return logits


def seeded() -> Tied:
    torch.manual_seed(0)
    return Tied().eval()


CODES = torch.arange(64).view(4, 16)
#: By torchao: a row of n int8 weights, its fp32 scale and its int8 zero point.
ROW_B = 4 + 1
FP32_B = 4 * (64 * 32 + 64)  # embedding and bias


@pytest.mark.parametrize(
    ("scheme", "precision", "stored"),
    [
        ("none", torch.float32, FP32_B + 4 * 32 * 32),
        ("int8-dynamic", torch.float32, FP32_B + (32 + 64) * 32 + 2 * SCALE_B),  # torch.ao: one scale a matrix
        ("int8-dynamic", torch.bfloat16, FP32_B // 2 + (32 + 64) * (32 + ROW_B)),
        ("int8-weight", torch.float32, FP32_B + (32 + 64) * (32 + ROW_B)),
        ("int8-weight", torch.bfloat16, FP32_B // 2 + (32 + 64) * (32 + ROW_B)),
    ],
)
def test_each_scheme_stores_what_it_promises_and_says_nearly_the_same(scheme: str, precision: torch.dtype, stored: int):
    model = seeded().to(precision)
    quantized = quantize(model, scheme)
    assert stored_bytes(quantized) == stored
    expected, found = model(CODES).float(), quantized(CODES).float()
    assert (found - expected).abs().max() < 0.05 * expected.abs().max()
    assert torch.equal(found, expected) == (scheme == "none")
    assert model.projection.weight is model.embedding.weight


@pytest.mark.parametrize("scheme", ["int8-weight", "int8-dynamic"])
def test_without_torch_ao_or_fp32_the_weights_are_torchao_s_and_cannot_train(
    scheme: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delattr(torch.ao.quantization, "quantize_dynamic")
    quantized = quantize(seeded(), scheme)
    assert hasattr(quantized.inner.weight, "__tensor_flatten__")
    with pytest.raises(Unsupported, match="no gradient"):
        optimizer(quantized, "adamw", 1e-3)


@pytest.mark.parametrize(("scheme", "reason"), [("int4-weight", "the package mslk"), ("fp8", "no fp8 arithmetic")])
def test_what_the_processor_lacks_is_unsupported_with_the_reason(scheme: str, reason: str):
    with pytest.raises(Unsupported, match=reason):
        quantize(seeded(), scheme)


def test_weights_alone_in_int8_reach_the_projection_of_an_lstm_and_leave_its_matrices():
    model = build("lstm", UNTIED)
    quantized = quantize(model, "int8-weight")
    saved = stored_bytes(model) - stored_bytes(quantized)
    assert saved == 60 * (4 * 32 - (32 + ROW_B))
    assert quantized.encoder.weight_hh_l0.dtype == torch.float32


def test_a_model_without_a_linear_has_nothing_for_torchao():
    with pytest.raises(Unsupported, match="the model has none"):
        quantize(nn.LSTM(4, 4), "int8-weight")


def test_a_missing_torchao_is_unsupported(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "torchao.quantization", None)
    with pytest.raises(Unsupported, match="torchao is not installed"):
        quantize(seeded(), "int8-weight")


def test_an_unknown_scheme_lists_what_there_is():
    with pytest.raises(UserError, match="int8-dynamic, int8-weight, int4-weight, fp8"):
        quantize(seeded(), "int3")
