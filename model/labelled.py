"""Labelled text for classifiers, and pairs of texts for translation: the user's TSV, or passages of Python's manual."""

import hashlib
import platform
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

import torch
from torch import Tensor

from model.errors import UserError
from model.text import Vocabulary
from model.tokens import END, TokenOptions, tokenize
from model.tsv import checked_labels, read_tsv

#: One example in so many is held out: of each label the last ones, by position.
HELD_OUT = 10

#: Words of the shortest passage of the manual that still tells what it is about.
LEAST_WORDS = 10

#: The chapters of Python's manual that the topics of `pydoc` are cut from: the language reference's "Expressions" (with
#: the literals of "Lexical analysis"), "Simple statements" and "Compound statements", "Data model", and the library's
#: "Built-in Types", "Text Processing" and "Debugging". A topic of another chapter or another Python is left out, and so
#: are `compound`, `specialnames` and `types`, which repeat the topics beside them.
CHAPTERS = {
    "expressions": "atom-identifiers atom-literals attribute-references await binary bitwise booleans calls "
    "comparisons conversions dict exprlists floating identifiers imaginary in integers lambda lists numbers "
    "operator-summary power shifting slicings strings subscriptions unary",
    "statements": "assert assignment async augassign break class continue del else for function global if import "
    "nonlocal pass raise return try while with yield",
    "data model": "attribute-access callable-types context-managers customization numeric-types objects sequence-types",
    "library": "bltin-code-objects bltin-ellipsis-object bltin-null-object bltin-type-objects debugger formatstrings "
    "specialattrs string-methods truth typesfunctions typesmapping typesmethods typesmodules typesseq typesseq-mutable",
}


@dataclass(frozen=True)
class Example:
    """Codes of a text, and the number of its label among `Labelled.labels`."""

    codes: tuple[int, ...]
    label: int


@dataclass(frozen=True)
class Labelled:
    """Labelled texts as codes, at least one of each label held out. The vocabulary is counted over `train` alone.

    `sha256` is of the labels and raw texts; `description` says what they are, without a folder.
    """

    train: tuple[Example, ...]
    held_out: tuple[Example, ...]
    labels: tuple[str, ...]
    vocabulary: Vocabulary
    sha256: str
    description: str


@dataclass(frozen=True)
class Pairs:
    """Sources and targets as codes, targets ending with <eos>; the last tenth held out. One vocabulary for both."""

    train: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]
    held_out: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]
    vocabulary: Vocabulary


def load(path: Path | None, rows: int, **options: Unpack[TokenOptions]) -> Labelled:
    """Read `path`, a UTF-8 file with a label, a tab and a text on each line, as codes of at most `rows` words.

    None gives passages of Python's manual, labelled with their chapter (`CHAPTERS`). `options` are those of
    `model.tokens.tokenize`. Raises `UserError` for a file that is missing or no UTF-8, a line without two columns or
    without a word, fewer than two labels, or a label with one text.
    """
    texts = list(_passages()) if path is None else [(label, text) for _, label, text in read_tsv(path)]
    labels = checked_labels([label for label, _ in texts], "The default corpus" if path is None else f"'{path}'")
    by_label: dict[str, list[list[str]]] = {}
    for label, text in texts:
        by_label.setdefault(label, []).append(_words(text, options))
    train: list[tuple[list[str], int]] = []
    held_out: list[tuple[list[str], int]] = []
    for number, label in enumerate(labels):
        found = by_label[label]
        cut = len(found) - max(1, len(found) // HELD_OUT)
        train += [(words, number) for words in found[:cut]]
        held_out += [(words, number) for words in found[cut:]]
    vocabulary = Vocabulary.of((word for words, _ in train for word in words), rows)
    raw = "\n".join(f"{label}\t{text}" for label, text in texts)
    return Labelled(
        _examples(train, vocabulary),
        _examples(held_out, vocabulary),
        labels,
        vocabulary,
        hashlib.sha256(raw.encode()).hexdigest(),
        path.name if path else f"passages of pydoc_data.topics of Python {platform.python_version()}, by chapter",
    )


def batches(data: Labelled, batch_size: int, length: int, count: int, *, seed: int) -> list[tuple[Tensor, Tensor]]:
    """`count` batches of training texts of exactly `length` codes: texts (B, S) and their labels (B,), int64.

    So that no padding is computed with, texts of one label follow one another until the length is reached; labels come
    as often as among the examples. Raises `UserError` where all texts of a label together are shorter than that.
    """
    streams = [
        torch.tensor([code for example in data.train if example.label == label for code in example.codes])
        for label in range(len(data.labels))
    ]
    for name, stream in zip(data.labels, streams, strict=True):
        if len(stream) < length:
            raise UserError(
                f"All texts labelled '{name}' together have {len(stream)} tokens; one text takes {length}.",
                "Give longer texts, or a shorter sequence length.",
            )
    generator = torch.Generator().manual_seed(seed)
    shares = torch.tensor([example.label for example in data.train])  # (examples,)
    drawn = shares[torch.randint(len(shares), (count, batch_size), generator=generator)]  # (count, B)

    def text(label: int) -> Tensor:
        start = int(torch.randint(len(streams[label]) - length + 1, (1,), generator=generator))
        return streams[label][start : start + length]

    return [(torch.stack([text(label) for label in labels.tolist()]), labels) for labels in drawn]


def load_pairs(path: Path, rows: int, **options: Unpack[TokenOptions]) -> Pairs:
    """Read `path`, a UTF-8 file with a source, a tab and a target on each line, as codes of at most `rows` words.

    `options` are those of `model.tokens.tokenize`. Raises `UserError` for a file that is missing or no UTF-8, a line
    without two columns or without a word, or a file of one pair.
    """
    pairs = [(_words(source, options), [*_words(target, options), END]) for _, source, target in read_tsv(path)]
    if len(pairs) < 2:
        raise UserError(f"'{path}' has one pair.", "Give two or more: one is held out.")
    cut = len(pairs) - max(1, len(pairs) // HELD_OUT)
    vocabulary = Vocabulary.of((word for pair in pairs[:cut] for side in pair for word in side), rows)
    coded = [(tuple(vocabulary.encode(source)), tuple(vocabulary.encode(target))) for source, target in pairs]
    return Pairs(tuple(coded[:cut]), tuple(coded[cut:]), vocabulary)


def _words(text: str, options: TokenOptions) -> list[str]:
    """Tokens of `text` without the ends of its sentences: one text is one sequence."""
    tokens = tokenize(text, **options)
    words = [token for token in tokens if token != END]
    if not words:
        raise UserError(f"No word is left of the text '{text[:40]}'.", "Give a longer text, or keep its stop words.")
    return words


def _examples(texts: Sequence[tuple[Iterable[str], int]], vocabulary: Vocabulary) -> tuple[Example, ...]:
    return tuple(Example(tuple(vocabulary.encode(words)), label) for words, label in texts)


def _passages() -> Iterator[tuple[str, str]]:
    """Chapter and text of each paragraph of the manual that is long enough, in order; a repeated one counts once."""
    from pydoc_data.topics import topics

    seen: set[str] = set()
    for chapter, names in CHAPTERS.items():
        for name in names.split():
            for paragraph in topics.get(name, "").split("\n\n"):
                text = " ".join(paragraph.split())
                if len(text.split()) >= LEAST_WORDS and text not in seen:
                    seen.add(text)
                    yield chapter, text
