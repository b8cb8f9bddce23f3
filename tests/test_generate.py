from typing import Any

import pytest
import torch
from torch import Tensor

from model.architectures import LanguageModel, build
from model.errors import UserError
from model.generate import generate
from model.shapes.lstm import Config
from model.text import BOS, EOS, PAD, pad

CONFIG = Config(vocabulary=20, embedding=8, hidden=8, layers=1)


class Scripted(LanguageModel):
    """A model whose logits are given: row i of `script` (B, steps, V) is what step i says."""

    def __init__(self, script: Tensor) -> None:
        super().__init__()
        self.script = script

    def forward(self, source: Tensor, target: Tensor, lengths: Tensor | None = None) -> Tensor:
        return self.script

    def prefill(self, source: Tensor, lengths: Tensor | None = None, steps: int = 0) -> Any:
        return 0

    def first(self, source: Tensor, lengths: Tensor | None = None) -> Tensor:
        return source.new_full((len(source),), BOS)

    def step(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        return self.script[:, state].clone(), state + 1


def scripted(*sequences: list[int]) -> Scripted:
    return Scripted(torch.nn.functional.one_hot(torch.tensor(sequences), 10).float())


SOURCE = torch.full((2, 3), 5)


def test_each_sequence_ends_at_its_own_end_and_padding_follows():
    model = scripted([6, EOS, 7, 8, 9], [6, 7, 8, EOS, 9])
    assert generate(model, SOURCE, 5).tolist() == [[6, EOS, PAD, PAD], [6, 7, 8, EOS]]


def test_generation_stops_at_the_limit():
    assert generate(scripted([6, 7, 8], [7, 8, 9]), SOURCE, 2).tolist() == [[6, 7], [7, 8]]


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_padding_and_the_beginning_are_never_generated(temperature: float):
    logits = torch.zeros(2, 200, 6)
    logits[..., PAD] = logits[..., BOS] = 50.0
    logits[..., EOS] = -50.0
    generator = torch.Generator().manual_seed(0)
    found = generate(Scripted(logits), SOURCE, 200, temperature=temperature, generator=generator)
    assert found.shape == (2, 200)
    assert not set(found.flatten().tolist()) & {PAD, BOS}


def test_greedy_takes_the_likeliest_of_the_real_model():
    model, source = build("lstm", CONFIG, seed=3).eval(), torch.randint(4, 20, (3, 6))
    found = generate(model, source, 5)
    for row, codes in zip(source, found, strict=True):
        ended = int((codes == EOS).nonzero()[0]) + 1 if (codes == EOS).any() else len(codes)
        logits = model(row.unsqueeze(0), codes[None, :ended])
        logits[..., [PAD, BOS]] = -torch.inf
        assert codes[:ended].tolist() == logits[0].argmax(dim=-1).tolist()


def test_padded_sources_generate_what_each_would_alone():
    model = build("lstm", CONFIG, seed=3)
    sources = [[5, 6, 7], [8], [9, 10]]
    codes, lengths, _ = pad(sources)
    together = generate(model, codes, 4, lengths=lengths)
    for row, source in zip(together, sources, strict=True):
        alone = generate(model, torch.tensor([source]), 4)[0]
        assert row[: len(alone)].tolist() == alone.tolist()


def test_a_seed_decides_what_is_drawn():
    model, source = build("lstm", CONFIG, seed=3), torch.randint(4, 20, (4, 6))
    first, same, other = (
        generate(model, source, 12, temperature=1.0, generator=torch.Generator().manual_seed(seed))
        for seed in (1, 1, 2)
    )
    assert torch.equal(first, same)
    assert first.shape != other.shape or not torch.equal(first, other)


def test_draws_follow_the_softmax_of_logits_over_temperature():
    logits = torch.full((1, 4000, 6), -torch.inf)
    logits[..., 4], logits[..., 5] = 0.0, 1.0
    generator = torch.Generator().manual_seed(0)
    found = generate(Scripted(logits), SOURCE[:1], 4000, temperature=0.5, generator=generator)
    # softmax of 0 and 2; 4 standard deviations of a share at n = 4000 are 0.021
    assert float((found == 5).float().mean()) == pytest.approx(0.8808, abs=0.021)


def test_top_k_draws_from_the_likeliest_only():
    logits = torch.arange(10.0).repeat(1, 300, 1) / 10
    generator = torch.Generator().manual_seed(0)
    found = generate(Scripted(logits), SOURCE[:1], 300, temperature=1.0, top_k=3, generator=generator)
    assert set(found.flatten().tolist()) == {7, 8, 9}


@pytest.mark.parametrize(
    ("wrong", "told"), [({"length": 0}, "length"), ({"temperature": -1.0}, "temperature"), ({"top_k": 0}, "top_k")]
)
def test_a_wish_that_cannot_be_is_one_sentence(wrong: dict[str, Any], told: str):
    with pytest.raises(UserError, match=told):
        generate(build("lstm", CONFIG), SOURCE, **({"length": 3} | wrong))
