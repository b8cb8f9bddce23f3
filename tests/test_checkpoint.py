import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from model.architectures import build, build_classifier
from model.checkpoint import ENTRY, Checkpoint, load, save
from model.errors import UserError
from model.shapes import classifier
from model.shapes.lstm import Config
from model.text import SPECIALS, Vocabulary

TIED = Config(vocabulary=12, embedding=6, hidden=6, layers=2, dropout=0.1)
UNTIED = Config(vocabulary=12, embedding=4, hidden=6, layers=1)
VOCABULARY = Vocabulary.of(["été", "<b>", "a", "a"], rows=12)


def saved(path: Path, config: Config = TIED) -> Checkpoint:
    checkpoint = Checkpoint(build("lstm", config, seed=1), "lstm", config, VOCABULARY, {"stop_words": True})
    save(path, checkpoint)
    return checkpoint


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.safetensors"


@pytest.mark.parametrize("config", [TIED, UNTIED])
def test_a_checkpoint_comes_back_as_it_was(path: Path, config: Config):
    before, after = saved(path, config), load(path)
    assert (after.architecture, after.config, after.vocabulary) == ("lstm", config, VOCABULARY)
    assert after.text_options == {"stop_words": True}
    for name, tensor in before.model.state_dict().items():
        assert torch.equal(tensor, after.model.state_dict()[name]), name
    assert (after.model.projection.weight is after.model.embedding.weight) == config.tied
    assert not after.model.training


def test_a_classifier_comes_back_with_its_labels(path: Path):
    config = classifier.Config(vocabulary=12, hidden=8, layers=1, classes=2, encoder="cnn")
    model = build_classifier("classifier", config, seed=1)
    save(path, Checkpoint(model, "classifier", config, VOCABULARY, {}, labels=("bad", "good")))
    after = load(path)
    assert after.labels == ("bad", "good")
    assert torch.equal(after.model.head.weight, model.head.weight)


def test_a_classifier_without_a_name_for_each_class_is_one_sentence(path: Path):
    config = classifier.Config(vocabulary=12, hidden=8, layers=1, classes=3, encoder="cnn")
    model = build_classifier("classifier", config, seed=1)
    save(path, Checkpoint(model, "classifier", config, VOCABULARY, {}, labels=("bad", "good")))
    with pytest.raises(UserError, match="2 labels for 3 classes"):
        load(path)


def test_tied_weights_are_stored_once(path: Path):
    saved(path)
    assert "projection.weight" not in load_file(path)


def test_nothing_else_is_left_in_the_folder(path: Path):
    saved(path)
    saved(path)
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_one_sentence(tmp_path: Path):
    with pytest.raises(UserError, match="cannot be written"):
        saved(tmp_path / "nowhere" / "model.safetensors")


def test_a_failed_write_keeps_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch):
    saved(path)
    before = path.read_bytes()

    def full(self: Path, raw: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(UserError, match="No space left"):
        saved(path, UNTIED)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def tampered(path: Path, change: Callable[[dict[str, torch.Tensor], dict[str, Any]], object]) -> None:
    """Rewrite a good checkpoint after `change` has had its tensors and its description."""
    saved(path)
    with safe_open(path, framework="pt") as file:
        entry = json.loads(file.metadata()[ENTRY])
    tensors = load_file(path)
    change(tensors, entry)
    save_file(tensors, path, {ENTRY: json.dumps(entry)})


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda tensors, entry: tensors.pop("encoder.bias_hh_l1"), r"lacks encoder\.bias_hh_l1\."),
        (lambda tensors, entry: tensors.update(more=torch.ones(1)), r"has beyond its architecture more\."),
        (
            lambda tensors, entry: tensors.update({"projection.bias": torch.ones(11)}),
            r"has in another shape projection\.bias\.",
        ),
        (lambda tensors, entry: entry["config"].update(layers=1), "beyond its architecture decoder.bias_hh_l1"),
        (lambda tensors, entry: entry["config"].update(layers=10**9), "layers = 1000000000 is no dimension"),
        (lambda tensors, entry: entry["config"].update(heads=2), "dimensions that 'lstm' does not have"),
        (lambda tensors, entry: entry["config"].clear(), "dimensions that 'lstm' does not have"),
        (lambda tensors, entry: entry.update(config=7), "dimensions that 'lstm' does not have"),
        (lambda tensors, entry: entry.update(architecture="os"), "unknown architecture 'os'"),
        (lambda tensors, entry: entry.update(architecture=[1]), "unknown architecture"),
        (
            lambda tensors, entry: entry.update(
                architecture="hf", config={"path": "someone/evil", "trust_remote_code": True}
            ),
            "names a model of transformers",
        ),
        (lambda tensors, entry: entry.update(labels=["a"]), "1 labels for 0 classes"),
        (lambda tensors, entry: entry.update(labels=[1]), "carries no description"),
        (lambda tensors, entry: entry.update(labels=1), "carries no description"),
        (lambda tensors, entry: entry.update(format=2), "has format 2"),
        (lambda tensors, entry: entry.pop("vocabulary"), "carries no description"),
        (lambda tensors, entry: entry.update(vocabulary=[1]), "carries no description"),
        (lambda tensors, entry: entry.update(vocabulary=["a"]), "no vocabulary"),
        (lambda tensors, entry: entry.update(vocabulary=[*SPECIALS, *map(str, range(10_000))]), "words for"),
        (lambda tensors, entry: entry.update(text_options=[]), "carries no description"),
        (lambda tensors, entry: entry.update(text_options={"stems": "yes"}), "carries no description"),
    ],
)
def test_a_checkpoint_that_does_not_fit_names_the_defect(path: Path, change: Any, told: str):
    tampered(path, change)
    with pytest.raises(UserError, match=told):
        load(path)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "There is no checkpoint"),
        (b"", "not a whole safetensors file"),
        (b"some text that is long enough for a header", "not a whole safetensors file"),
        (pickle.dumps({"weight": [1.0]}), "not a whole safetensors file"),
    ],
)
def test_what_is_no_checkpoint_is_one_sentence(path: Path, content: bytes | None, told: str):
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=told):
        load(path)


def test_a_truncated_checkpoint_is_one_sentence(path: Path):
    saved(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match="not a whole safetensors file"):
        load(path)


def test_a_folder_is_no_checkpoint(tmp_path: Path):
    with pytest.raises(UserError, match="cannot be read"):
        load(tmp_path)


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}, {ENTRY: "no json"}, {ENTRY: "[]"}])
def test_a_stranger_s_safetensors_file_is_told_apart(path: Path, metadata: dict[str, str] | None):
    save_file({"weight": torch.ones(2)}, path, metadata)
    with pytest.raises(UserError, match="carries no description"):
        load(path)
