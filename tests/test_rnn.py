import pytest
import torch

from model import shapes
from model.shapes.rnn import Config, costs
from tests.small_models import CONFIGS, model_of, random_codes

# Two layers with attention, E = 3, H = 2, V = 5, batch 2, S = 4 and G = 3, fp32, by hand:
#   parameters  a stack 2*(3+2+2) + 2*(2+2+2) = 26; embedding 15; projection 15; attention 4 + 8: 15 + 52 + 15 + 12
#   FLOPs       a token through a stack 2*2*(3+2) + 2*2*(2+2) = 36, made a key 2*4 = 8, through the projection 20;
#               a step looks at 4 keys 4*2*4 = 32, and is mixed 2*4*2 = 16
BY_HAND = Config(vocabulary=5, embedding=3, hidden=2, layers=2, attention=True)


def test_costs_agree_with_a_count_by_hand():
    train = costs(BY_HAND, shapes.Work("train", 2, 4, 3))
    assert train.parameters == 94
    # three times forward, less 2*2*2 * batch 2 in each of 2 encoder layers, whose first state is no variable
    assert train.flops == 3 * (8 * (36 + 8) + 6 * (36 + 32 + 16 + 20)) - 32
    prefill = costs(BY_HAND, shapes.Work("prefill", 2, 4, 3))
    assert prefill.flops == 8 * (36 + 8)
    # embedding 8*(8 + 24); steps 2 layers * 4 * (2*3*4 + 3*2*2*4); input products 2*(4 + 3)*4 + 8*(5 + 4)*4;
    # keys 16 + 8*4*4
    assert prefill.bytes_moved == 256 + 576 + (56 + 288) + 144
    decode = costs(BY_HAND, shapes.Work("decode", 2, 4, 3))
    assert decode.flops == 6 * (36 + 32 + 16 + 20)
    # a step: embedding 64; layers 2*(24 + 48) + 56 + 2*9*4; attention 2*(4 + 16)*4, side by side 2*8*4, mixed
    #   32 + 2*6*4, tanh 2*4*4; projection 60 + 2*7*4
    assert decode.bytes_moved == 3 * (64 + 144 + 56 + 72 + 160 + 64 + 80 + 32 + 116)
    # h of 2 layers, and 4 states with their keys, for 2 sequences
    assert decode.state_B == prefill.state_B == 2 * (2 * 2 + 2 * 4 * 2) * 4


@pytest.mark.parametrize("architecture", ["rnn", "lstm"])
def test_attention_looks_at_the_states_that_the_last_one_has_forgotten(architecture: str):
    model = model_of(architecture, CONFIGS[architecture]["attention"])
    source, tokens = random_codes(1, 5), torch.tensor([7])
    state = model.prefill(source)
    memory = state.memory
    assert memory.values.shape == (1, 1, 5, 8)
    logits, _ = model.step(tokens, state)
    memory.values[:, :, 0] += 1
    changed, _ = model.step(tokens, state)
    assert not torch.allclose(logits, changed)
