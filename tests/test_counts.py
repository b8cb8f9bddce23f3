"""What a job computes and moves, by hand, and against the exact counts of our own Transformers."""

import pytest

from model import shapes
from reports.projection import counts, models

MODELS = models.published()
LLAMA, MIXTRAL = MODELS["Llama-2-7B"], MODELS["Mixtral-8x7B"]


def job(model=LLAMA, bytes_each=2.0, kv_bytes=2.0, batch=1, prompt=0, output=0, depth=0):
    return counts.job(model, bytes_each, kv_bytes, batch=batch, prompt=prompt, output=output, depth=depth)


def test_a_step_of_one_sequence_reads_all_weights_but_the_embedding_and_its_cache():
    found = job(output=1, depth=99)
    weights = (6_738_415_616 - 32_000 * 4096) * 2
    cache = 100 * 2 * 32 * 4096 * 2  # tokens, K and V, layers, width, bytes: the new token sees itself
    assert found.step_B == weights + cache
    assert found.step_cached_B == cache
    assert found.prompt_flops == found.prompt_B == 0


def test_steps_count_the_flops_of_our_own_exact_arithmetic():
    """But for the weights of norms, which are counted as if they were in products: 2 FLOPs a weight and token."""
    config = shapes.configure("transformer", "7b")
    exact = shapes.costs("transformer", config, shapes.Work("decode", 3, 100, 20)).flops
    found = job(batch=3, output=20, depth=99)
    norms = (2 * 32 + 1) * 4096
    assert found.steps == 20
    assert found.step_flops * 20 == exact + 2 * norms * 3 * 20


def test_a_prompt_takes_two_flops_a_weight_and_token():
    assert job(prompt=512).prompt_flops == pytest.approx(2 * 6.74e9 * 512, rel=0.05)


def test_a_prompt_read_in_two_parts_takes_the_flops_of_the_whole():
    """But for the projection to the vocabulary, which each part does for its last token."""
    head = 2 * 32_000 * 4096
    parts = job(batch=2, prompt=300).prompt_flops + job(batch=2, prompt=700, depth=300).prompt_flops
    assert parts == job(batch=2, prompt=1000).prompt_flops + 2 * head


def test_the_first_token_comes_from_the_prompt():
    assert job(prompt=10, output=1).steps == 0
    assert job(prompt=10, output=1).step_B == 0
    assert job(prompt=10, output=5).steps == 4
    assert job(output=5).steps == 5


def test_a_narrower_format_moves_less_and_computes_the_same():
    wide, narrow = job(output=1), job(bytes_each=0.5, output=1)
    assert narrow.step_flops == wide.step_flops
    assert narrow.step_B - narrow.step_cached_B == (wide.step_B - wide.step_cached_B) / 4


def test_a_shared_embedding_is_read_by_the_projection():
    gemma = MODELS["Gemma-2B"]
    assert counts.read_B(gemma, 1, 1) == gemma.parameters


def test_one_token_meets_its_own_experts_and_many_meet_all():
    table = 32_000 * 4096
    assert counts.read_B(MIXTRAL, 1, 1) == pytest.approx(MIXTRAL.active_parameters - table)
    assert counts.read_B(MIXTRAL, 1, 1000) == pytest.approx(MIXTRAL.parameters - table)


def test_two_tokens_meet_as_many_experts_as_two_random_pairs_of_eight():
    """Of 8 experts, two tokens that take 2 each meet 8 * (1 - (6/8)^2) = 3.5."""
    expert = 3 * 4096 * 14_336 * 32
    more = counts.read_B(MIXTRAL, 1, 2) - counts.read_B(MIXTRAL, 1, 1)
    assert MIXTRAL.expert_parameters == pytest.approx(8 * expert)
    assert more == pytest.approx(1.5 * expert)


def test_tensor_parallelism_sums_attention_and_feed_forward_of_every_layer_in_16_bits():
    found = job(batch=3, prompt=7, output=2)
    assert found.prompt_sent_B == 2 * 32 * (3 * 7) * 4096 * 2
    assert found.step_sent_B == 2 * 32 * 3 * 4096 * 2
