"""The catalogue of datasheets: what may stand in it, whether its figures agree, and which machine is which device."""

import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.ceilings import Ceiling
from bench.errors import UserError
from reports import datasheet_lookup as lookup
from reports import datasheets
from reports.datasheets import figures, parse, shipped

ROOT = Path(__file__).parent.parent
GiB = 2**30
DEVICES = shipped().device
by_name = pytest.mark.parametrize("device", DEVICES, ids=lambda device: device.name)

SMALL = """
[sources.page]
where = "vendor.example/one"
standing = "vendor"

[sources.table]
where = "a table"
standing = "secondary"

[[device]]
name = "One 40"
vendor = "Maker"
kind = "data-center"
names = ["Maker One"]
[device.peaks]
bf16_FLOP_per_s = 300e12
int8_OP_per_s = 600e12
sources = ["page"]
[device.memory]
size_B = 42_949_672_960
bandwidth_B_per_s = 1.5e12
sources = ["page", "table"]
[device.power]
limit_W = 250
sources = ["page"]
[device.host_link]
name = "PCIe 4"
each_way_B_per_s = 31e9
sources = ["table"]
"""
TWIN = """
[[device]]
name = "{name}"
vendor = "Maker"
kind = "{kind}"
names = ["Maker One"]
[device.memory]
size_B = {size}
sources = ["page"]
[device.power]
limit_W = {limit}
sources = ["page"]
"""


def small(*twins):
    """The small catalogue, with other devices of the same name."""
    return parse(SMALL + "".join(TWIN.format(**{"kind": "data-center"} | twin) for twin in twins), "small")


def ratio(device, over, under):
    """Of two peaks; None where one of them is not known."""
    known = figures(device.peaks) if device.peaks else {}
    return known[over] / known[under] if over in known and under in known else None


def test_the_catalogue_has_at_least_sixty_devices_with_peaks_bandwidth_and_memory():
    whole = [each for each in DEVICES if each.peaks and each.memory]
    assert len([each for each in whole if each.memory.bandwidth_B_per_s and each.memory.size_B]) >= 60


def test_devices_stand_by_vendor_then_kind():
    kinds = ("data-center", "workstation", "consumer", "system", "soc", "processor")
    blocks = [(device.vendor, kinds.index(device.kind)) for device in DEVICES]
    vendors = list(dict.fromkeys(vendor for vendor, _ in blocks))
    assert blocks == sorted(blocks, key=lambda block: (vendors.index(block[0]), block[1]))


@by_name
def test_every_device_is_of_an_architecture_of_a_word_and_its_generation(device):
    assert device.architecture
    assert len(device.architecture.split()) <= 2


def test_an_architecture_is_spelt_alike_within_its_family():
    spelt = {device.architecture for device in DEVICES}
    assert len({each.casefold().replace(" ", "").replace("-", "") for each in spelt}) == len(spelt)


@by_name
def test_every_figure_has_a_source_that_says_how_far_it_can_be_trusted(device):
    assert device.groups()
    for group in device.groups().values():
        assert figures(group)
        assert shipped().where(group)
        assert shipped().standing(group) in ("vendor", "secondary")


def test_a_figure_is_the_vendors_only_where_every_source_is_a_page_of_the_vendor():
    one = small().device[0]
    assert small().standing(one.peaks) == "vendor"
    assert small().standing(one.memory) == "secondary"
    own = {"docs.cloud.google.com", "support.apple.com"}
    assert {each.where.partition("/")[0] for each in shipped().sources.values() if each.standing == "vendor"} <= own


def test_no_source_stands_there_unused():
    used = {key for device in DEVICES for found in (*device.groups().values(), *device.price) for key in found.sources}
    assert used == set(shipped().sources)


def test_only_a_users_file_has_sources_of_its_own():
    assert "own" not in {source.standing for source in shipped().sources.values()}


@by_name
def test_figures_are_of_a_size_that_only_the_right_unit_gives(device):
    ranges = {
        "size_B": (8 * GiB, 512 * GiB),
        "bandwidth_B_per_s": (15e9, 20e12),
        "limit_W": (15, 2000),
        "each_way_B_per_s": (10e9, 2e12),
    }
    for group in device.groups().values():
        for name, value in figures(group).items():
            least, most = ranges.get(name, (0.1e12, 20e15))
            assert least <= value <= most, name


@by_name
def test_narrower_formats_are_never_slower(device):
    floats = ("fp32_FLOP_per_s", "tf32_FLOP_per_s", "bf16_FLOP_per_s", "fp8_FLOP_per_s", "fp4_FLOP_per_s")
    known = figures(device.peaks) if device.peaks else {}
    for order in (floats, ("int8_OP_per_s", "int4_OP_per_s"), ("fp16_FLOP_per_s", "fp16_fp16_accumulate_FLOP_per_s")):
        peaks = [known[name] for name in order if name in known]
        assert peaks == sorted(peaks)
    assert known.get("fp16_FLOP_per_s", 1e99) >= known.get("fp32_FLOP_per_s", 0)


@by_name
def test_no_figure_with_sparsity_stands_among_the_dense_ones(device):
    """Twice a neighbour's figure, once more than the format explains, would be one with 2:4 sparsity."""
    if device.vendor == "NVIDIA":
        assert ratio(device, "bf16_FLOP_per_s", "fp16_FLOP_per_s") in (None, 1)
    steps = (("fp16_FLOP_per_s", "tf32_FLOP_per_s"), ("int8_OP_per_s", "fp16_FLOP_per_s"))
    more = (
        ("fp8_FLOP_per_s", "bf16_FLOP_per_s"),
        ("fp4_FLOP_per_s", "fp8_FLOP_per_s"),
        ("int4_OP_per_s", "int8_OP_per_s"),
    )
    for over, under in (*steps, *more):
        factor = ratio(device, over, under)
        doubles = factor is None or factor == pytest.approx(2, rel=0.03)
        explained = over.partition("_")[0] in (device.note or "")
        assert doubles or explained, (over, under, factor)


@by_name
def test_tensor_cores_of_one_family_stand_in_the_ratio_of_its_whitepaper_to_vector_arithmetic(device):
    """fp16 that accumulates in fp32: GeForce cards have half of what professional cards with the same chip have."""
    whole = {"Turing": 8, "Ampere": 4, "Ada": 4, "Blackwell": 4}
    exempt = ("A100", "A30", "A10G", "Orin", "L40", "B100", "B200", "B300", "GB200", "GB300", "GB10")
    factor = ratio(device, "fp16_FLOP_per_s", "fp32_FLOP_per_s")
    if (
        device.vendor == "NVIDIA"
        and device.architecture in whole
        and not set(exempt) & set(re.split(r"[ ()]", device.name))
    ):
        halved = 2 if device.kind == "consumer" else 1
        assert factor == pytest.approx(whole[device.architecture] / halved, rel=0.02)


@pytest.mark.parametrize(
    ("device", "formats"),
    [
        ("NVIDIA T4", {"fp32", "fp16", "int8", "int4"}),
        ("NVIDIA A100 SXM 80GB", {"fp32", "fp16", "bf16", "int8", "int4"}),
        ("NVIDIA H100 SXM", {"fp32", "fp16", "bf16", "fp8", "int8"}),
        ("NVIDIA B200 SXM", {"fp32", "fp16", "bf16", "fp8", "fp4", "int8"}),
        ("NVIDIA GeForce RTX 4070", {"fp32", "fp16", "bf16", "fp8", "int8", "int4"}),
        ("Google TPU v5e", {"bf16", "int8"}),
        ("AWS Graviton4", set()),
    ],
)
def test_a_device_multiplies_the_formats_that_it_has_a_peak_for(device, formats):
    (found,) = (each for each in DEVICES if each.name == device)
    peaks = datasheets.figures(found.peaks) if found.peaks is not None else {}
    assert {name.partition("_")[0] for name in peaks} - {"tf32"} == formats


@pytest.mark.parametrize(
    ("name", "dense"),
    [("NVIDIA H100 SXM", 989e12), ("NVIDIA A100 SXM 80GB", 312e12), ("NVIDIA L40S", 362e12), ("NVIDIA L4", 121e12)],
)
def test_well_known_peaks_are_the_dense_half_of_the_advertised_ones(name, dense):
    (device,) = (each for each in DEVICES if each.name == name)
    assert device.peaks.bf16_FLOP_per_s == dense


@pytest.mark.parametrize(
    ("told", "GiB_told", "limit_W", "expected"),
    [
        ("NVIDIA H100 80GB HBM3", 79.6, 700, "NVIDIA H100 SXM"),
        ("NVIDIA H100 PCIe", 79.6, 350, "NVIDIA H100 PCIe"),
        ("NVIDIA H100 NVL", 93.6, 400, "NVIDIA H100 NVL"),
        ("NVIDIA H200", 140.4, 700, "NVIDIA H200 SXM"),
        ("NVIDIA A100-SXM4-80GB", 80, 400, "NVIDIA A100 SXM 80GB"),
        ("A100-SXM4-40GB", 39.6, 400, "NVIDIA A100 SXM 40GB"),
        ("NVIDIA A100 80GB PCIe", 80, 300, "NVIDIA A100 PCIe 80GB"),
        ("Tesla T4", 14.8, 70, "NVIDIA T4"),
        ("Tesla V100-SXM2-16GB", 15.8, 300, "NVIDIA V100 SXM2"),
        ("NVIDIA L40S", 45.0, 350, "NVIDIA L40S"),
        ("NVIDIA GeForce RTX 4090", 24, 450, "NVIDIA GeForce RTX 4090"),
        ("Quadro RTX 8000", 48, 260, "NVIDIA Quadro RTX 8000"),
        ("NVIDIA GB10", None, None, "NVIDIA DGX Spark (GB10)"),
    ],
)
def test_the_name_that_a_driver_gives_leads_to_the_device(told, GiB_told, limit_W, expected):
    memory = None if GiB_told is None else GiB_told * GiB
    assert lookup.accelerator(shipped(), told, memory, limit_W).device.name == expected


@pytest.mark.parametrize(
    ("told", "GiB_told", "reason"),
    [
        (None, None, "no driver tells"),
        ("NVIDIA A10M", 20, "'NVIDIA A10M' is not in the catalogue"),
        ("NVIDIA GeForce RTX 4080 Laptop GPU", 12, "not in the catalogue"),
        ("NVIDIA A100-SXM4-40GB MIG 1g.5gb", 4.75, "not in the catalogue"),
        ("NVIDIA GeForce RTX 3080", 12, "with 10.0 GiB; this one has 12.0 GiB"),
        ("NVIDIA A100-SXM4-40GB", 80, "with 40.0 GiB; this one has 80.0 GiB"),
    ],
)
def test_what_is_not_the_whole_device_is_not_taken_for_it(told, GiB_told, reason):
    match = lookup.accelerator(shipped(), told, None if GiB_told is None else GiB_told * GiB, None)
    assert match.device is None
    assert reason in match.reason


@by_name
def test_no_two_devices_answer_to_the_same_name_and_memory(device):
    for name in device.names:
        size = device.memory.size_B if device.memory else None
        if device.kind == "processor":
            assert lookup.processor(shipped(), name).device == device
        else:
            assert lookup.accelerator(shipped(), name, size, None).device == device


def test_devices_of_one_name_are_told_apart_by_memory_then_by_power_limit():
    bigger = {"name": "One 80", "size": 80 * GiB, "limit": 250}
    thirsty = {"name": "One 80 hot", "size": 80 * GiB, "limit": 400}
    catalogue = small(bigger, thirsty)
    assert lookup.accelerator(catalogue, "Maker One", 39.5 * GiB, None).device.name == "One 40"
    assert lookup.accelerator(catalogue, "Maker One", 79.5 * GiB, 400).device.name == "One 80 hot"
    ambiguous = lookup.accelerator(catalogue, "Maker One", 79.5 * GiB, 300)
    assert ambiguous.device is None
    assert ambiguous.reason == "'Maker One' can be One 80 or One 80 hot."


@pytest.mark.parametrize(("limit_W", "told"), [(250, False), (252, False), (None, False), (200, True), (300, True)])
def test_a_power_limit_that_differs_from_the_datasheets_is_told(limit_W, told):
    cautions = lookup.accelerator(small(), "maker one", 40 * GiB, limit_W).cautions
    assert ([f"Its power limit is {limit_W} W; the datasheet's is 250 W."] if told else []) == list(cautions)


@pytest.mark.parametrize(
    "model",
    [
        "AMD EPYC",
        "Intel(R) Xeon(R) Processor",
        "Intel(R) Xeon(R) CPU @ 2.20GHz",
        "Intel Xeon Processor (Skylake, IBRS)",
        "QEMU Virtual CPU version 2.5+",
        "x86_64",
        "",
    ],
)
def test_a_processor_without_a_model_is_not_known_for_that_reason(model):
    match = lookup.processor(shipped(), model)
    assert match.device is None
    assert "names no model" in match.reason


def test_a_processor_is_found_by_its_model_and_is_never_taken_for_an_accelerator():
    catalogue = small({"name": "A processor", "kind": "processor", "size": GiB, "limit": 100})
    assert lookup.processor(catalogue, "Maker(R) One").device.name == "A processor"
    assert lookup.accelerator(catalogue, "Maker One", None, None).device.name == "One 40"
    epyc = lookup.processor(catalogue, "AMD EPYC 7763 64-Core Processor")
    assert epyc.reason == "the processor 'AMD EPYC 7763 64-Core Processor' is not in the catalogue."


def ceiling(value, unit):
    return Ceiling(value, unit, 1, "a ceiling")


def test_each_measured_figure_stands_beside_its_own_counterpart_and_no_other():
    measured = {
        "matmul": {
            "matmul_bf16_FLOP_per_s": ceiling(150e12, "FLOP/s"),
            "matmul_fp32_FLOP_per_s": ceiling(10e12, "FLOP/s"),
            "matmul_int8_OP_per_s": ceiling(None, "OP/s"),
        },
        "bandwidth": {"copy_B_per_s": ceiling(1.2e12, "B/s"), "read_L2_B_per_s": ceiling(9e12, "B/s")},
        "kernel": {"one_row_bf16_B_per_s": ceiling(1e12, "B/s")},
        "transfer": {"host_to_device_pinned_B_per_s": ceiling(15.5e9, "B/s")},
        "dispatch": {"dispatch_empty_s": ceiling(1e-6, "s")},
    }
    found = lookup.beside(small(), small().device[0], measured)
    assert {ceiling: sorted(figures) for ceiling, figures in found.items()} == {
        "matmul": ["matmul_bf16_FLOP_per_s", "matmul_int8_OP_per_s"],
        "bandwidth": ["copy_B_per_s"],
        "transfer": ["host_to_device_pinned_B_per_s"],
    }
    bf16 = found["matmul"]["matmul_bf16_FLOP_per_s"]
    assert (bf16.value, bf16.unit, bf16.share, bf16.standing) == (300e12, "FLOP/s", 0.5, "vendor")
    assert bf16.sources == ("vendor.example/one",)
    assert found["matmul"]["matmul_int8_OP_per_s"].share is None
    assert found["bandwidth"]["copy_B_per_s"].share == pytest.approx(0.8)
    assert found["transfer"]["host_to_device_pinned_B_per_s"].share == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("limit_W = 250", "limit_W ="), "line 2"),
        (("limit_W = 250", "limit_W = '250 W'"), "One 40, power.limit_W"),
        (("limit_W = 250", "limit_W = -1"), "One 40, power.limit_W"),
        (("limit_W = 250", "limit_W = nan"), "One 40, power.limit_W"),
        (("limit_W = 250", "limit_W = true"), "One 40, power.limit_W"),
        (("limit_W = 250", "limit = 250"), "One 40, power.limit"),
        (("bf16_FLOP_per_s", "bf16_TFLOP_per_s"), "One 40, peaks.bf16_TFLOP_per_s"),
        (('kind = "data-center"', 'kind = "server"'), "One 40, kind"),
        (('vendor = "Maker"', ""), "One 40, vendor"),
        (('name = "One 40"', ""), "device 1, name"),
        (('sources = ["page", "table"]', "sources = []"), "One 40, memory.sources"),
        (('sources = ["page", "table"]', 'sources = ["hearsay"]'), "memory of One 40 names the source 'hearsay'"),
        (('standing = "vendor"', 'standing = "rumour"'), "sources.page.standing"),
        (("size_B = 42_949_672_960\nbandwidth_B_per_s = 1.5e12", ""), "One 40 has no figures in memory"),
    ],
)
def test_a_malformed_catalogue_is_refused_with_the_place(change, told):
    assert change[0] in SMALL
    with pytest.raises(UserError) as refused:
        parse(SMALL.replace(*change), "small")
    assert told in refused.value.message
    assert "small" in refused.value.message
    assert refused.value.remedy


def test_a_device_twice_and_a_device_without_figures_are_refused():
    with pytest.raises(UserError, match="One 40 is there 2 times"):
        small({"name": "One 40", "size": GiB, "limit": 1})
    with pytest.raises(UserError, match="Empty has no figures"):
        parse('[sources]\n[[device]]\nname = "Empty"\nvendor = "Maker"\nkind = "soc"\n', "small")


@given(st.text(max_size=80))
def test_no_text_makes_the_parser_fail_in_another_way(text):
    try:
        parse(text, "any")
    except UserError as refused:
        assert refused.remedy


@given(st.text(max_size=40), st.none() | st.floats(1, 1e12), st.none() | st.floats(1, 1e4))
def test_every_name_gets_a_device_or_a_reason(name, memory_B, limit_W):
    for match in (lookup.accelerator(shipped(), name, memory_B, limit_W), lookup.processor(shipped(), name)):
        assert (match.device is None) == bool(match.reason)


def test_every_package_is_installed():
    setup = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    there = [path.parent for top in ("model", "bench", "reports") for path in (ROOT / top).rglob("__init__.py")]
    assert set(setup["packages"]) == {".".join(folder.relative_to(ROOT).parts) for folder in there}


def test_whatever_is_read_at_run_time_is_installed_with_the_package():
    """The wheel holds what package-data names, so a file that no pattern names is missing from an installation."""
    setup = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    for package, patterns in setup["package-data"].items():
        for path in (ROOT / package).rglob("*"):
            if path.is_file() and path.suffix not in (".py", ".pyc", ".c"):
                inside = path.relative_to(ROOT / package).as_posix()
                same_depth = [pattern for pattern in patterns if pattern.count("/") == inside.count("/")]
                assert any(fnmatch(inside, pattern) for pattern in same_depth), f"{package}/{inside}"
    assert any(fnmatch(datasheets.SHIPPED, pattern) for pattern in setup["package-data"]["reports"])
