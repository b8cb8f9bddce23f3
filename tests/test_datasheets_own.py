"""A user's own catalogue over the shipped one: what it may change, and what is refused."""

import pytest

from bench.errors import UserError
from reports.datasheets import shipped, with_own
from reports.prices import choose

OURS = """
[sources.quote]
where = "a quote of 2026-10-01"
standing = "own"

[[device]]
name = "NVIDIA H100 SXM"
[device.power]
limit_W = 500
sources = ["quote"]
[device.memory]
bandwidth_B_per_s = 3.2e12
sources = ["quote"]
[[device.price]]
kind = "street"
amount = 21_000
currency = "EUR"
per = "device"
date = "2026-10-01"
sources = ["quote"]

[[device]]
name = "Secret 1"
vendor = "Startup"
kind = "data-center"
[device.peaks]
bf16_FLOP_per_s = 500e12
fp8_FLOP_per_s = 1000e12
sources = ["quote"]
[device.memory]
size_B = 137_438_953_472
bandwidth_B_per_s = 4e12
sources = ["quote"]

[[price]]
device = "Secret 1"
kind = "reserved"
amount = 1.25
currency = "USD"
per = "hour"
date = "2026-10"
sources = ["quote"]
"""


@pytest.fixture
def written(tmp_path):
    """The catalogue with a file of that text over it."""

    def write(text):
        path = tmp_path / "ours.toml"
        path.write_text(text, encoding="utf-8")
        return with_own(shipped(), path)

    return write


def of(catalogue, name):
    (found,) = (device for device in catalogue.device if device.name == name)
    return found


def test_figures_of_a_known_device_are_overridden_and_the_rest_stays(written):
    catalogue = written(OURS)
    before, after = of(shipped(), "NVIDIA H100 SXM"), of(catalogue, "NVIDIA H100 SXM")
    assert (after.power.limit_W, after.memory.bandwidth_B_per_s) == (500, 3.2e12)
    assert after.memory.size_B == before.memory.size_B
    assert (after.peaks, after.names, after.architecture) == (before.peaks, before.names, before.architecture)
    assert catalogue.where(after.power) == ("a quote of 2026-10-01",)
    assert catalogue.where(after.memory)[0] == "a quote of 2026-10-01"
    assert catalogue.standing(after.power) == catalogue.standing(after.memory) == "own"
    assert catalogue.standing(after.peaks) == "secondary"


def test_an_unknown_name_adds_a_device_and_nothing_else_changes(written):
    catalogue = written(OURS)
    added = of(catalogue, "Secret 1")
    assert added.architecture is None
    assert added.memory.size_B == 128 * 2**30
    others = [device for device in catalogue.device if device.name not in ("Secret 1", "NVIDIA H100 SXM")]
    assert others == [device for device in shipped().device if device.name != "NVIDIA H100 SXM"]


def test_prices_replace_those_of_their_kind_alone(written):
    catalogue = written(OURS)
    before, after = of(shipped(), "NVIDIA H100 SXM"), of(catalogue, "NVIDIA H100 SXM")
    assert [(price.amount, price.currency) for price in after.price if price.kind == "street"] == [(21_000, "EUR")]
    assert choose(after.price, ("street",), "USD") is None
    kept = [price for price in before.price if price.kind != "street"]
    assert [price for price in after.price if price.kind != "street"] == kept
    assert choose(of(catalogue, "Secret 1").price, ("reserved",), "USD").amount == 1.25


def test_two_prices_of_one_kind_in_the_file_both_stand(written):
    two = OURS + OURS[OURS.index("[[price]]") :].replace("1.25", "1.10").replace("2026-10", "2026-11")
    assert choose(of(written(two), "Secret 1").price, ("reserved",), "USD").amount == 1.10
    assert len(of(written(two), "Secret 1").price) == 2


def test_a_source_of_the_file_is_never_taken_for_one_of_the_same_key_that_is_shipped(written):
    key = next(iter(shipped().sources))
    catalogue = written(OURS.replace("[sources.quote]", f"[sources.{key}]").replace('["quote"]', f'["{key}"]'))
    assert catalogue.where(of(catalogue, "NVIDIA H100 SXM").power) == ("a quote of 2026-10-01",)
    assert catalogue.sources[key] == shipped().sources[key]


def test_an_empty_file_changes_nothing(written):
    assert written("") == shipped()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (('name = "Secret 1"', 'name = "NVIDIA H100 SXM"'), ("NVIDIA H100 SXM is there 2 times",)),
        (("size_B = 137_438_953_472", "size_B = 128"), ("Secret 1, memory.size_B", "bytes, not GB")),
        (("4e12", "4e300"), ("Secret 1, memory.bandwidth_B_per_s", "more than any device has")),
        (("4e12", "4000"), ("Secret 1, memory.bandwidth_B_per_s", "B/s, not GB/s")),
        (("500e12", "500.0"), ("Secret 1, peaks.bf16_FLOP_per_s", "FLOP/s, not TFLOP/s")),
        (("1000e12", "2000e12"), ("Secret 1, peaks.fp8_FLOP_per_s", "4.0 times", "without sparsity")),
        (('vendor = "Startup"', ""), ("Secret 1, vendor",)),
        (('kind = "data-center"', ""), ("Secret 1, kind",)),
        (('name = "Secret 1"', ""), ("device 2 has no name",)),
        (("limit_W = 500", "limit_W = -500"), ("NVIDIA H100 SXM, power.limit_W",)),
        (("limit_W = 500", "watts = 500"), ("NVIDIA H100 SXM, power.watts",)),
        (('limit_W = 500\nsources = ["quote"]', "limit_W = 500"), ("NVIDIA H100 SXM, power.sources",)),
        (('currency = "EUR"', 'currency = "Euro"'), ("NVIDIA H100 SXM, price", "'Euro' is no ISO 4217 code")),
        (('kind = "reserved"', 'kind = "leased"'), ("Secret 1, price.0.kind",)),
        (('per = "hour"', 'per = "device"'), ("Secret 1, price", "per hour, not per device")),
        (('device = "Secret 1"', 'device = "NVIDIA H100"'), ("'NVIDIA H100'", "nearest names are", "NVIDIA H100 SXM")),
        (('device = "Secret 1"', ""), ("price",)),
        (('sources = ["quote"]', 'sources = ["ml-engineering"]'), ("'ml-engineering', which is not in this file",)),
        (('standing = "own"', 'standing = "hearsay"'), ("standing",)),
        (("[[price]]", "[[prices]]"), ("'prices' is no table",)),
        (("[[price]]", "[price]"), ("write [[price]]",)),
        (("[[price]]", "[[price]"), ("is not TOML", "line")),
    ],
)
def test_contradictions_are_refused_with_the_file_the_device_and_the_key(written, change, told):
    assert change[0] in OURS
    with pytest.raises(UserError) as refused:
        written(OURS.replace(*change, 1))
    for part in ("ours.toml", *told):
        assert part in refused.value.message
    assert refused.value.remedy


def test_sparse_peaks_of_a_known_device_are_refused_though_they_fit_the_fields(written):
    sparse = "[[device]]\nname = 'NVIDIA A100 SXM 80GB'\n[device.peaks]\nint8_OP_per_s = 1248e12\nsources = ['s']\n"
    with pytest.raises(UserError, match="NVIDIA A100 SXM 80GB, peaks.int8_OP_per_s"):
        written("[sources.s]\nwhere = 'a leaflet'\nstanding = 'own'\n" + sparse)


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_file_that_cannot_be_read_is_told(tmp_path, content):
    path = tmp_path / "ours.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"ours\.toml cannot be read"):
        with_own(shipped(), path)
