from dataclasses import dataclass, replace

import pytest
import torch
from torch import nn

from model.architectures import build
from model.errors import Unsupported, UserError
from model.generate import generate
from model.quantize import stored_bytes
from model.shapes import Work
from model.shapes.lstm import Config, costs
from model.structured import Cut, Group, narrow, narrowed, structured
from model.train import TrainingStep, optimizer

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


@pytest.mark.parametrize("share", [-0.1, 1.0, float("nan")])
def test_a_share_out_of_range_is_one_sentence(share: float):
    with pytest.raises(UserError, match="cannot be pruned"):
        narrowed("lstm", TIED, share)


def test_an_architecture_without_units_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delattr("model.shapes.lstm.narrowed")
    with pytest.raises(Unsupported, match="no units"):
        narrowed("lstm", TIED, 0.5)


@dataclass(frozen=True)
class BlockConfig:
    """A Transformer block whose heads have a width of their own, so that their number can change."""

    width: int = 8
    heads: int = 4
    head_width: int = 2
    feed_forward: int = 12


class Block(nn.Module):
    """Attention with one matrix for queries, keys and values, then a feed-forward pair, each beside a residual."""

    def __init__(self, config: BlockConfig) -> None:
        super().__init__()
        inner = config.heads * config.head_width
        self.heads = config.heads
        self.qkv = nn.Linear(config.width, 3 * inner)
        self.out = nn.Linear(inner, config.width)
        self.up = nn.Linear(config.width, config.feed_forward)
        self.down = nn.Linear(config.feed_forward, config.width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in self.qkv(x).chunk(3, -1)
        )  # (B, heads, T, head_width) each
        mixed = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2)
        x = x + self.out(mixed)
        return x + self.down(self.up(x).relu())


def block_units(config: BlockConfig) -> list[Group]:
    inner = config.heads * config.head_width
    head = torch.arange(inner).view(config.heads, config.head_width)
    thrice = torch.cat([head, head + inner, head + 2 * inner], 1)  # (heads, 3 * head_width)
    unit = torch.arange(config.feed_forward).unsqueeze(1)
    return [
        Group("heads", (Cut("qkv.weight", 0, thrice), Cut("qkv.bias", 0, thrice), Cut("out.weight", 1, head))),
        Group("feed_forward", (Cut("up.weight", 0, unit), Cut("up.bias", 0, unit), Cut("down.weight", 1, unit))),
    ]


def test_heads_and_feed_forward_units_of_a_transformer_block_are_removed_alike():
    torch.manual_seed(0)
    config = BlockConfig()
    block = Block(config)
    x = torch.randn(2, 5, 8)
    with torch.no_grad():
        for head in (0, 2):
            block.qkv.weight.unflatten(0, (3, 4, 2))[:, head] = 0
            block.qkv.bias.unflatten(0, (3, 4, 2))[:, head] = 0
            block.out.weight[:, 2 * head : 2 * head + 2] = 0
        block.up.weight[[1, 5, 11]] = 0
        block.up.bias[[1, 5, 11]] = 0
        block.down.weight[:, [1, 5, 11]] = 0
    smaller = replace(config, heads=2, feed_forward=9)
    made = Block(smaller)
    made.load_state_dict(narrow(dict(block.named_parameters()), block_units(config), smaller))
    torch.testing.assert_close(made(x), block(x), atol=1e-6, rtol=1e-5)
