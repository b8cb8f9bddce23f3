"""Which device a user means by a few words, and the power limit that may stand behind them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import UserError
from reports.datasheet_lookup import named
from reports.datasheets import shipped


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("NVIDIA H100 SXM", "NVIDIA H100 SXM"),
        ("h100 sxm", "NVIDIA H100 SXM"),
        ("SXM H100", "NVIDIA H100 SXM"),
        ("h100-sxm", "NVIDIA H100 SXM"),
        ("rtx 4090", "NVIDIA GeForce RTX 4090"),
        ("4090", "NVIDIA GeForce RTX 4090"),
        ("rtx4090", "NVIDIA GeForce RTX 4090"),
        ("4090 d", "NVIDIA GeForce RTX 4090 D"),
        ("a100 sxm 80gb", "NVIDIA A100 SXM 80GB"),
        ("a100 sxm 80 GB", "NVIDIA A100 SXM 80GB"),
        ("h100 80gb sxm", "NVIDIA H100 SXM"),
        ("4090 24 GB", "NVIDIA GeForce RTX 4090"),
        ("4090 16GB", "NVIDIA GeForce RTX 4090 Laptop GPU"),
        ("v100 16gb", "NVIDIA V100 SXM2"),
        ("l40", "NVIDIA L40"),
        ("l40s", "NVIDIA L40S"),
        ("mi300x", "AMD MI300X"),
        ("gaudi 3", "Intel Gaudi3"),
        ("m3 max 40", "Apple M3 Max (40-core GPU)"),
        ("tpu v5e", "Google TPU v5e"),
        ("epyc 9654", "AMD EPYC 9654"),
    ],
)
def test_words_of_a_name_lead_to_the_device_with_the_fewest_others(text, name):
    assert named(shipped(), text).name == name


@pytest.mark.parametrize("device", shipped().device, ids=lambda device: device.name)
def test_every_device_is_found_by_its_whole_name(device):
    assert named(shipped(), device.name) == device


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("h100", ("can be", "NVIDIA H100 SXM", "NVIDIA H100 PCIe", "NVIDIA H100 NVL")),
        ("m1", ("can be", "Apple M1 (8-core GPU)", "Apple M1 (7-core GPU)")),
        ("RTX 4091", ("no device 'RTX 4091'", "NVIDIA GeForce RTX 4090")),
        ("H100 SXN", ("no device 'H100 SXN'", "NVIDIA H100 SXM")),
        ("", ("no device ''",)),
        ("@300W", ("no device '@300W'",)),
    ],
)
def test_an_ambiguous_or_unknown_name_is_refused_with_the_names_that_are_near(text, told):
    with pytest.raises(UserError) as refused:
        named(shipped(), text)
    for part in told:
        assert part in refused.value.message


@pytest.mark.parametrize("text", ["h100 sxm@330W", "NVIDIA H100 SXM @ 330 W", "h100 sxm@330w", "h100 sxm @330.0W"])
def test_a_power_limit_behind_the_name_is_part_of_the_device(text):
    plain, limited = named(shipped(), "h100 sxm"), named(shipped(), text)
    assert limited.name == "NVIDIA H100 SXM @ 330 W"
    assert limited.power.limit_W == 330
    assert limited.power.sources == plain.power.sources
    assert (limited.peaks, limited.memory, limited.price) == (plain.peaks, plain.memory, plain.price)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("h100 sxm@0W", "0 W is no power limit of NVIDIA H100 SXM; its datasheet has 700 W"),
        ("h100 sxm@-5W", "-5 W is no power limit"),
        ("h100 sxm@1051W", "1051 W is no power limit"),
        ("h100 sxm@nanW", "nan W is no power limit"),
        ("h100 sxm@fullW", "'full' is no power limit in W"),
        ("m4 pro 20@30W", "power limit of Apple M4 Pro (20-core GPU) is not in the catalogue"),
        ("h100@300W", "can be"),
    ],
)
def test_a_power_limit_that_cannot_be_is_refused(text, told):
    with pytest.raises(UserError) as refused:
        named(shipped(), text)
    assert told in refused.value.message
    assert refused.value.remedy


@given(st.text(max_size=30))
def test_every_text_names_a_device_or_is_refused(text):
    try:
        assert named(shipped(), text).name
    except UserError as refused:
        assert refused.remedy
