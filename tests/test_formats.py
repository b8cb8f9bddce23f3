"""Number formats: what they take, what multiplies them on which device, and their names."""

from dataclasses import fields

import pytest

from bench.errors import UserError
from reports import datasheets
from reports.catalogue import Peaks
from reports.datasheets import Device
from reports.projection import calibration, formats

DEVICES = calibration.by_name()


def device(**peaks):
    return Device("a card", "NVIDIA", "data-center", peaks=Peaks(sources=("a test",), **peaks))


def test_every_format_multiplies_in_formats_that_datasheets_have():
    for name, each in formats.FORMATS.items():
        assert each.products, name
        assert {formats._FIELDS[product] for product in each.products} <= {field.name for field in fields(Peaks)}


def test_scales_make_a_format_larger_than_its_name():
    assert formats.FORMATS["fp16"].bytes == 2
    assert formats.FORMATS["fp4"].bits == 4 + 8 / 16
    assert formats.FORMATS["mxfp4"].bits == 4 + 8 / 32
    assert 4 < formats.FORMATS["Q4_0"].bits < formats.FORMATS["Q4_K_M"].bits < 5


def test_weights_that_are_only_stored_narrow_are_multiplied_in_16_bits():
    both = device(fp16_FLOP_per_s=4e14, fp32_FLOP_per_s=6e13)
    assert formats.product(both, "int4-weight") == ("fp16", 4e14)
    assert formats.product(both, "Q4_K_M") == ("fp16", 4e14)


def test_a_device_without_16_bits_multiplies_in_32():
    assert formats.product(device(fp32_FLOP_per_s=1.2e13), "fp16") == ("fp32", 1.2e13)


def test_8_and_4_bit_products_need_a_device_that_has_them():
    assert formats.product(DEVICES["NVIDIA A100 SXM 80GB"], "fp8") is None
    assert formats.product(DEVICES["NVIDIA H100 SXM"], "fp4") is None
    name, peak = formats.product(DEVICES["NVIDIA H100 SXM"], "fp8")
    assert name == "fp8"
    assert peak == pytest.approx(1.979e15, rel=0.01)


def test_a_device_without_known_peaks_multiplies_nothing():
    assert formats.product(Device("a card", "NVIDIA", "data-center"), "fp16") is None


def test_8_bit_integers_count_operations():
    assert formats.product(device(int8_OP_per_s=6e14), "int8") == ("int8", 6e14)


@pytest.mark.parametrize(
    ("text", "name"),
    [("FP16", "fp16"), (" q4_k_m ", "Q4_K_M"), ("f16", "fp16"), ("nvfp4", "fp4"), ("4-bit", "int4-weight")],
)
def test_names_are_read_whatever_their_case_and_by_other_common_names(text, name):
    assert formats.named(text) == name


def test_an_unknown_format_is_answered_with_the_nearest():
    with pytest.raises(UserError, match="Did you mean 'Q4_K_M'"):
        formats.named("Q4_K_X")


def test_every_format_serves_some_device_of_the_catalogue():
    every = datasheets.shipped().device
    assert all(any(formats.product(each, name) for each in every) for name in formats.FORMATS)
