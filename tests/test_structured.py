from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from model import plugins, shapes
from model.architectures import build
from model.architectures._recurrent import layer_cuts
from model.errors import Unsupported, UserError
from model.generate import generate
from model.quantize import stored_bytes
from model.shapes import Work
from model.shapes.lstm import Config, costs
from model.structured import Group, narrowed, structured
from model.train import TrainingStep, optimizer
from tests.small_models import CONFIGS, EVERY, counted, model_of, random_codes, stepped

TIED = Config(vocabulary=40, embedding=16, hidden=16, layers=2)
UNTIED = Config(vocabulary=40, embedding=12, hidden=16, layers=3)


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    source, target = torch.randint(4, 40, (2, 3, 6), generator=torch.Generator().manual_seed(0))
    return source, target


def silence_unit(model: nn.Module, config: Config, layer: int, unit: int) -> None:
    """Set to zero what unit `unit` of a layer reads, adds and is read by, so that it is always 0."""
    gates = [gate * config.hidden + unit for gate in range(4)]
    with torch.no_grad():
        for stack in (model.encoder, model.decoder):
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                getattr(stack, f"{name}_l{layer}")[gates] = 0
            getattr(stack, f"weight_hh_l{layer}")[:, unit] = 0
            if layer + 1 < config.layers:
                getattr(stack, f"weight_ih_l{layer + 1}")[:, unit] = 0
        if layer == config.layers - 1:
            model.projection.weight[:, unit] = 0
            if config.tied:
                for stack in (model.encoder, model.decoder):
                    stack.weight_ih_l0[:, unit] = 0


@pytest.mark.parametrize("config", [TIED, UNTIED])
def test_units_that_say_nothing_are_the_ones_removed_and_the_model_says_the_same(config: Config):
    model = build("lstm", config, seed=0).eval()
    for layer in range(config.layers):
        for unit in (1, 6, 13, 15) if layer % 2 else (0, 3, 4, 9):
            silence_unit(model, config, layer, unit)
    expected = model(*batch())
    smaller = narrowed("lstm", config, 0.25)
    assert smaller.hidden == 12 + (config is UNTIED)  # 12 is the width of the untied embedding: see the next test
    found = structured(model, "lstm", config, smaller)
    torch.testing.assert_close(found(*batch()), expected, atol=1e-6, rtol=1e-5)


def test_widths_that_come_out_equal_by_chance_do_not_tie_two_matrices():
    smaller = narrowed("lstm", UNTIED, 0.25)
    assert (smaller.hidden, smaller.tied) == (13, False)


@pytest.mark.parametrize("config", [TIED, UNTIED])
@pytest.mark.parametrize("share", [0.3, 0.5, 0.99])
def test_the_matrices_really_shrink(config: Config, share: float):
    smaller = narrowed("lstm", config, share)
    made = structured(build("lstm", config, seed=0), "lstm", config, smaller)
    assert made.encoder.hidden_size == made.decoder.hidden_size == smaller.hidden
    assert made.decoder.weight_hh_l1.shape == (4 * smaller.hidden, smaller.hidden)
    assert made.projection.weight.shape == (40, smaller.hidden)
    assert stored_bytes(made) == costs(smaller, Work("prefill", 1, 1, 1)).weights_B
    assert (made.projection.weight is made.embedding.weight) == config.tied


def test_a_share_of_nothing_keeps_the_model_as_it_was():
    model = build("lstm", TIED, seed=0).eval()
    made = structured(model, "lstm", TIED, narrowed("lstm", TIED, 0.0))
    assert torch.equal(made(*batch()), model(*batch()))
    assert not made.training


def test_format_and_draws_of_dropout_stay_as_they_were():
    model = build("lstm", TIED, seed=0).bfloat16()
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    made = structured(model, "lstm", TIED, narrowed("lstm", TIED, 0.5))
    assert torch.rand(1) == expected
    assert made.projection.weight.dtype == torch.bfloat16


def test_the_smaller_model_trains_and_generates():
    made = structured(build("lstm", TIED, seed=0), "lstm", TIED, narrowed("lstm", TIED, 0.5))
    step = TrainingStep(made, optimizer(made, "adamw", 1e-2))
    assert step(*batch()) > step(*batch()) > 0
    assert generate(made, batch()[0], 3).shape[0] == 3


every = pytest.mark.parametrize(("architecture", "option"), EVERY)


def units_of(architecture: str, config: Any) -> tuple[Group, ...]:
    return plugins.load("model.architectures", architecture).units(config)


def silence(model: nn.Module, groups: Sequence[Group], smaller: Any) -> None:
    """Set to zero, in each group, as many random units as `smaller` has no place for."""
    parameters = dict(model.named_parameters())
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for group in groups:
            units = len(group.cuts[0].members)
            silent = torch.randperm(units, generator=generator)[: units - getattr(smaller, group.count)]
            for cut in group.cuts:
                parameters[cut.parameter].index_fill_(cut.dim, cut.members[silent].flatten(), 0.0)


@every
@pytest.mark.parametrize("share", [0.25, 0.5, 0.7])
def test_units_of_zeros_leave_the_logits_of_every_architecture_as_they_were(
    architecture: str, option: str, share: float
):
    config = CONFIGS[architecture][option]
    smaller = narrowed(architecture, config, share)
    model = model_of(architecture, config)
    silence(model, units_of(architecture, config), smaller)
    source, target = random_codes(3, 6), random_codes(3, 5)
    found = structured(model, architecture, config, smaller)
    assert stored_bytes(found) < stored_bytes(model)
    torch.testing.assert_close(found(source, target), model(source, target), atol=1e-5, rtol=0)
    torch.testing.assert_close(stepped(found, source, target), model(source, target), atol=1e-5, rtol=0)


@every
@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_costs_after_pruning_are_those_of_the_smaller_model(architecture: str, option: str, share: float):
    config = CONFIGS[architecture][option]
    smaller = narrowed(architecture, config, share)
    made = structured(model_of(architecture, config), architecture, config, smaller)
    source, target = random_codes(2, 5), random_codes(2, 3)

    def declared(phase: shapes.Phase) -> shapes.Costs:
        return shapes.load(architecture).costs(smaller, shapes.Work(phase, 2, 5, 3))

    assert declared("train").weights_B == stored_bytes(made)
    step = TrainingStep(made, optimizer(made, "adamw", 1e-3))
    assert declared("train").flops == counted(lambda: step(source, target))
    with torch.no_grad():
        assert declared("prefill").flops + declared("decode").flops == counted(lambda: stepped(made, source, target))


@every
def test_a_share_of_nothing_removes_nothing(architecture: str, option: str):
    config = CONFIGS[architecture][option]
    model, same = model_of(architecture, config), narrowed(architecture, config, 0.0)
    source, target = random_codes(2, 5), random_codes(2, 3)
    assert torch.equal(structured(model, architecture, config, same)(source, target), model(source, target))
    for phase in ("train", "prefill", "decode"):
        work = shapes.Work(phase, 2, 5, 3)
        assert shapes.load(architecture).costs(same, work) == shapes.load(architecture).costs(config, work)


@every
def test_of_every_group_one_unit_stays_whatever_the_share(architecture: str, option: str):
    config = CONFIGS[architecture][option]
    smaller = narrowed(architecture, config, 0.999)
    assert {getattr(smaller, group.count) for group in units_of(architecture, config)} == {1}


@pytest.mark.parametrize("architecture", sorted(CONFIGS))
def test_pruning_in_two_rounds_leaves_as_much_as_in_one(architecture: str):
    for config in CONFIGS[architecture].values():
        half, most = (narrowed(architecture, config, share) for share in (0.5, 0.75))
        made = structured(model_of(architecture, config), architecture, config, half)
        made = structured(made, architecture, half, most)
        assert stored_bytes(made) == shapes.load(architecture).costs(most, shapes.Work("train", 1, 2, 1)).weights_B


def test_a_head_of_keys_goes_with_the_heads_of_queries_that_look_at_it():
    """Of 4 heads of queries, the first two look at the first head of keys; a head is 4 wide, the model 16."""
    config = CONFIGS["transformer"]["llama"]
    smaller = narrowed("transformer", config, 0.5)
    assert (smaller.heads, smaller.kv_heads, smaller.head_width, smaller.query_width) == (2, 1, 4, 8)
    model = model_of("transformer", config)
    attention = model.blocks[1].attention
    with torch.no_grad():
        attention.out.weight[:, :8] *= 1e-3
        attention.qkv.weight[16:20] *= 1e-3  # its keys
        attention.qkv.weight[24:28] *= 1e-3  # its values
        attention.qkv.weight[:8] *= 1e-3
    made = structured(model, "transformer", config, smaller).blocks[1].attention
    rows = [*range(8, 16), *range(20, 24), *range(28, 32)]
    assert torch.equal(made.qkv.weight, attention.qkv.weight[rows])
    assert torch.equal(made.out.weight, attention.out.weight[:, 8:])


def test_a_unit_behind_a_gate_takes_its_row_of_the_gate_along():
    config = replace(CONFIGS["transformer"]["llama"], feed_forward=6)
    model = model_of("transformer", config)
    layer = model.blocks[0].feed_forward
    with torch.no_grad():
        layer.up.weight[[1, 6 + 1, 4, 6 + 4]] *= 1e-3
        layer.down.weight[:, [1, 4]] *= 1e-3
    smaller = narrowed("transformer", config, 1 / 3)
    made = structured(model, "transformer", config, smaller).blocks[0].feed_forward
    assert torch.equal(made.up.weight, layer.up.weight[[0, 2, 3, 5, 6, 8, 9, 11]])
    assert torch.equal(made.down.weight, layer.down.weight[:, [0, 2, 3, 5]])


def test_the_bridge_of_a_cnn_loses_the_first_states_of_each_layers_lost_units():
    """Of 2 layers of 8 units, the bridge makes h of the first, h of the second, c of the first and c of the second."""
    config = CONFIGS["cnn"]["tied"]
    model = model_of("cnn", config)
    silent = [8 * block + unit for block, unit in ((0, 3), (1, 5), (2, 3), (3, 5))]
    with torch.no_grad():
        for layer, unit in ((0, 3), (1, 5)):
            for cut in layer_cuts("decoder", layer, config.decoder, gates=4):
                parameter = dict(model.decoder.named_parameters())[cut.parameter.removeprefix("decoder.")]
                parameter.index_fill_(cut.dim, cut.members[unit], 0.0)
        model.bridge.weight[silent] = 0
        model.bridge.bias[silent] = 1e-3  # told apart from what stays
    made = structured(model, "cnn", config, narrowed("cnn", config, 1 / 8))
    kept = [row for row in range(32) if row not in silent]
    assert torch.equal(made.bridge.bias, model.bridge.bias[kept])


@pytest.mark.parametrize("share", [-0.1, 1.0, float("nan")])
def test_a_share_out_of_range_is_one_sentence(share: float):
    with pytest.raises(UserError, match="cannot be pruned"):
        narrowed("lstm", TIED, share)


def test_an_architecture_without_units_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delattr("model.shapes.lstm.narrowed")
    with pytest.raises(Unsupported, match="no units"):
        narrowed("lstm", TIED, 0.5)
