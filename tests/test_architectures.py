"""What holds for every language model; what is particular to one stands in its own file."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model import corpus, shapes
from model.architectures import LanguageModel, build
from model.text import Text, Windows, load, pad
from model.train import Plan, TrainingStep, fit, held_out_loss, optimizer
from tests.small_models import CONFIGS, EVERY, LEARNERS, ROWS, counted, model_of, random_codes, stepped, unlearned

every = pytest.mark.parametrize(("architecture", "option"), EVERY)
EVERY_PRESET = [(name, size) for name in CONFIGS for size in shapes.load(name).PRESETS]


@pytest.fixture
def config(architecture: str, option: str) -> Any:
    return CONFIGS[architecture][option]


@pytest.fixture
def model(architecture: str, config: Any) -> LanguageModel:
    return model_of(architecture, config)


@every
@pytest.mark.parametrize("changed", [0, 2, 4])
def test_a_later_token_leaves_earlier_logits_unchanged(model: LanguageModel, changed: int):
    source, target = random_codes(3, 7), random_codes(3, 5)
    other = target.clone()
    other[:, changed] = (target[:, changed] + 1) % ROWS
    before, after = model(source, target), model(source, other)
    # logits at `changed` grade that token, so they too may not know it
    assert torch.equal(before[:, : changed + 1], after[:, : changed + 1])
    assert changed == 4 or not torch.allclose(before[:, changed + 1 :], after[:, changed + 1 :])


@every
@pytest.mark.parametrize("changed", [0, 3, 6])
def test_the_first_logits_depend_on_each_token_of_the_source(model: LanguageModel, changed: int):
    source, target = random_codes(3, 7), random_codes(3, 5)
    other = source.clone()
    other[:, changed] = (source[:, changed] + 1) % ROWS
    difference = (model(source, target) - model(other, target))[:, 0].abs().amax(dim=-1)  # (B,)
    assert (difference > 0).all()


@every
@pytest.mark.parametrize("room", [0, 5])
def test_steps_give_the_logits_of_the_full_pass(model: LanguageModel, room: int):
    source, target = random_codes(3, 7), random_codes(3, 5)
    torch.testing.assert_close(stepped(model, source, target, room=room), model(source, target), atol=1e-5, rtol=0)


@every
def test_a_state_can_be_started_from_anew(model: LanguageModel):
    source, target = random_codes(3, 4), random_codes(3, 2)
    tokens, state = model.first(source), model.prefill(source)
    logits, further = model.step(tokens, state)
    model.step(target[:, 0], further)
    assert torch.equal(model.step(tokens, state)[0], logits)


@every
def test_a_prompt_of_one_token_is_enough(model: LanguageModel):
    source, target = random_codes(2, 1), random_codes(2, 3)
    torch.testing.assert_close(stepped(model, source, target), model(source, target), atol=1e-5, rtol=0)


@every
@settings(max_examples=8, deadline=None)
@given(sources=st.lists(st.lists(st.integers(4, 19), min_size=1, max_size=6), min_size=1, max_size=4))
def test_padding_changes_nothing(architecture: str, option: str, sources: list[list[int]]):
    model = model_of(architecture, CONFIGS[architecture][option])
    codes, lengths, _ = pad(sources)
    target = random_codes(len(sources), 3)
    alone = torch.cat([model(torch.tensor([s]), target[i : i + 1]) for i, s in enumerate(sources)])
    tolerance = 1e-5 * max(1.0, float(alone.detach().abs().max()))
    torch.testing.assert_close(model(codes, target, lengths), alone, atol=tolerance, rtol=0)
    torch.testing.assert_close(stepped(model, codes, target, lengths), alone, atol=tolerance, rtol=0)


@every
def test_a_seed_decides_the_weights(architecture: str, config: Any):
    first, same, other = (build(architecture, config, seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


@every
def test_training_reaches_every_weight(architecture: str, config: Any):
    model = model_of(architecture, config)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    TrainingStep(model, optimizer(model, "adamw", 1e-2))(random_codes(2, 6), random_codes(2, 4))
    assert [name for name, parameter in model.named_parameters() if torch.equal(before[name], parameter)] == []


@every
@pytest.mark.parametrize(("batch", "read", "generated"), [(1, 1, 1), (2, 5, 3), (3, 2, 7)])
def test_flops_are_what_torch_counts(architecture: str, config: Any, batch: int, read: int, generated: int):
    model = build(architecture, config)
    source, target = random_codes(batch, read), random_codes(batch, generated)

    def declared(phase: shapes.Phase) -> int:
        return shapes.load(architecture).costs(config, shapes.Work(phase, batch, read, generated)).flops

    def decode() -> None:
        tokens, state = model.first(source), before
        for _ in range(generated):
            _, state = model.step(tokens, state)

    step = TrainingStep(model, optimizer(model, "adamw", 1e-3))
    assert counted(lambda: step(source, target)) == declared("train")
    with torch.no_grad():
        before = model.prefill(source)
        assert counted(lambda: model.prefill(source)) == declared("prefill")
        assert counted(decode) == declared("decode")


@every
def test_parameters_are_those_of_the_module(architecture: str, config: Any):
    declared = shapes.load(architecture).costs(config, shapes.Work("prefill", 1, 2, 1)).parameters
    assert declared == sum(parameter.numel() for parameter in build(architecture, config).parameters())


@pytest.mark.parametrize(("architecture", "size"), EVERY_PRESET)
def test_every_preset_is_buildable_with_the_parameters_it_declares(architecture: str, size: str):
    config = shapes.load(architecture).PRESETS[size]
    with torch.device("meta"):  # takes no memory, whatever the size
        model = build(architecture, config)
    declared = shapes.load(architecture).costs(config, shapes.Work("train", 1, 2, 1)).parameters
    assert declared == sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("size", ["nano", "tiny", "small", "base"])
@pytest.mark.parametrize("architecture", sorted(CONFIGS))
def test_presets_of_one_name_have_equal_vocabulary_and_parameters(architecture: str, size: str):
    work = shapes.Work("train", 1, 2, 1)
    own, reference = shapes.load(architecture).PRESETS[size], shapes.load("lstm").PRESETS[size]
    assert own.vocabulary == reference.vocabulary
    expected = shapes.load("lstm").costs(reference, work).parameters
    assert shapes.load(architecture).costs(own, work).parameters == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("architecture", sorted(LEARNERS))
def test_every_architecture_learns_twenty_sentences_by_heart(architecture: str):
    assert unlearned(architecture) == 0


@pytest.fixture(scope="module")
def some_text(tmp_path_factory: pytest.TempPathFactory) -> Text:
    path = tmp_path_factory.mktemp("corpus") / "manual.txt"
    path.write_text(corpus.read(None).text[:60_000], encoding="utf-8")
    return load(path, rows=400)


@pytest.mark.parametrize("architecture", sorted(LEARNERS))
def test_training_lowers_the_held_out_loss_of_every_architecture(architecture: str, some_text: Text):
    model = build(architecture, LEARNERS[architecture](400), seed=0)
    before = held_out_loss(model, Windows(some_text.held_out, 16, 16, stride=16), 16)
    (epoch,) = fit(model, some_text, Plan(epochs=1, sequence_length=16, generated_length=16, learning_rate=1e-2))
    assert before == pytest.approx(math.log(400), rel=0.05)  # it knows nothing yet
    assert epoch.held_out_loss < before - 1


@every
def test_dropout_acts_in_training_only(architecture: str, config: Any):
    model = model_of(architecture, replace(config, dropout=0.5)).train()
    source, target = random_codes(2, 4), random_codes(2, 4)
    assert not torch.equal(model(source, target), model(source, target))
    model.eval()
    assert torch.equal(model(source, target), model(source, target))
