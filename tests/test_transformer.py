from dataclasses import replace

import pytest
import torch

from model import shapes
from model.architectures import build
from model.errors import Unsupported, UserError
from model.shapes.transformer import PRESETS, Config, costs
from tests.small_models import CONFIGS, model_of, random_codes, stepped

LLAMA = CONFIGS["transformer"]["llama"]
GPT2 = CONFIGS["transformer"]["gpt2"]

PUBLISHED = {
    "gpt2": 124_439_808,
    "medium": 354_823_168,
    "1b": 1_100_048_384,
    "7b": 6_738_415_616,
    "13b": 13_015_864_320,
    "70b": 68_976_648_192,
}


@pytest.mark.parametrize(("size", "parameters"), PUBLISHED.items())
def test_known_shapes_have_their_published_parameters(size: str, parameters: int):
    assert costs(PRESETS[size], shapes.Work("prefill", 1, 2, 1)).parameters == parameters


@pytest.mark.parametrize("peer", ["gpt2", "llama"])
def test_logits_are_those_of_transformers_with_the_same_weights(peer: str):
    pytest.importorskip("transformers", reason="the extra `hf` is not installed")
    from tests import peers

    theirs, own = getattr(peers, peer)()
    assert peers.difference(theirs, own) < 1e-4


def test_a_bf16_cache_rounds_what_it_keeps():
    model, rounded = (model_of("transformer", replace(LLAMA, kv_cache=storage)) for storage in ("fp32", "bf16"))
    source, target = random_codes(2, 9), random_codes(2, 4)
    exact, found = (stepped(each, source, target).detach() for each in (model, rounded))
    assert not torch.equal(found, exact)
    torch.testing.assert_close(found, exact, atol=0.05 * float(exact.abs().max()), rtol=0)


def test_a_cache_that_is_outgrown_keeps_what_it_held():
    model, source, target = model_of("transformer", LLAMA), random_codes(2, 3), random_codes(2, 40)
    torch.testing.assert_close(stepped(model, source, target, room=2), model(source, target), atol=1e-5, rtol=0)


def test_learned_positions_end_where_the_table_ends():
    model = model_of("transformer", GPT2)
    with pytest.raises(Unsupported, match="32 positions; this sequence takes 33"):
        model(random_codes(1, 30), random_codes(1, 4))
    state = model.prefill(random_codes(1, 33))
    with pytest.raises(Unsupported, match="takes 33"):
        model.step(random_codes(1), state)


def test_generation_and_training_share_the_table_of_angles():
    model = model_of("transformer", LLAMA)
    with torch.inference_mode():
        model.prefill(random_codes(1, 9))
    model(random_codes(1, 4), random_codes(1, 3)).sum().backward()


def test_tied_and_untied_projections():
    tied = build("transformer", replace(LLAMA, tied=True))
    assert tied.projection.weight is tied.embedding.tokens.weight
    untied = build("transformer", LLAMA)
    assert untied.projection.weight is not untied.embedding.tokens.weight


# V = 5, H = 4, 2 layers, 2 heads of 2, 1 of keys, inner 3; batch 2, S = 4, G = 3, fp32, by hand:
#   a block: attention 4*8 + 4*4 = 48, feed-forward 4*6 + 3*4 = 36, norms 8: 92; in all 2*92 + 2*20 + 4 = 228
BY_HAND = Config(vocabulary=5, hidden=4, layers=2, heads=2, kv_heads=1, feed_forward=3, tied=False)


def test_training_costs_agree_with_a_count_by_hand():
    found = costs(BY_HAND, shapes.Work("train", 2, 4, 3))
    assert (found.parameters, found.tokens) == (228, 12)
    # forward: products 2 blocks * 12 * 2*84, attention 2 * 4*2*2*36*2, projection 6 * 2*20
    assert found.flops == 3 * (4032 + 2304 + 240)
    # a block: norm 16 + 384, qkv 128 + 576, rotation 384 + 192, attention 2*(48 + 24)*4, out 64 + 384, sum 576,
    #   norm 400, up 96 + 480, SwiGLU 5*36*4, down 48 + 336, sum 576
    block = 400 + 704 + 576 + 576 + 448 + 576 + 400 + 576 + 720 + 384 + 576
    # embedding 12*(8 + 32); last norm 16 + 192; projection 80 + 6*9*4
    forward = 480 + 2 * block + 208 + 296
    # a block: norm 32 + 576, qkv 256 + 12*24*4, rotation 576, attention 4*72*4, out 128 + 12*16*4, sum 576,
    #   norm 608, up 192 + 12*20*4, SwiGLU 7*36*4, down 96 + 12*14*4, sum 576
    block = 608 + 1408 + 576 + 1152 + 896 + 576 + 608 + 1152 + 1008 + 768 + 576
    # embedding 12*(8 + 16) and its table 80; last norm 32 + 288; projection 160 + 6*18*4; loss 6*30*4 + 6*8
    backward = 288 + 80 + 2 * block + 320 + 592 + 768
    # clipping 3 + 3, AdamW 3 + 4 less the gradient that both read: ten times the parameters' 912 bytes
    assert found.bytes_moved == forward + backward + 9120
    # a block: norm 8*48 + 48, its copy 192, rotated 192 + 96, attention 576 + 96, out 192, norm 432, copy 192,
    #   gate, inner and SiLU... 3*36*4, product 144
    block = 432 + 192 + 288 + 672 + 192 + 432 + 192 + 432 + 144
    # last norm 8*24 + 24, its copy 96, logits 3*30*4
    assert found.activations_B == 2 * block + 216 + 96 + 360


def test_inference_costs_agree_with_a_count_by_hand():
    prefill = costs(BY_HAND, shapes.Work("prefill", 2, 4, 3))
    # all but the prompt's last token: 6 through 2 blocks of 2*84, attention 2 * 4*2*2*9*2
    assert (prefill.tokens, prefill.flops) == (6, 2016 + 576)
    decode = costs(BY_HAND, shapes.Work("decode", 2, 4, 3))
    # 3 steps of 2 tokens through 2 blocks and the projection; 4 + 5 + 6 = 15 keys: attention 2 * 4*2*2*15*2
    assert (decode.tokens, decode.flops) == (6, 6 * (2 * 168 + 40) + 960)
    # a step of a block: norms 160, qkv 224, rotation 96, out 128, sums 192, up 176, SwiGLU 120, down 104
    #   cache 2*2*6*8; attention 2*(24 + 60)*4
    block = 3 * (160 + 224 + 96 + 128 + 192 + 176 + 120 + 104) + 192 + 672
    # a step: embedding 80, norm 80, projection 80 + 72
    assert decode.bytes_moved == 2 * block + 3 * (80 + 80 + 152)
    # keys and values of 2 layers, 2 wide, for 3 and for 6 tokens of 2 sequences
    assert (prefill.state_B, decode.state_B) == (2 * 2 * 2 * 6 * 4, 2 * 2 * 2 * 12 * 4)


def test_a_prompt_of_one_token_leaves_nothing_to_prefill():
    found = costs(BY_HAND, shapes.Work("prefill", 2, 1, 3))
    assert (found.tokens, found.flops, found.bytes_moved, found.state_B) == (0, 0, 0, 0)


def test_a_narrow_cache_takes_less_and_moves_more_to_be_widened():
    work = shapes.Work("decode", 1, 512, 64)
    plain, narrow = (costs(replace(BY_HAND, kv_cache=storage), work) for storage in ("auto", "bf16"))
    assert 2 * narrow.state_B == plain.state_B
    assert narrow.bytes_moved > plain.bytes_moved


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"hidden": 18}, "hidden = 18 cannot be divided among 4 heads"),
        ({"kv_heads": 3}, "heads = 4 cannot be divided among 3 kv_heads"),
        ({"hidden": 12}, "head of 3 values"),
        ({"head_dim": 5}, "head of 5 values"),
        ({"head_dim": 0}, "head_dim = 0"),
        ({"positions": "sinus"}, "learned, rotary"),
        ({"kv_cache": "int3"}, "kv_cache = 'int3'"),
        ({"tied": 1}, "tied = 1"),
        ({"rotary_base": 0}, "rotary_base = 0"),
        ({"feed_forward": 0}, "feed_forward = 0"),
        ({"dropout": 1.0}, "dropout = 1.0"),
    ],
)
def test_a_dimension_that_cannot_be_is_one_sentence(wrong: dict[str, object], said: str):
    with pytest.raises(UserError, match=said):
        replace(LLAMA, **wrong)


def test_heads_of_a_width_of_their_own_need_not_divide_the_model():
    model = model_of("transformer", replace(LLAMA, hidden=18, head_dim=6))
    assert model.blocks[0].attention.out.weight.shape == (18, 4 * 6)
    assert model(random_codes(2, 3), random_codes(2, 4)).shape == (2, 4, 20)
