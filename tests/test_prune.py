import copy

import pytest
import torch
from torch import nn

from model.architectures import build
from model.errors import UserError
from model.prune import gradual, keep_zeros, sparsity, two_of_four, unstructured, use_sparse_kernels
from model.shapes.lstm import Config
from model.train import TrainingStep, optimizer

TIED = Config(vocabulary=40, embedding=16, hidden=16, layers=2)
UNTIED = Config(vocabulary=40, embedding=12, hidden=16, layers=2)


def pruned_weights(model: nn.Module) -> torch.Tensor:
    chosen = [p for name, p in model.named_parameters() if "weight" in name and name != "embedding.weight"]
    shared = [model.embedding.weight] if model.projection.weight is model.embedding.weight else []
    return torch.cat([p.detach().flatten() for p in [*chosen, *shared]])


@pytest.mark.parametrize("config", [TIED, UNTIED])
@pytest.mark.parametrize("share", [0.0, 0.25, 0.9])
def test_the_promised_share_of_weights_becomes_zero(config: Config, share: float):
    model = build("lstm", config, seed=0)
    found = unstructured(model, share)
    weights = pruned_weights(model)
    assert found == sparsity(model) == int((weights == 0).sum()) / len(weights)
    assert found == pytest.approx(share, abs=1 / len(weights))


def test_the_smallest_weights_of_all_matrices_together_go():
    model = build("lstm", TIED, seed=0)
    before = pruned_weights(model)
    unstructured(model, 0.5)
    after = pruned_weights(model)
    assert before[after == 0].abs().max() <= before[after != 0].abs().min()
    assert torch.equal(after[after != 0], before[after != 0])


@pytest.mark.parametrize("config", [TIED, UNTIED])
def test_biases_stay_and_so_does_an_embedding_of_its_own(config: Config):
    model = build("lstm", config, seed=0)
    before = copy.deepcopy(model)
    unstructured(model, 0.5)
    for name, parameter in before.named_parameters():
        if "bias" in name or (name == "embedding.weight" and not config.tied):
            assert torch.equal(parameter, model.get_parameter(name)), name


def test_tied_weights_stay_tied():
    model = build("lstm", TIED, seed=0)
    unstructured(model, 0.5)
    assert model.projection.weight is model.embedding.weight
    assert (model.embedding.weight == 0).any()


def test_the_pruned_model_computes_with_its_zeros_and_can_be_copied_and_trained():
    model = build("lstm", TIED, seed=0)
    source, target = torch.randint(4, 40, (2, 3, 6))
    full = model(source, target)
    unstructured(model, 0.5)
    rebuilt = build("lstm", TIED)
    rebuilt.load_state_dict(model.state_dict())
    assert torch.equal(model(source, target), rebuilt(source, target))
    assert not torch.allclose(model(source, target), full)
    twin = copy.deepcopy(model)
    assert torch.equal(model(source, target), twin(source, target))
    before = float(TrainingStep(model, optimizer(model, "sgd", 0.1))(source, target))
    assert float(TrainingStep(model, optimizer(model, "sgd", 0.1))(source, target)) < before
    assert not torch.equal(model.encoder.weight_hh_l0, twin.encoder.weight_hh_l0)


def test_a_model_without_matrices_has_nothing_to_prune():
    assert unstructured(nn.LayerNorm(4), 0.5) == 0.0


@pytest.mark.parametrize("share", [-0.1, 1.0, 2.0, float("nan")])
def test_a_share_out_of_range_is_one_sentence(share: float):
    with pytest.raises(UserError, match="cannot be pruned"):
        unstructured(build("lstm", TIED), share)


def test_two_of_every_four_neighbours_go_and_they_are_the_smaller_ones():
    model = build("lstm", UNTIED, seed=0)
    before = copy.deepcopy(model)
    assert two_of_four(model) == sparsity(model) == 0.5
    for name in ("encoder.weight_ih_l0", "decoder.weight_hh_l1", "projection.weight"):
        old = before.get_parameter(name).detach().unflatten(1, (-1, 4))
        new = model.get_parameter(name).detach().unflatten(1, (-1, 4))
        assert ((new != 0).sum(-1) == 2).all()
        assert torch.equal(new[new != 0], old[new != 0])
        kept, gone = old.abs().sort(-1).values[..., 2:], old.abs().sort(-1).values[..., :2]
        assert torch.equal(new.abs().sort(-1).values[..., 2:], kept)
        assert (gone <= kept[..., :1]).all()
    assert torch.equal(model.embedding.weight, before.embedding.weight)


def test_rows_that_are_no_multiple_of_four_stay():
    linear = nn.Linear(6, 3)
    assert two_of_four(linear) == 0.0


def test_shares_rise_quickly_and_end_at_the_whole():
    assert gradual(0.8, 1) == [0.8]
    shares = gradual(0.8, 4)
    assert shares == pytest.approx([0.4625, 0.7, 0.7875, 0.8])
    assert shares[-1] == 0.8


@pytest.mark.parametrize("rounds", [0, -1])
def test_no_round_is_one_sentence(rounds: int):
    with pytest.raises(UserError, match="prunes nothing"):
        gradual(0.5, rounds)


def test_held_zeros_stay_while_the_rest_trains_and_grow_back_when_let_go():
    model = build("lstm", TIED, seed=0)
    unstructured(model, 0.1)
    before = copy.deepcopy(model)
    source, target = torch.randint(4, 40, (2, 3, 6), generator=torch.Generator().manual_seed(0))
    updating = optimizer(model, "adamw", 1e-2)
    held = keep_zeros(model, updating)
    step = TrainingStep(model, updating)
    for _ in range(3):
        step(source, target)
    assert sparsity(model) == sparsity(before) == pytest.approx(0.1, abs=1e-3)
    assert not torch.equal(model.encoder.weight_hh_l0, before.encoder.weight_hh_l0)
    held.remove()
    step(source, target)
    assert sparsity(model) < 0.05


def test_without_an_nvidia_device_the_zeros_are_masked_only_and_it_is_said():
    model = build("lstm", TIED, seed=0)
    two_of_four(model)
    kernels = use_sparse_kernels(model)
    assert (kernels.converted, kernels.of) == (0, 9)
    assert kernels.reason is not None
    assert kernels.reason.startswith("Masked only: sparse kernels run on NVIDIA devices")
    assert type(model.projection.weight) is nn.Parameter


def test_a_model_without_a_linear_has_no_sparse_kernel():
    assert "no Linear" in str(use_sparse_kernels(nn.LSTM(4, 4)).reason)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_on_an_nvidia_device_the_sparse_kernel_says_the_same():
    linear = nn.Linear(128, 256).to("cuda", torch.bfloat16)
    two_of_four(linear)
    x = torch.randn(64, 128, device="cuda", dtype=torch.bfloat16)
    expected = linear(x)
    kernels = use_sparse_kernels(linear)
    assert (kernels.converted, kernels.reason) == (1, None)
    torch.testing.assert_close(linear(x), expected, atol=2e-2, rtol=2e-2)
