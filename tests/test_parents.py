from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
import torch

from model import checkpoint
from model.errors import UserError
from model.parents import Recipe, hold_out, parent
from model.shapes.lstm import Config
from model.text import Text, Vocabulary, Windows
from model.train import Plan, held_out_loss

CONFIG = Config(vocabulary=40, embedding=8, hidden=8, layers=1)
PLAN = Plan(epochs=2, batch_size=4, sequence_length=6, generated_length=4, learning_rate=1e-2)
RECIPE = Recipe("lstm", CONFIG, PLAN, budget_s=1000.0)


def some_text(seed: int = 0) -> Text:
    words = [f"w{number}" for number in range(36)]
    codes = (torch.arange(300) * 7 % 36) + 4
    codes[::5] = torch.randint(4, 40, (60,), generator=torch.Generator().manual_seed(seed))
    return Text(codes[:240], codes[240:], Vocabulary.of(words, rows=40), f"hash {seed}", "made up")


def ticking(step_s: float) -> Callable[[], float]:
    """A clock that advances by `step_s` whenever it is read."""
    readings = count()
    return lambda: next(readings) * step_s


def test_a_parent_is_trained_once_and_then_comes_from_the_folder(tmp_path: Path):
    made = parent(RECIPE, some_text(), tmp_path)
    kept = parent(RECIPE, some_text(), tmp_path)
    assert (made.from_cache, kept.from_cache) == (False, True)
    assert replace(kept, model=made.model, from_cache=False) == made
    for name, tensor in made.model.state_dict().items():
        assert torch.equal(tensor, kept.model.state_dict()[name]), name
    assert not kept.model.training
    assert len(list(tmp_path.iterdir())) == 1


def test_training_lowers_the_loss_and_what_it_took_is_told(tmp_path: Path):
    text = some_text()
    made = parent(RECIPE, text, tmp_path)
    held_out = Windows(text.held_out, 6, 4, stride=4)
    untrained = parent(replace(RECIPE, plan=replace(PLAN, epochs=1), budget_s=1e-9), text, None)
    assert untrained.steps == 1  # the budget is looked at after a step
    assert made.held_out_loss < untrained.held_out_loss - 0.02
    assert made.held_out_loss == pytest.approx(held_out_loss(made.model, held_out, 4))
    assert made.steps == 2 * 15  # 58 windows in batches of 4, two epochs
    stored = checkpoint.load(next(tmp_path.iterdir()))
    assert stored.training == {"steps": 30, "seconds": made.seconds, "held_out_loss": made.held_out_loss}


def test_the_budget_ends_training_before_the_epochs_do():
    made = parent(replace(RECIPE, budget_s=10.0), some_text(), None, clock=ticking(1.0))
    assert 1 < made.steps < 10
    assert made.seconds >= 10.0


def test_the_same_recipe_makes_the_same_parent():
    one, other = (parent(RECIPE, some_text(), None, clock=ticking(0.1)) for _ in range(2))
    assert one.held_out_loss == other.held_out_loss


@pytest.mark.parametrize(
    "changed",
    [
        {"config": replace(CONFIG, hidden=7)},
        {"plan": replace(PLAN, seed=1)},
        {"plan": replace(PLAN, learning_rate=2e-2)},
        {"budget_s": 999.0},
        {"text_options": {"stems": True}},
        {"architecture": "rnn"},
    ],
)
def test_whatever_makes_a_parent_is_in_its_key(changed: dict[str, object]):
    assert replace(RECIPE, **changed).key(some_text()) != RECIPE.key(some_text())


def test_another_text_another_division_and_another_torch_have_another_key(monkeypatch: pytest.MonkeyPatch):
    text = some_text()
    keys = {RECIPE.key(text), RECIPE.key(some_text(seed=1)), RECIPE.key(hold_out(text, 0.5))}
    monkeypatch.setattr(torch, "__version__", "9.9.9")
    assert len(keys | {RECIPE.key(text)}) == 4
    assert RECIPE.key(some_text()) == RECIPE.key(text)


@pytest.mark.parametrize(
    "damage", [lambda raw: raw[:-20], lambda raw: raw[:-1] + bytes([raw[-1] ^ 1]), lambda raw: b""]
)
def test_a_damaged_parent_is_made_again(tmp_path: Path, damage: Callable[[bytes], bytes]):
    made = parent(RECIPE, some_text(), tmp_path)
    path = next(tmp_path.iterdir())
    path.write_bytes(damage(path.read_bytes()))
    again = parent(RECIPE, some_text(), tmp_path)
    assert (again.from_cache, again.held_out_loss) == (False, made.held_out_loss)
    assert parent(RECIPE, some_text(), tmp_path).from_cache


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    assert not parent(RECIPE, some_text(), blocked / "cache").from_cache


@pytest.mark.filterwarnings("ignore:lr_scheduler")
def test_a_loss_that_is_not_finite_is_one_sentence_and_keeps_nothing(tmp_path: Path):
    reckless = replace(RECIPE, plan=replace(PLAN, optimizer="sgd", learning_rate=1e38))
    with pytest.raises(UserError, match="Lower the learning rate"):
        parent(reckless, some_text(), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("budget_s", [0.0, -1.0, float("nan")])
def test_a_budget_of_nothing_is_one_sentence(budget_s: float):
    with pytest.raises(UserError, match="trains nothing"):
        Recipe("lstm", CONFIG, PLAN, budget_s)


def test_more_can_be_held_out_and_every_token_stays():
    text = some_text()
    half = hold_out(text, 0.5)
    assert (len(half.train), len(half.held_out)) == (150, 150)
    assert torch.equal(torch.cat([half.train, half.held_out]), torch.cat([text.train, text.held_out]))


@pytest.mark.parametrize("share", [0.0, 1.0, -1.0, float("nan")])
def test_a_share_that_leaves_a_part_empty_is_one_sentence(share: float):
    with pytest.raises(UserError, match="cannot be held out"):
        hold_out(some_text(), share)
