import pytest
import torch

from model.architectures import build
from model.errors import Unsupported
from model.generate import generate
from model.prune import unstructured
from model.quantize import SCALE_B, int8_dynamic, stored_bytes
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
