import copy

import pytest
import torch
from torch import nn

from model.architectures import build
from model.prune import sparsity, unstructured
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
