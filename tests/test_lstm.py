import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model.architectures import LanguageModel, build
from model.shapes.lstm import Config
from model.text import BOS, pad

TIED = Config(vocabulary=20, embedding=8, hidden=8, layers=2)
UNTIED = Config(vocabulary=20, embedding=6, hidden=8, layers=1)


def model_of(config: Config, seed: int = 0) -> LanguageModel:
    return build("lstm", config, seed).eval()


def random_codes(*shape: int) -> torch.Tensor:
    return torch.randint(4, 20, shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("config", [TIED, UNTIED])
@pytest.mark.parametrize("changed", [0, 2, 4])
def test_a_later_token_leaves_earlier_logits_unchanged(config: Config, changed: int):
    model, source, target = model_of(config), random_codes(3, 7), random_codes(3, 5)
    other = target.clone()
    other[:, changed] = (target[:, changed] + 1) % 20
    before, after = model(source, target), model(source, other)
    # logits at `changed` grade that token, so they too may not know it
    assert torch.equal(before[:, : changed + 1], after[:, : changed + 1])
    assert changed == 4 or not torch.equal(before[:, changed + 1 :], after[:, changed + 1 :])


def test_the_decoder_knows_what_the_encoder_read():
    model, source, target = model_of(TIED), random_codes(3, 7), random_codes(3, 5)
    assert not torch.allclose(model(source, target), model(source.flip(1), target))


@pytest.mark.parametrize("config", [TIED, UNTIED])
def test_steps_give_the_logits_of_the_full_pass(config: Config):
    model, source, target = model_of(config), random_codes(3, 7), random_codes(3, 5)
    tokens, state = model.first(source), model.prefill(source)
    assert tokens.tolist() == [BOS] * 3
    steps = []
    for i in range(5):
        logits, state = model.step(tokens, state)
        steps.append(logits)
        tokens = target[:, i]
    torch.testing.assert_close(torch.stack(steps, dim=1), model(source, target), atol=1e-5, rtol=0)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.lists(st.integers(4, 19), min_size=1, max_size=6), min_size=1, max_size=4))
def test_padding_changes_nothing(sources: list[list[int]]):
    model = model_of(TIED)
    codes, lengths, _ = pad(sources)
    target = random_codes(len(sources), 3)
    together = model(codes, target, lengths)
    alone = torch.cat([model(torch.tensor([s]), target[i : i + 1]) for i, s in enumerate(sources)])
    torch.testing.assert_close(together, alone, atol=1e-6, rtol=0)


def test_a_seed_decides_the_weights():
    first, same, other = (model_of(TIED, seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert not torch.equal(first["encoder.weight_hh_l0"], other["encoder.weight_hh_l0"])


def test_equal_widths_tie_the_projection_to_the_embedding():
    tied, untied = model_of(TIED), model_of(UNTIED)
    assert tied.projection.weight is tied.embedding.weight
    assert untied.projection.weight.shape == (20, 8)
    assert untied.embedding.weight.shape == (20, 6)


def test_dropout_acts_in_training_only():
    config = Config(vocabulary=20, embedding=8, hidden=8, layers=2, dropout=0.5)
    model, source, target = build("lstm", config, 0), random_codes(2, 4), random_codes(2, 4)
    assert not torch.equal(model(source, target), model(source, target))
    model.eval()
    assert torch.equal(model(source, target), model(source, target))
