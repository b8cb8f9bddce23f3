"""Text to tensors: the vocabulary, the code stream of a corpus, and the windows that training reads from it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Unpack

import torch
from torch import Tensor
from torch.utils.data import Dataset

from model import corpus as corpora
from model.corpus import END
from model.errors import UserError
from model.tokens import TokenOptions

PAD, UNK, BOS, EOS = range(4)
SPECIALS = ("<pad>", "<unk>", "<bos>", "<eos>")


@dataclass(frozen=True)
class Vocabulary:
    """Words by code; the first four are `SPECIALS`. Raises `UserError` where they are not, or a word comes twice."""

    words: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.words[: len(SPECIALS)] != SPECIALS or len(set(self.words)) != len(self.words):
            raise UserError("This is no vocabulary of ours.", f"It begins with {' '.join(SPECIALS)}, each word once.")

    @classmethod
    def of(cls, tokens: Iterable[str], rows: int) -> "Vocabulary":
        """The most frequent words of `tokens`, at most `rows` with the specials; of equals the alphabet's first.

        Raises `UserError` where `rows` has no room for a word beside the specials.
        """
        if rows <= len(SPECIALS):
            raise UserError(f"A vocabulary of {rows} rows holds no word.", f"Give {len(SPECIALS) + 1} rows or more.")
        counts = Counter(tokens)
        for reserved in (END, *SPECIALS):
            del counts[reserved]
        ranked = sorted(counts, key=lambda word: (-counts[word], word))
        return cls((*SPECIALS, *ranked[: rows - len(SPECIALS)]))

    @cached_property
    def _codes(self) -> dict[str, int]:
        # a text that spells out "<pad>" must not pad, so the specials are no words
        words = {word: code for code, word in enumerate(self.words) if code >= len(SPECIALS)}
        return words | {END: EOS}

    def __len__(self) -> int:
        return len(self.words)

    def encode(self, tokens: Iterable[str]) -> list[int]:
        """Codes of `tokens`: <eos> for the end of a sentence, <unk> for words outside the vocabulary."""
        codes = self._codes
        return [codes.get(token, UNK) for token in tokens]

    def decode(self, codes: Iterable[int]) -> list[str]:
        """Tokens of `codes`, without <pad> and <bos>; <eos> ends a sentence, a row without a word is <unk>."""
        tokens = []
        for code in codes:
            if code == EOS:
                tokens.append(END)
            elif code not in (PAD, BOS):
                tokens.append(self.words[code] if code < len(self.words) else SPECIALS[UNK])
        return tokens


@dataclass(frozen=True)
class Text:
    """A corpus as codes: `train` and `held_out` are 1-D int64, the last tenth held out by position.

    `sha256` is of the raw text. The vocabulary is counted over `train` alone.
    """

    train: Tensor
    held_out: Tensor
    vocabulary: Vocabulary
    sha256: str
    description: str


def load(corpus: Path | None, rows: int, *, cache: Path | None = None, **options: Unpack[TokenOptions]) -> Text:
    """Read `corpus` (see `model.corpus.read`) as codes of at most `rows` words.

    `options` are those of `model.tokens.tokenize`. `cache` is a folder that keeps the tokens, so that a second load
    takes milliseconds and no nltk. Raises `UserError` for a corpus that is missing, empty, binary, or without a word.
    """
    raw = corpora.read(corpus)
    stream = corpora.tokens(raw, cache=cache, **options)
    if not stream:
        raise UserError("No word is left of the corpus.", "Give a longer text, or keep its stop words.")
    cut = len(stream) - len(stream) // 10
    vocabulary = Vocabulary.of(stream[:cut], rows)
    codes = torch.tensor(vocabulary.encode(stream))  # (tokens,)
    return Text(codes[:cut], codes[cut:], vocabulary, raw.sha256, raw.description)


class Windows(Dataset[tuple[Tensor, Tensor]]):
    """Windows that slide over a code stream: a source (S,) and the target (G,) that continues it.

    Raises `UserError` where the stream is shorter than one window.
    """

    def __init__(self, codes: Tensor, source_length: int, target_length: int, stride: int = 1) -> None:
        _require(codes, source_length + target_length)
        self.source_length = source_length
        self._windows = codes.unfold(0, source_length + target_length, stride)  # (windows, S + G), a view

    def __len__(self) -> int:
        return len(self._windows)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        window = self._windows[index]  # (S + G,)
        return window[: self.source_length], window[self.source_length :]


def _require(codes: Tensor, length: int) -> None:
    if len(codes) < length:
        raise UserError(
            f"This part of the corpus has {len(codes)} tokens; one window needs {length}.",
            "Give a longer corpus, or a shorter sequence or generated length.",
        )


def pad(sequences: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor, Tensor]:
    """Sequences as one batch: codes (B, T) padded at the end, lengths (B,), and a mask (B, T), true on real tokens."""
    lengths = torch.tensor([len(sequence) for sequence in sequences])  # (B,)
    codes = torch.nn.utils.rnn.pad_sequence(
        [torch.tensor(sequence, dtype=torch.int64) for sequence in sequences], batch_first=True, padding_value=PAD
    )  # (B, T)
    mask = torch.arange(codes.shape[1]) < lengths.unsqueeze(1)  # (B, T)
    return codes, lengths, mask


def batches(
    codes: Tensor, batch_size: int, source_length: int, target_length: int, count: int, *, seed: int
) -> list[tuple[Tensor, Tensor]]:
    """`count` batches of windows at random places of `codes`: sources (B, S), targets (B, G).

    Raises `UserError` where the stream is shorter than one window.
    """
    length = source_length + target_length
    _require(codes, length)
    generator = torch.Generator().manual_seed(seed)
    starts = torch.randint(len(codes) - length + 1, (count, batch_size, 1), generator=generator)
    windows = codes[starts + torch.arange(length)]  # (count, B, S + G)
    return [(window[:, :source_length].contiguous(), window[:, source_length:].contiguous()) for window in windows]
