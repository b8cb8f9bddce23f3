import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model import shapes
from model.architectures import build
from model.errors import UserError
from model.shapes.lstm import PRESETS, Config, costs
from model.text import PAD


def codes(config: Config, batch: int, length: int) -> torch.Tensor:
    return torch.randint(PAD + 1, config.vocabulary, (batch, length))


@settings(max_examples=15, deadline=None)
@given(
    st.builds(
        Config,
        vocabulary=st.integers(5, 40),
        embedding=st.integers(1, 9),
        hidden=st.integers(1, 9),
        layers=st.integers(1, 4),
    )
)
def test_parameters_are_those_of_the_module(config: Config):
    declared = costs(config, shapes.Work("prefill", 1, 1, 1)).parameters
    assert declared == sum(parameter.numel() for parameter in build("lstm", config).parameters())


def test_presets_have_the_promised_parameters():
    promised = {"nano": 1_071_616, "tiny": 5_030_912, "small": 25_498_624, "base": 110_912_512}
    work = shapes.Work("train", 1, 1, 1)
    assert {name: costs(config, work).parameters for name, config in PRESETS.items()} == promised


# Two layers, E = 3, H = 2, V = 5, batch 2, S = 4 and G = 3, fp32, by hand:
#   parameters  a stack: 4*2*(3+2+2) + 4*2*(2+2+2) = 56 + 48 = 104; embedding 15; projection 5*2 + 5 = 15;
#               in all 15 + 2*104 + 15 = 238
#   FLOPs       a token through a stack: 8*2*(3+2) + 8*2*(2+2) = 80 + 64 = 144; through the projection 2*2*5 = 20
BY_HAND = Config(vocabulary=5, embedding=3, hidden=2, layers=2)


def test_training_costs_agree_with_a_count_by_hand():
    found = costs(BY_HAND, shapes.Work("train", 2, 4, 3))
    assert found.parameters == 238
    assert found.tokens == 2 * (4 + 3)
    # forward 14*144 + 6*20 = 2136; three times that, less 8*2*2 * batch 2 in each of 2 encoder layers = 128
    assert found.flops == 3 * 2136 - 128
    assert (found.weights_B, found.gradients_B, found.optimizer_B) == (952, 952, 1904)
    assert found.state_B == 0
    # forward: embedding 14*(8 + 24) = 448
    #   stacks, 7 steps, each with W_hh and bias (4*2*3*4 = 96) and 8*2*2*4 = 128: 2 layers * 7 * 224 = 3136
    #   input products: weights twice (8*4*4 = 128 and 8*3*4 = 96) = 448; data 14*(3+8 + 2+8)*4 = 1176
    #   projection 15*4 + 6*(2+5)*4 = 228
    forward = 448 + 3136 + 448 + 1176 + 228
    # backward: loss 6*(6*5*4 + 8) = 768; projection (2*10 + 5)*4 + 6*(15 + 4)*4 = 556
    #   steps 2 layers * 7 * (4*2*2*4 + 14*2*2*4 = 288) = 4032
    #   weights 2*(8*(6+2) + 16)*4 + 2*(8*(4+2) + 16)*4 = 640 + 512; data 14*(32 + 6 + 2)*4 + 14*(32 + 4 + 2)*4 = 4368
    #   table 14*(8 + 12) + 2*60 + one sum of 3*60 = 580
    backward = 768 + 556 + 4032 + 640 + 512 + 4368 + 580
    # clipping 3, AdamW 3 + 4: ten times the parameters' 952 bytes
    assert found.bytes_moved == forward + backward + 9520
    # kept by 4 steps of a layer that reads 3 columns: in and out 8*5*4, workspace 8*9*2*4 + 6*3*10*4 = 576 + 720;
    # of one that reads 2: 8*4*4 + 576 + 480; by 3 steps: 120 + 432 + 576 and 96 + 432 + 384; logits 3*6*5*4
    assert found.activations_B == 160 + 576 + 720 + 128 + 576 + 480 + 120 + 432 + 576 + 96 + 432 + 384 + 360


def test_inference_costs_agree_with_a_count_by_hand():
    prefill = costs(BY_HAND, shapes.Work("prefill", 2, 4, 3))
    assert (prefill.tokens, prefill.flops) == (8, 8 * 144)
    # embedding 8*32; 2 layers * 4 steps * 224; input products (128 + 96) + 8*(11 + 10)*4
    assert prefill.bytes_moved == 256 + 1792 + 224 + 672
    decode = costs(BY_HAND, shapes.Work("decode", 2, 4, 3))
    assert (decode.tokens, decode.flops) == (6, 6 * (144 + 20))
    # a step: embedding 2*32; 2 layers * 224; input products 224 + 2*(11 + 10)*4; projection 60 + 2*7*4
    assert decode.bytes_moved == 3 * (64 + 448 + 224 + 168 + 116)
    # the wider layer's matrices 8*5*4; for each token 2*3 + 6*2 = 18, for each sequence 4*2*2 = 16
    assert prefill.activations_B == 160 + (8 * 18 + 2 * 16) * 4
    assert decode.activations_B == 160 + (2 * 18 + 2 * 16) * 4
    assert decode.state_B == prefill.state_B == 2 * 2 * 2 * 2 * 4
    assert (decode.weights_B, decode.gradients_B, decode.optimizer_B) == (952, 0, 0)


def test_decoding_reads_every_weight_of_the_decoder_again_at_each_step():
    config = PRESETS["nano"]
    one, two = (costs(config, shapes.Work("decode", 1, 1, steps)).bytes_moved for steps in (1, 2))
    decoder = 4 * (config.vocabulary * (config.hidden + 1) + 8 * config.hidden * (config.hidden + 1))
    assert decoder < two - one < 1.05 * decoder


def test_autocast_reads_the_weights_once_more_to_cast_them_and_halves_what_steps_move():
    plain = shapes.Work("decode", 1, 1, 100)
    cast = shapes.Work("decode", 1, 1, 100, activation_itemsize=2)
    half = shapes.Work("decode", 1, 1, 100, weight_itemsize=2, activation_itemsize=2)
    moved = [costs(PRESETS["nano"], work).bytes_moved for work in (plain, cast, half)]
    assert moved[0] > moved[1] > moved[2]


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="this torch has no oneDNN")
@pytest.mark.parametrize(("precision", "weight", "activation"), [("fp32", 4, 4), ("bf16", 2, 2)])
@pytest.mark.parametrize("config", [Config(500, 160, 160, 1), Config(300, 240, 120, 2), Config(64, 120, 240, 2)])
def test_activations_are_what_autograd_keeps_on_the_cpu(config: Config, precision: str, weight: int, activation: int):
    model = build("lstm", config).to(torch.bfloat16 if precision == "bf16" else torch.float32)
    own = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own and tensor.dtype != torch.int64:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    source, target = codes(config, 4, 32), codes(config, 4, 16)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        logits = model(source, target)
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), target.flatten())
        kept_bytes = sum(kept.values())
    assert loss.isfinite()
    # of the three tensors of logits' size that live when backward begins, autograd keeps one: the log-softmax
    gradients = 2 * logits.numel() * weight
    declared = costs(config, shapes.Work("train", 4, 32, 16, weight, activation)).activations_B
    assert declared - gradients == pytest.approx(kept_bytes, rel=0.1)


def test_a_preset_takes_other_dimensions():
    assert shapes.configure("lstm", "nano", hidden=32, layers=None) == Config(4096, 160, 32, 1)


@pytest.mark.parametrize("wrong", [{"layers": 0}, {"hidden": 2.5}, {"embedding": True}, {"dropout": 1.0}])
def test_a_dimension_that_cannot_be_is_one_sentence(wrong: dict[str, object]):
    with pytest.raises(UserError, match=next(iter(wrong))):
        Config(**({"vocabulary": 9, "embedding": 2, "hidden": 2, "layers": 1} | wrong))
