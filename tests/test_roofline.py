"""The roofs of a machine, and where records stand under them."""

import math
from dataclasses import replace

import pytest

from bench.record import Metric
from reports import roofline
from tests import factories, observations


def test_products_and_reads_become_roofs_the_highest_first():
    roofs = roofline.measured(observations.ceilings())
    assert [peak.name for peak in roofs.peaks] == ["int8", "bf16", "fp32"]
    assert [band.name for band in roofs.bands] == ["L1 cache", "L2 cache", "L3 cache", "memory"]


def test_a_ceiling_that_could_not_be_had_is_no_roof():
    found = observations.ceilings(matmul_bf16_FLOP_per_s=None, read_L3_B_per_s=math.nan, read_B_per_s=0.0)
    roofs = roofline.measured(found)
    assert [peak.name for peak in roofs.peaks] == ["int8", "fp32"]
    assert [band.name for band in roofs.bands] == ["L1 cache", "L2 cache"]


def test_a_point_stands_at_its_flops_a_byte_and_the_rate_it_attained_with_the_interval_turned_over():
    record = replace(factories.record(), costs={"flops": 600, "bytes_moved": 200})
    latency = Metric(2.0, "s", -1, "time", 1.5, 3.0, 9)
    spot = roofline.spot(replace(record, metrics={"latency_s": latency}))
    assert (spot.intensity, spot.rate, spot.low, spot.high) == (3.0, 300.0, 200.0, 400.0)


@pytest.mark.parametrize("value", [None, 0.0, math.nan, math.inf])
def test_a_point_without_a_time_stands_nowhere(value):
    record = replace(factories.record(), metrics={"latency_s": Metric(value, "s", -1, "time")})
    assert roofline.spot(record) is None


@pytest.mark.parametrize("costs", [{}, {"flops": 5}, {"flops": 0, "bytes_moved": 4}, {"flops": 4, "bytes_moved": 0}])
def test_a_point_without_counts_stands_nowhere(costs):
    assert roofline.spot(replace(factories.record(), costs=costs)) is None


@pytest.mark.parametrize(("intensity", "allowed"), [(1.0, 10e9), (10.0, 100e9), (1000.0, 100e9)])
def test_memory_bounds_what_does_little_arithmetic_a_byte_and_the_peak_what_does_much(intensity, allowed):
    assert roofline.bound(roofline.measured(observations.ceilings()), intensity, "fp32") == allowed


def test_what_was_not_measured_bounds_nothing():
    assert roofline.bound(roofline.measured(observations.ceilings()), 1.0, "fp8") is None


def test_mixed_precision_is_held_against_the_peak_of_its_products():
    assert roofline.number_format(factories.record(precision="amp-bf16")) == "bf16"
    assert roofline.number_format(factories.record(quantize="int8-dynamic")) == "int8"
    assert roofline.number_format(factories.record(quantize="int8-weight")) == "fp32"


def test_the_datasheet_has_roofs_only_for_a_device_that_is_known():
    record = observations.observed(factories.record())
    assert roofline.promised(record).bands == ()
    assert roofline.device_of(record).reason
    accelerated = replace(
        record, facts=record.facts | {"device": "cuda:0"}, host=record.host | {"accelerator": "NVIDIA H100 PCIe"}
    )
    promised = roofline.promised(accelerated)
    assert {peak.rung for peak in promised.peaks} == {"datasheet"}
    assert {peak.name for peak in promised.peaks} <= {"fp32", "bf16", "int8"}
    assert [band.name for band in promised.bands] == ["memory"]
