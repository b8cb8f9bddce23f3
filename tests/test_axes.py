import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import axes, ranges
from bench.errors import UserError
from bench.kinds import Duration
from model import shapes


def values(name, raw):
    return ranges.expand(axes.find(name), raw)


@pytest.mark.parametrize(
    ("raw", "expanded"),
    [
        (4, [4]),
        ("4", [4]),
        ("1,4,16", [1, 4, 16]),
        ("1-32*2", [1, 2, 4, 8, 16, 32]),
        ("128-1024+128", [128, 256, 384, 512, 640, 768, 896, 1024]),
        ("3-5", [3, 4, 5]),
        ([1, "4-8*2", 1], [1, 4, 8]),
    ],
)
def test_values_are_single_lists_or_ranges(raw, expanded):
    assert values("batch_size", raw) == expanded


@pytest.mark.parametrize(
    "raw", ["8-1", "1-8*1", "0-8*2", "1-9+0", "", "1-x", True, None, 1.5, "1e3", 0, -1, 10**9, "auto"]
)
def test_what_is_no_batch_size_is_refused_with_the_axis_named(raw):
    with pytest.raises(UserError, match="batch_size"):
        values("batch_size", raw)


def test_an_endless_range_is_refused_before_it_fills_the_memory():
    with pytest.raises(UserError, match="Take a larger step"):
        values("sequence_length", "1-1000000")


def test_an_unknown_axis_suggests_the_nearest_and_lists_all():
    with pytest.raises(UserError, match=r"Did you mean 'batch_size'\?.*architecture, size") as caught:
        axes.find("batchsize")
    assert "seed" in caught.value.remedy


def test_an_unknown_value_suggests_the_nearest_and_lists_what_is_allowed():
    with pytest.raises(UserError, match=r"amp-bf16, amp-fp16, bf16\. Did you mean 'fp32'\?"):
        values("precision", "fp-32")


@pytest.mark.parametrize("raw", ["cuda:x", "gpu", "cuda:", "cpu:0", "../cpu"])
def test_a_malformed_device_is_refused(raw):
    with pytest.raises(UserError, match="cuda:N"):
        values("device", raw)


@pytest.mark.parametrize("raw", ["nan", "inf", "-inf", float("nan"), -0.1, 1.0])
def test_a_share_that_is_no_share_is_refused(raw):
    with pytest.raises(UserError, match="prune"):
        values("prune", raw)


@pytest.mark.parametrize("axis", axes.AXES, ids=lambda axis: axis.name)
def test_every_axis_allows_its_own_default_and_has_a_flag(axis):
    assert axis.parse(axis.default) == axis.default
    assert axis.options[0] == "--" + axis.name.replace("_", "-")
    assert axis.kind.describe()


def test_no_two_axes_share_a_flag():
    flags = [flag for axis in axes.AXES for flag in axis.options]
    assert len(flags) == len(set(flags))


@pytest.mark.parametrize("architecture", axes.BY_NAME["architecture"].kind.words())
def test_every_dimension_of_an_architecture_is_an_axis(architecture):
    has = {field.name for field in dataclasses.fields(shapes.load(architecture).Config)}
    dimensions = {axis.name for axis in axes.AXES if axis.dimension}
    # dropout is an axis, but not of the model's size; classes follow from the labels, and the rest from flags
    assert has - dimensions <= {"dropout", "classes", "path", "trust_remote_code"}


def test_every_axis_of_a_dimension_belongs_to_an_architecture():
    configs = [shapes.load(name).Config for name in shapes.names()]
    has = {field.name for config in configs for field in dataclasses.fields(config)}
    assert {axis.name for axis in axes.AXES if axis.dimension} <= has


@given(st.integers(1, 500), st.integers(0, 500), st.integers(1, 50))
def test_a_range_with_a_step_is_pythons_range(first, span, step):
    assert values("batch_size", f"{first}-{first + span}+{step}") == list(range(first, first + span + 1, step))


@given(st.text(max_size=20))
def test_any_text_gives_values_or_one_clear_error(raw):
    for name in ("batch_size", "precision", "prune", "device", "threads"):
        try:
            assert all(axes.find(name).parse(value) == value for value in values(name, raw))
        except UserError as error:
            assert name in error.message
            assert error.remedy.endswith(".")


@pytest.mark.parametrize(
    ("word", "seconds"), [("60s", 60), ("2m", 120), ("1.5h", 5400), (0, 0), ("30", 30), (2.5, 2.5)]
)
def test_a_duration_is_seconds_whatever_its_unit(word, seconds):
    assert Duration(0, 86_400).parse(word) == seconds


@pytest.mark.parametrize("word", ["", "s", "-5", "5x", "1e9", "nan", "inf", "1.2.3", "1 m", "25h"])
def test_what_is_no_duration_is_refused_with_what_is_allowed(word):
    with pytest.raises(ValueError, match=r"is no time; 0 to 86,400 seconds"):
        Duration(0, 86_400).parse(word)


@pytest.mark.parametrize("word", ["rank:0", "energy:0", "energy:0.0", "energy:1.5", "rank:", "rank:-1", "rank:100000"])
def test_a_factorization_that_keeps_nothing_is_refused_before_anything_starts(word):
    with pytest.raises(UserError, match="factorize"):
        axes.find("factorize").parse(word)
