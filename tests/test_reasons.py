from dataclasses import replace

import pytest

from reports.reasons import causes
from reports.study import Pair
from tests.factories import masked, record


def said(variant, reference=None) -> str:
    return "; ".join(causes(Pair(variant, reference or record())))


def test_masked_zeros_are_blamed_only_where_the_record_warns_of_them():
    pruned = record(prune=0.5)
    assert "dense kernels" in said(masked(pruned))
    assert said(pruned) == ""


@pytest.mark.parametrize(
    ("scheme", "word"),
    [("int8-weight", "unpacked"), ("int4-weight", "unpacked"), ("int8-dynamic", "anew")],
)
def test_a_quantization_is_blamed_for_what_it_does_in_each_product(scheme, word):
    assert word in said(record(quantize=scheme))


def test_ranks_are_too_high_only_where_the_factors_store_as_much():
    assert "ranks" in said(record(factorize="rank:64"))
    assert said(record(factorize="rank:8")) == ""
    assert said(record(factorize="rank:64"), replace(record(), facts={})) == ""


@pytest.mark.parametrize(
    ("axis", "value", "other", "word"),
    [("checkpointing", "on", "off", "second time"), ("accumulation", 4, 1, "parts of a batch")],
)
def test_what_saves_memory_alone_is_called_that(axis, value, other, word):
    plain = record()
    assert word in said(replace(plain, axes=plain.axes | {axis: value}))
    assert said(replace(plain, axes=plain.axes | {axis: other})) == ""


def test_what_the_record_does_not_explain_is_left_unexplained():
    assert causes(Pair(record(precision="amp-bf16"), record())) == ()


def test_every_cause_that_holds_is_named():
    assert len(causes(Pair(masked(record(prune=0.5, quantize="int8-weight")), record()))) == 2
