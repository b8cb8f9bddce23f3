from pathlib import Path

import pytest
import torch

from model.errors import UserError
from model.labelled import CHAPTERS, batches, load, load_pairs
from model.shapes.classifier import PRESETS
from model.text import EOS, UNK
from model.tsv import read_tsv


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    path = tmp_path / "reviews.tsv"
    lines = [f"good\tI like film number {i}, it is fine." for i in range(20)]
    lines += [f"bad\tI hate film number {i}, it is dull." for i in range(10)]
    path.write_text("\n".join(lines) + "\n\n", encoding="utf-8")
    return path


def test_the_last_tenth_of_each_label_is_held_out(reviews: Path):
    data = load(reviews, rows=200)
    assert data.labels == ("bad", "good")
    assert [example.label for example in data.held_out] == [0, 1, 1]
    assert [sum(example.label == label for example in data.train) for label in (0, 1)] == [9, 18]
    # the number 19 stands in held-out text alone
    assert UNK in data.held_out[-1].codes
    assert data.vocabulary.decode(data.train[0].codes)[:4] == ["i", "hate", "film", "number"]


def test_by_default_passages_of_the_manual_are_labelled_with_their_chapter():
    data = load(None, rows=4000)
    assert data.labels == ("data model", "expressions", "library", "statements")
    assert len(data.train) > 500
    assert {example.label for example in data.held_out} == {0, 1, 2, 3}
    assert not {example.codes for example in data.train if UNK not in example.codes} & {
        example.codes for example in data.held_out if UNK not in example.codes
    }


def test_a_batch_has_texts_of_the_asked_length_and_the_label_of_all_their_words(reviews: Path):
    data = load(reviews, rows=200)
    made = batches(data, 3, 15, count=4, seed=1)
    assert [(texts.shape, labels.shape) for texts, labels in made] == [((3, 15), (3,))] * 4
    words = {0: "hate", 1: "like"}
    for texts, labels in made:
        for codes, label in zip(texts.tolist(), labels.tolist(), strict=True):
            assert words[label] in data.vocabulary.decode(codes)
            assert words[1 - label] not in data.vocabulary.decode(codes)
    assert {label for _, labels in made for label in labels.tolist()} == {0, 1}
    assert torch.equal(made[0][0], batches(data, 3, 15, count=4, seed=1)[0][0])
    with pytest.raises(UserError, match="labelled 'bad' together have 90 tokens; one text takes 91"):
        batches(data, 1, 91, count=1, seed=0)


def test_the_hash_is_of_the_texts_and_their_labels(reviews: Path):
    before = load(reviews, rows=200)
    reviews.write_text(reviews.read_text().replace("good", "fine"))
    after = load(reviews, rows=200)
    assert before.sha256 != after.sha256
    assert after.description == "reviews.tsv"


def test_the_presets_of_a_classifier_have_a_class_for_each_default_label():
    assert {config.classes for config in PRESETS.values()} == {len(CHAPTERS)}


def test_pairs_share_a_vocabulary_and_targets_end(tmp_path: Path):
    path = tmp_path / "pairs.tsv"
    path.write_text("a cat\tune chatte\na dog\tun chien\n", encoding="utf-8")
    pairs = load_pairs(path, rows=50)
    ((source, target),) = pairs.train
    assert pairs.vocabulary.decode(source) == ["a", "cat"]
    assert pairs.vocabulary.decode(target[:-1]) == ["une", "chatte"]
    assert target[-1] == EOS
    assert len(pairs.held_out) == 1


def test_chinese_pairs_take_the_options_of_the_tokenizer(tmp_path: Path):
    path = tmp_path / "pairs.tsv"
    path.write_text("我们\t他们\n你们\t他们\n", encoding="utf-8")
    pairs = load_pairs(path, rows=50, language="chinese")
    assert pairs.vocabulary.decode(pairs.train[0][0]) == ["我", "们"]


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"good\tfine\nbad dull\n", "Line 2 of .* has one column"),
        (b"good\tfine\nbad\t \n", "Line 2 of .* has one column"),
        (b"good\tfine\ngood\tnice\n", "the one label 'good'"),
        (b"good\tfine\ngood\tnice\nbad\tdull\n", "one text labelled 'bad'"),
        (b"good\tf\xffne\n", "not UTF-8 .byte 6."),
        (b"\n \n", "is empty"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_sentence(tmp_path: Path, raw: bytes, said: str):
    path = tmp_path / "labels.tsv"
    path.write_bytes(raw)
    with pytest.raises(UserError, match=said):
        load(path, rows=50)


def test_a_missing_file_is_one_sentence(tmp_path: Path):
    with pytest.raises(UserError, match="There is no file"):
        read_tsv(tmp_path / "none.tsv")


def test_a_text_of_stop_words_only_is_one_sentence(tmp_path: Path):
    path = tmp_path / "labels.tsv"
    path.write_text("good\tthe\nbad\tdull\n" * 2)
    with pytest.raises(UserError, match="No word is left of the text 'the'"):
        load(path, rows=50, stop_words=True)
