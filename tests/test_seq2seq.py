import pytest
import torch

from model import shapes
from model.errors import Unsupported
from model.shapes.seq2seq import Config, costs
from model.text import BOS
from tests.small_models import CONFIGS, model_of, random_codes

ROTARY, LEARNED = CONFIGS["seq2seq"]["rotary"], CONFIGS["seq2seq"]["learned"]


def test_the_encoder_reads_in_both_directions():
    model = model_of("seq2seq", ROTARY)
    source, other = random_codes(1, 6), random_codes(1, 6)
    other[:, :5] = source[:, :5]
    other[:, 5] = (source[:, 5] + 1) % 20
    first, second = (model.prefill(codes).memory[0][0] for codes in (source, other))  # keys (B, kv_heads, S, D)
    assert not torch.allclose(first[:, :, 0], second[:, :, 0])


def test_the_decoder_begins_with_bos():
    model, source = model_of("seq2seq", ROTARY), random_codes(3, 6)
    assert model.first(source).tolist() == [BOS] * 3


def test_source_and_target_may_each_be_as_long_as_the_learned_positions():
    model = model_of("seq2seq", LEARNED)
    assert model(random_codes(1, 32), random_codes(1, 32)).shape == (1, 32, 20)
    with pytest.raises(Unsupported, match="takes 33"):
        model(random_codes(1, 3), random_codes(1, 33))


# V = 5, H = 4, 2 layers, 2 heads of 2, 1 of keys, inner 3; batch 2, S = 4 and G = 3, by hand:
#   a block has 92 parameters (tests/test_transformer.py), 84 of them in products; cross attention 2*16 + 16 and a norm
BY_HAND = Config(vocabulary=5, hidden=4, layers=2, heads=2, kv_heads=1, feed_forward=3, tied=False)


def test_costs_agree_with_a_count_by_hand():
    train = costs(BY_HAND, shapes.Work("train", 2, 4, 3))
    assert train.parameters == 2 * (2 * 92 + 52) + 2 * 20 + 2 * 4
    assert train.tokens == 2 * (4 + 3)
    # encoder: products 2 blocks * 8 * 168, attention 2 * 4*2*2*16*2; keys and values of 8 states in 2 blocks 2*16
    encoder = 2688 + 1024 + 512
    # decoder: products 2 * 6 * 168, past 2 * 4*2*2*9*2, queries and mixing 2 * 6 * 2*32, source 2 * 4*2*2*12*2
    assert train.flops == 3 * (encoder + 2016 + 576 + 768 + 768 + 6 * 40)
    prefill = costs(BY_HAND, shapes.Work("prefill", 2, 4, 3))
    assert (prefill.tokens, prefill.flops) == (8, encoder)
    decode = costs(BY_HAND, shapes.Work("decode", 2, 4, 3))
    # the past of 1 + 2 + 3 tokens, and 3 * 4 looks at the source
    assert decode.flops == 6 * (2 * 168 + 2 * 64 + 40) + 2 * 4 * 2 * 2 * 6 * 2 + 768
    # a block over 8 tokens: norms 2*(16 + 256), qkv 128 + 8*12*4, rotation 2*8*6*4, attention 2*(32 + 16)*4,
    #   out 64 + 256, sums 2*3*32*4, up 96 + 8*10*4, SwiGLU 5*24*4, down 48 + 8*7*4
    block = 544 + 512 + 384 + 384 + 320 + 768 + 416 + 480 + 272
    # embedding 8*(8 + 32), last norm 16 + 256; each layer's keys and values 64 + 8*8*4
    assert prefill.bytes_moved == 320 + 2 * block + 272 + 2 * 320
    # keys and values of 2 layers, 2 wide, of 8 tokens of the source, and in decoding of 6 more
    assert (prefill.state_B, decode.state_B) == (2 * 2 * 2 * 8 * 4, 2 * 2 * 2 * 14 * 4)
