import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from model import corpus
from model.errors import UserError
from model.text import BOS, EOS, PAD, SPECIALS, UNK, Vocabulary, Windows, batches, load, pad
from model.tokens import END, tokenize

TEXT = "The quick brown foxes are jumping. They don't stop! " * 40

words = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_categories=("C", "Z")), min_size=1)


@pytest.fixture
def book(tmp_path: Path) -> Path:
    path = tmp_path / "book.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


def test_sentences_become_lower_case_tokens():
    assert tokenize("Who can't wait? Stop it.") == ["who", "ca", "n't", "wait", "?", END, "stop", "it", ".", END]


def test_stop_words_and_stems_are_options():
    text = "The foxes are jumping."
    assert tokenize(text) == ["the", "foxes", "are", "jumping", ".", END]
    assert tokenize(text, stop_words=True) == ["foxes", "jumping", ".", END]
    assert tokenize(text, stems=True) == ["the", "fox", "are", "jump", ".", END]
    assert tokenize(text, stop_words=True, stems=True) == ["fox", "jump", ".", END]


@given(st.lists(words | st.just(END)))
def test_codes_come_back_as_the_same_tokens(tokens: list[str]):
    tokens = [token for token in tokens if token not in SPECIALS]
    vocabulary = Vocabulary.of(tokens, rows=10_000)
    assert vocabulary.decode(vocabulary.encode(tokens)) == tokens


@given(st.lists(words), st.integers(5, 20))
def test_the_vocabulary_is_capped_by_frequency_and_then_by_the_alphabet(tokens: list[str], rows: int):
    vocabulary = Vocabulary.of(tokens, rows)
    assert len(vocabulary) <= rows
    assert vocabulary == Vocabulary.of(reversed(tokens), rows)
    kept = vocabulary.words[len(SPECIALS) :]
    ranks = [(-tokens.count(word), word) for word in kept]
    left_out = set(tokens) - set(kept) - set(SPECIALS)
    assert ranks == sorted(ranks)
    assert not left_out or (len(vocabulary) == rows and all((-tokens.count(w), w) > ranks[-1] for w in left_out))


def test_what_the_vocabulary_lacks_is_unknown():
    vocabulary = Vocabulary.of(["a", "a", "b"], rows=5)
    assert vocabulary.encode(["a", "b", END]) == [4, UNK, EOS]
    assert vocabulary.decode([BOS, 4, UNK, 99, EOS, PAD]) == ["a", "<unk>", "<unk>", END]


def test_a_text_that_spells_out_a_special_does_not_become_one():
    vocabulary = Vocabulary.of(["<pad>", "<eos>", "word"], rows=10)
    assert vocabulary.encode(["<pad>", "<eos>", "word"]) == [UNK, UNK, 4]


@pytest.mark.parametrize("wrong", [("a", "b"), (*SPECIALS, "a", "a")])
def test_a_list_of_words_that_is_no_vocabulary_is_refused(wrong: tuple[str, ...]):
    with pytest.raises(UserError, match="no vocabulary"):
        Vocabulary(wrong)


def test_the_default_corpus_is_real_english_and_the_last_tenth_is_held_out():
    text = load(None, rows=4096)
    assert len(text.train) + len(text.held_out) > 60_000
    assert len(text.held_out) == (len(text.train) + len(text.held_out)) // 10
    assert int(text.train.max()) < 4096
    assert {"python", "the", "object"} <= set(text.vocabulary.words)
    assert (text.train == UNK).float().mean() < 0.05
    assert "pydoc_data" in text.description


def test_the_vocabulary_has_not_seen_the_held_out_text(tmp_path: Path):
    path = tmp_path / "a.txt"
    path.write_text("common words here. " * 90 + "secret " * 49, encoding="utf-8")
    text = load(path, rows=100)
    assert "secret" not in text.vocabulary.words
    assert text.held_out.tolist()[-2:] == [UNK, EOS]


def test_a_second_load_reads_the_cache_and_never_imports_nltk(book: Path, tmp_path: Path):
    cache = tmp_path / "cache"
    first = load(book, rows=50, cache=cache)
    script = (
        "import sys; from pathlib import Path; from model import text;"
        "print(text.load(Path(sys.argv[1]), 50, cache=Path(sys.argv[2])).train.tolist()); print('nltk' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", script, book, cache], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert result == [str(first.train.tolist()), "False"]


@given(st.lists(st.lists(words, min_size=1, max_size=5), max_size=5))
def test_a_cached_stream_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, sentences: list[list[str]]):
    stream = [token for sentence in sentences for token in (*sentence, END)]
    path = tmp_path_factory.mktemp("cache") / "tokens.txt"
    corpus._write_cached(path, "key", stream)
    assert corpus._read_cached(path, "key") == stream
    assert corpus._read_cached(path, "another key") is None


@pytest.mark.parametrize("damage", [b"", b"foreign", b"\xff\xfe\n\x00", None])
def test_a_damaged_cache_file_is_written_anew(book: Path, tmp_path: Path, damage: bytes | None):
    cache = tmp_path / "cache"
    fresh = load(book, rows=50, cache=cache)
    (file,) = cache.iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[:-10] if damage is None else damage)
    assert torch.equal(load(book, rows=50, cache=cache).train, fresh.train)
    assert file.read_bytes() == whole


def test_each_option_has_its_own_cache_file(book: Path, tmp_path: Path):
    cache = tmp_path / "cache"
    plain = load(book, rows=50, cache=cache)
    stems = load(book, rows=50, stems=True, cache=cache)
    assert "jumping" in plain.vocabulary.words
    assert "jump" in stems.vocabulary.words
    assert len(list(cache.iterdir())) == 2


def test_an_unwritable_cache_is_no_error(book: Path):
    assert torch.equal(load(book, rows=50, cache=book / "below a file").train, load(book, rows=50).train)


def test_a_folder_is_read_in_the_order_of_its_names(tmp_path: Path):
    (tmp_path / "b.md").write_text("second", encoding="utf-8")
    (tmp_path / "a.txt").write_text("first", encoding="utf-8")
    (tmp_path / "c.bin").write_bytes(b"\0")
    assert corpus.read(tmp_path).text == "first\n\nsecond"


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("missing.txt", None, "There is no corpus"),
        ("binary.txt", b"abc\0def", "is binary"),
        ("latin.txt", "caf\xe9".encode("latin-1"), r"is not UTF-8 \(byte 3\)"),
        ("empty.txt", b" \n", "is empty"),
        ("folder", b"", "holds no text"),
    ],
)
def test_what_is_no_corpus_is_one_sentence(tmp_path: Path, name: str, content: bytes | None, told: str):
    path = tmp_path / name
    if name == "folder":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=told):
        load(path, rows=50)


def test_a_text_of_stop_words_only_is_one_sentence(tmp_path: Path):
    path = tmp_path / "a.txt"
    path.write_text("the of and", encoding="utf-8")
    with pytest.raises(UserError, match="No word is left"):
        load(path, rows=50, stop_words=True)


def test_a_vocabulary_without_room_for_a_word_is_one_sentence(book: Path):
    with pytest.raises(UserError, match="5 rows or more"):
        load(book, rows=4)


@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 4), st.integers(0, 20))
def test_windows_slide_and_the_target_follows_the_source(source: int, target: int, stride: int, spare: int):
    codes = torch.arange(source + target + spare)
    windows = Windows(codes, source, target, stride)
    assert len(windows) == spare // stride + 1
    for index in range(len(windows)):
        read, graded = windows[index]
        assert read.tolist() + graded.tolist() == list(range(index * stride, index * stride + source + target))
        assert len(read) == source


@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 50))
def test_batches_are_windows_of_the_given_part_alone(source: int, target: int, seed: int):
    codes = torch.arange(100, 120)
    made = batches(codes, 3, source, target, 2, seed=seed)
    assert [(read.shape, graded.shape) for read, graded in made] == [((3, source), (3, target))] * 2
    for read, graded in made:
        window = torch.cat([read, graded], dim=1)
        assert torch.equal(window, window[:, :1] + torch.arange(source + target))
        assert int(window.min()) >= 100
        assert int(window.max()) < 120
    again = batches(codes, 3, source, target, 2, seed=seed)
    assert all(
        torch.equal(a, b) for pair, same in zip(made, again, strict=True) for a, b in zip(pair, same, strict=True)
    )


def test_a_stream_shorter_than_a_window_says_what_is_needed():
    with pytest.raises(UserError, match="has 5 tokens; one window needs 7"):
        Windows(torch.arange(5), 3, 4)
    with pytest.raises(UserError, match="has 5 tokens; one window needs 7"):
        batches(torch.arange(5), 2, 3, 4, 1, seed=0)


@given(st.lists(st.lists(st.integers(4, 99), min_size=1, max_size=6), min_size=1, max_size=5))
def test_padding_keeps_every_sequence(sequences: list[list[int]]):
    codes, lengths, mask = pad(sequences)
    assert codes.shape == mask.shape == (len(sequences), max(map(len, sequences)))
    assert lengths.tolist() == [len(sequence) for sequence in sequences]
    assert [row[real].tolist() for row, real in zip(codes, mask, strict=True)] == sequences
    assert torch.all(codes[~mask] == PAD)
