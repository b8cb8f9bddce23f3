import pytest
import torch

from model import shapes
from model.errors import UserError
from model.shapes.cnn import Config, costs
from tests.small_models import CONFIGS, model_of, random_codes

TIED = CONFIGS["cnn"]["tied"]


def test_each_layer_halves_the_length_and_an_odd_one_is_rounded_up():
    model = model_of("cnn", TIED)
    states, lengths = model.encoder(torch.randn(3, 7, 8), torch.tensor([7, 4, 1]))
    assert states.shape == (3, 2, 8)
    assert lengths.tolist() == [2, 1, 1]


def test_the_convolution_sees_its_neighbours_in_order():
    model = model_of("cnn", TIED)
    source, target = random_codes(1, 8), random_codes(1, 2)
    assert not torch.allclose(model(source, target), model(source.flip(1), target))


def test_a_window_without_a_middle_is_one_sentence():
    with pytest.raises(UserError, match="kernel = 4 has no middle"):
        Config(vocabulary=9, embedding=4, hidden=4, layers=1, kernel=4)


# E = 3, H = 2, V = 5, 2 layers, windows of 3, batch 2, S = 5 and G = 3, by hand: 5, 3 and 2 positions
BY_HAND = Config(vocabulary=5, embedding=3, hidden=2, layers=2)


def test_costs_agree_with_a_count_by_hand():
    prefill = costs(BY_HAND, shapes.Work("prefill", 2, 5, 3))
    # embedding 15, convolutions 2*(3*3 + 1) + 2*(3*2 + 1), h and c of 2 layers 3*8, LSTM 56 + 48, projection 15
    assert prefill.parameters == 15 + 20 + 14 + 24 + 104 + 15
    # 10 positions of 2*3*3*2, 6 of 2*3*2*2, the state 2 * 2*2*8
    assert prefill.flops == 360 + 144 + 64
    # embedding 10*(8 + 24); convolution 80 + 10*5*4, ReLU 2*20*4, pooling (20 + 12)*4 + 12*8; the second 56 + 6*4*4,
    #   2*12*4, (12 + 8)*4 + 8*8; mean (8 + 4)*4; state 96 + 2*10*4
    assert prefill.bytes_moved == 320 + (280 + 160 + 224) + (152 + 96 + 144) + 48 + 176
    assert prefill.state_B == 2 * 2 * 2 * 2 * 4
    train = costs(BY_HAND, shapes.Work("train", 2, 5, 3))
    # the LSTM's 144 and the projection's 20 a token: tests/test_shapes.py
    assert train.flops == 3 * (568 + 6 * 164)
    assert costs(BY_HAND, shapes.Work("decode", 2, 5, 3)).flops == 6 * 164
