import pytest

from bench.axes import DEFAULTS
from reports import labels
from tests import factories


def test_control_characters_and_line_breaks_become_single_spaces():
    assert labels.plain("a\x1b[31m\nb\u202e\tc") == "a [31m b c"


def test_the_plain_member_of_a_family_is_called_by_its_precision():
    assert labels.variant(DEFAULTS) == "fp32"


def test_a_variant_names_all_that_was_changed():
    assert labels.variant(DEFAULTS | {"precision": "bf16", "prune": 0.5}) == "bf16, pruned share 0.5"


def test_a_point_is_named_by_the_given_axes_with_the_variant_last():
    values = DEFAULTS | {"batch_size": 8, "quantize": "int8-dynamic"}
    assert labels.point(values, ["quantize", "size", "batch_size"]) == "nano, batch size 8, int8-dynamic"


def test_words_are_ordered_as_their_axis_declares_them_and_numbers_by_size():
    sizes = sorted(["base", "tiny", "nano", "small"], key=lambda size: labels.rank("size", size))
    assert sizes == ["nano", "tiny", "small", "base"]
    assert sorted([16, 2, "preset", 128], key=lambda n: labels.rank("hidden", n)) == ["preset", 2, 16, 128]


def test_workloads_stand_in_the_order_in_which_a_model_meets_them():
    names = ["decode", "other", "train", "prefill"]
    assert sorted(names, key=lambda name: labels.rank("workload", name)) == ["train", "prefill", "decode", "other"]


def test_a_reference_comes_before_its_variants():
    axes = [DEFAULTS | {"prune": 0.5}, DEFAULTS, DEFAULTS | {"precision": "bf16"}]
    ordered = sorted(axes, key=lambda values: labels.order(values, labels.VARIANT_AXES))
    assert [labels.variant(values) for values in ordered] == ["fp32", "bf16", "pruned share 0.5"]


@pytest.mark.parametrize("status", labels.STATUS)
def test_every_status_has_words(status):
    assert labels.status(factories.record(status)) == labels.STATUS[status]


def test_a_count_has_the_plural_that_belongs_to_it():
    assert [labels.count(n, "process", "processes") for n in (1, 2)] == ["1 process", "2 processes"]
    assert labels.count(1234, "point") == "1,234 points"
