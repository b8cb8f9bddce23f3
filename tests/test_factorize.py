import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from model.architectures import build
from model.errors import Unsupported, UserError
from model.factorize import FactoredEmbedding, Truncation, factorize, parse
from model.quantize import int8_dynamic, stored_bytes
from model.shapes.lstm import Config
from model.train import TrainingStep, optimizer

TIED = Config(vocabulary=60, embedding=16, hidden=16, layers=1)
UNTIED = Config(vocabulary=60, embedding=12, hidden=16, layers=1)


def of_rank(rank: int, out: int = 40, inputs: int = 30) -> nn.Linear:
    generator = torch.Generator().manual_seed(0)
    linear = nn.Linear(inputs, out)
    with torch.no_grad():
        linear.weight.copy_(
            torch.randn(out, rank, generator=generator) @ torch.randn(rank, inputs, generator=generator)
        )
    return linear


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    source, target = torch.randint(4, 60, (2, 3, 6), generator=torch.Generator().manual_seed(0))
    return source, target


@pytest.mark.parametrize("truncation", [Truncation(rank=5), Truncation(energy=0.99999)])
def test_a_matrix_of_low_rank_is_its_factors(truncation: Truncation):
    model = nn.Sequential(of_rank(5))
    x = torch.randn(7, 30)
    expected = model(x)
    factored, layers = factorize(model, truncation)
    torch.testing.assert_close(factored(x), expected, atol=1e-4, rtol=1e-4)
    assert (layers[0].rank, layers[0].factored, layers[0].shape) == (5, True, (40, 30))
    assert layers[0].energy == pytest.approx(1.0)
    assert stored_bytes(factored) == 4 * (5 * (40 + 30) + 40)


def test_the_cut_is_the_best_that_any_matrix_of_that_rank_can_do():
    linear = nn.Linear(30, 40)
    weight = linear.weight.detach().clone()
    factored, (layer,) = factorize(nn.Sequential(linear), Truncation(rank=6))
    inner, outer = factored[0]
    lost = (weight - outer.weight @ inner.weight).square().sum()
    values = torch.linalg.svdvals(weight)
    assert float(lost.detach()) == pytest.approx(float(values[6:].square().sum()), rel=1e-4)  # Eckart and Young (1936)
    assert layer.energy == pytest.approx(1 - float(lost.detach() / weight.square().sum()), rel=1e-5)


@pytest.mark.parametrize("truncation", [Truncation(rank=18), Truncation(rank=10**6), Truncation(energy=1.0)])
def test_a_layer_whose_factors_would_be_no_smaller_is_left_alone(truncation: Truncation):
    linear = nn.Linear(30, 40)  # 18 * (30 + 40) >= 30 * 40 > 17 * (30 + 40)
    factored, (layer,) = factorize(nn.Sequential(linear), truncation)
    assert factored[0] is linear
    assert not layer.factored
    assert factorize(factored, Truncation(rank=17))[1][0].factored


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 100), min_size=1, max_size=20), st.floats(0.01, 1.0))
def test_the_rank_for_an_energy_is_the_smallest_that_holds_it(values: list[float], energy: float):
    ordered = torch.tensor(sorted(values, reverse=True), dtype=torch.float64)
    rank = Truncation(energy=energy).rank_for(ordered)
    squares = ordered.square()
    assert 1 <= rank <= len(values)
    assert squares[:rank].sum() >= energy * squares.sum() * (1 - 1e-12)
    assert rank == 1 or squares[: rank - 1].sum() < energy * squares.sum() * (1 + 1e-12)


def test_a_tied_embedding_and_projection_share_their_factors_and_both_shrink():
    model = build("lstm", TIED, seed=0).eval()
    rebuilt = copy.deepcopy(model)
    before = stored_bytes(model)
    factored, (layer,) = factorize(model, Truncation(rank=8))
    assert before - stored_bytes(factored) == 4 * (60 * 16 - 8 * (60 + 16))
    assert (layer.name, layer.factored) == ("projection", True)
    assert isinstance(factored.embedding, FactoredEmbedding)
    with torch.no_grad():
        rebuilt.embedding.weight.copy_(factored.embedding.table @ factored.embedding.inner)
    torch.testing.assert_close(factored(*batch()), rebuilt(*batch()), atol=1e-6, rtol=1e-5)


def test_an_embedding_of_its_own_stays():
    model, _ = factorize(build("lstm", UNTIED, seed=0), Truncation(rank=8))
    assert type(model.embedding) is nn.Embedding


def test_the_factored_model_trains_and_can_be_copied_and_quantized():
    model, _ = factorize(build("lstm", TIED, seed=0), Truncation(rank=8))
    step = TrainingStep(model, optimizer(model, "adamw", 1e-2))
    assert step(*batch()) > step(*batch())
    twin = copy.deepcopy(model).eval()
    assert twin.embedding.table is twin.projection[1].weight
    assert stored_bytes(int8_dynamic(twin)) < stored_bytes(twin)
    assert int8_dynamic(twin)(*batch()).shape == (3, 6, 60)


def test_format_and_mode_stay():
    model, _ = factorize(nn.Sequential(nn.Linear(30, 40)).bfloat16().eval(), Truncation(rank=4))
    assert all(parameter.dtype == torch.bfloat16 for parameter in model.parameters())
    assert not any(module.training for module in model.modules())


@pytest.mark.parametrize(
    ("word", "meant"),
    [("none", None), ("rank:64", Truncation(rank=64)), ("energy:0.9", Truncation(energy=0.9))],
)
def test_words_of_the_axis_are_understood(word: str, meant: Truncation | None):
    assert parse(word) == meant


@pytest.mark.parametrize(
    "word", ["", "rank", "rank:", "rank:0", "rank:-3", "rank:2.5", "energy:0", "energy:1.1", "energy:nan", "svd:3"]
)
def test_words_that_mean_nothing_are_one_sentence(word: str):
    with pytest.raises(UserError):
        parse(word)


@pytest.mark.parametrize("given", [{}, {"rank": 3, "energy": 0.5}])
def test_a_rank_and_an_energy_exclude_each_other(given: dict[str, float]):
    with pytest.raises(UserError, match="one of the two"):
        Truncation(**given)


def test_an_lstm_alone_has_nothing_to_factor():
    with pytest.raises(Unsupported, match="nn.Linear"):
        factorize(nn.LSTM(4, 4), Truncation(rank=2))


def test_weights_that_are_not_finite_are_named():
    linear = nn.Linear(30, 40)
    nn.init.constant_(linear.weight, float("nan"))
    with pytest.raises(Unsupported, match="singular values of 0"):
        factorize(nn.Sequential(linear), Truncation(rank=2))
