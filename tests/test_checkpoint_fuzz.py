"""A damaged checkpoint gives an error of ours or the very model that was saved; never a crash, never another model."""

import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model.architectures import build
from model.checkpoint import Checkpoint, load, save
from model.errors import UserError
from model.shapes.lstm import Config
from model.text import Vocabulary

CONFIG = Config(vocabulary=9, embedding=3, hidden=4, layers=1, dropout=0.1)
SAVED = Checkpoint(
    build("lstm", CONFIG, seed=1),
    "lstm",
    CONFIG,
    Vocabulary.of(["été", "a", "a"], rows=9),
    {"stop_words": True},
    {"steps": 3, "seconds": 0.5},
)


def written() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.safetensors")
        save(path, SAVED)
        return path.read_bytes()


WHOLE = written()
HEADER = int.from_bytes(WHOLE[:8], "little") + 8


def loads_exactly_or_explains(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.safetensors")
        path.write_bytes(content)
        try:
            found = load(path)
        except UserError:
            return
    assert (found.architecture, found.config, found.vocabulary) == ("lstm", CONFIG, SAVED.vocabulary)
    assert (found.text_options, found.training) == (SAVED.text_options, SAVED.training)
    for name, tensor in SAVED.model.state_dict().items():
        assert torch.equal(tensor, found.model.state_dict()[name]), name


def test_the_undamaged_file_loads_exactly():
    loads_exactly_or_explains(WHOLE)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(st.integers(0, len(WHOLE) - 1))
def test_a_truncated_file_is_explained(length: int):
    with pytest.raises(UserError):
        load_bytes(WHOLE[:length])


def load_bytes(content: bytes) -> Checkpoint:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.safetensors")
        path.write_bytes(content)
        return load(path)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(st.integers(0, 8 * HEADER - 1), min_size=1, max_size=3))
def test_flipped_bits_in_the_header_load_exactly_or_are_explained(bits: list[int]):
    loads_exactly_or_explains(flipped(bits))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(8 * HEADER, 8 * len(WHOLE) - 1))
def test_a_flipped_bit_in_the_weights_is_explained(bit: int):
    with pytest.raises(UserError, match="damaged"):
        load_bytes(flipped([bit]))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.binary(max_size=200))
def test_bytes_of_any_kind_are_explained(content: bytes):
    with pytest.raises(UserError):
        load_bytes(content)


def flipped(bits: list[int]) -> bytes:
    changed = bytearray(WHOLE)
    for bit in bits:
        changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)
