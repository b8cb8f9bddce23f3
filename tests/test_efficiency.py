"""Ideal times by hand, one of each kind, and what the shortfall of real ones is said to depend on."""

import math
from dataclasses import replace

import pytest

from reports.catalogue import Link, Memory, Peaks, Power
from reports.datasheets import Device
from reports.projection import calibrated, calibration, counts, efficiency, models, physics
from reports.projection.efficiency import Situation

CITED = ("a test",)
LLAMA = models.published()["Llama-2-7B"]
DEVICES = calibration.by_name()
#: A card at which every slope over its figures is 0.
REFERENCE = Device(
    "a card", "NVIDIA", "workstation", "Ada",
    peaks=Peaks(sources=CITED, fp16_FLOP_per_s=2e14),
    memory=Memory(sources=CITED, size_B=48 * 2**30, bandwidth_B_per_s=8e11),
    power=Power(sources=CITED, limit_W=2e14 / 7e11),
    peer_link=Link(sources=CITED, name="x", each_way_B_per_s=1e11),
)  # fmt: skip


def situation(device=REFERENCE, engine="vllm", batch=1, prompt=0, output=0, depth=0, **more):
    job = counts.job(LLAMA, 2, 2, batch=batch, prompt=prompt, output=output, depth=depth)
    return Situation(device, engine, "fp16", job, **more)


def test_a_prompt_takes_the_hypotenuse_of_its_products_and_its_bytes():
    asked = situation(prompt=512)
    at = efficiency.ideal(asked)
    products, moved = asked.counts.prompt_flops / 2e14, asked.counts.prompt_B / 8e11
    assert at.total_s == at.prompt_s == pytest.approx(math.hypot(products, moved))
    assert at.step_s == 0
    assert at.compute == pytest.approx(products**2 / at.total_s**2)
    assert at.wall == "compute"


def test_generation_takes_its_steps():
    asked = situation(output=100)
    at = efficiency.ideal(asked)
    step = math.hypot(asked.counts.step_flops / 2e14, asked.counts.step_B / 8e11)
    assert at.total_s == pytest.approx(100 * step)
    assert at.wall == "memory bandwidth"


def test_a_job_is_its_prompts_and_its_steps():
    at = efficiency.ideal(situation(batch=4, prompt=100, output=50))
    assert at.total_s == pytest.approx(at.prompt_s + 49 * at.step_s)
    assert at.compute + at.memory + at.links == pytest.approx(1)


def test_tensor_parallelism_divides_the_work_and_sends_sums_round_a_ring():
    """Each of n devices sends 2 (n - 1) / n of what is summed (Patarasuk & Yuan, 2009)."""
    alone, asked = efficiency.ideal(situation(output=10)), situation(output=10, devices=4, split="tensor")
    together = efficiency.ideal(asked)
    assert together.step_s == pytest.approx(alone.step_s / 4 + asked.counts.step_sent_B * 2 * 3 / 4 / 1e11)
    assert together.links > 0
    assert alone.links == 0


def test_a_pipeline_gains_nothing_for_one_sequence():
    alone, asked = situation(output=10), situation(output=10, devices=4, split="pipeline")
    assert efficiency.ideal(asked).total_s == pytest.approx(efficiency.ideal(alone).total_s)


def test_a_pipeline_fills_and_drains():
    """A prompt of 2048 tokens is 4 chunks of 512: over 2 devices, 5 turns of half the work of a chunk each."""
    alone, asked = situation(prompt=2048), situation(prompt=2048, devices=2, split="pipeline")
    assert efficiency.ideal(asked).total_s == pytest.approx(efficiency.ideal(alone).total_s * 5 / 8)


def test_replicas_share_the_work_without_sending():
    replicas = efficiency.ideal(situation(output=10, devices=2, split="none"))
    assert replicas.total_s == efficiency.ideal(situation(output=10)).total_s


def test_the_link_is_the_vendors_own_then_the_hosts_then_an_assumed_one():
    host = Link(sources=CITED, name="x", each_way_B_per_s=6.3e10)
    assert efficiency.link_B_per_s(replace(REFERENCE, host_link=host)) == 1e11
    assert efficiency.link_B_per_s(replace(REFERENCE, host_link=host, peer_link=None)) == 6.3e10
    assert efficiency.link_B_per_s(replace(REFERENCE, peer_link=None)) == efficiency.ASSUMED_LINK_B_PER_S


def test_nothing_is_ideal_without_a_peak_or_a_bandwidth():
    assert efficiency.ideal(situation(replace(REFERENCE, peaks=None), output=1)) is None
    assert efficiency.ideal(situation(replace(REFERENCE, memory=None), output=1)) is None
    assert efficiency.ideal(replace(situation(output=1), weights="fp8")) is None


def test_a_geforce_multiplies_twice_as_fast_for_engines_that_sum_in_16_bits():
    card = DEVICES["NVIDIA GeForce RTX 4090"]
    assert efficiency.peak(situation(card, "vllm")) == card.peaks.fp16_FLOP_per_s
    assert efficiency.peak(situation(card, "llama.cpp")) == pytest.approx(2 * card.peaks.fp16_FLOP_per_s)
    for name in ("NVIDIA RTX A6000", "NVIDIA A100 SXM 80GB", "AMD Radeon RX 7900 XTX"):
        assert efficiency.sums_in_half(DEVICES[name]) == 1


def test_the_catalogue_agrees_where_it_names_both_rates():
    named = [each for each in DEVICES.values() if each.peaks and each.peaks.fp16_fp16_accumulate_FLOP_per_s]
    assert named
    for each in named:
        ratio = each.peaks.fp16_fp16_accumulate_FLOP_per_s / each.peaks.fp16_FLOP_per_s
        assert ratio == pytest.approx(efficiency.sums_in_half(each), rel=0.01), each.name


def test_slopes_are_0_at_the_reference():
    asked = situation(prompt=1000)
    row = efficiency.row(asked, efficiency.ideal(asked))
    for family in ("ratio", "peak", "peak per watt", "length"):
        assert row.get((f"compute: {family}", "all"), 0.0) == pytest.approx(0)
    for family in ("bandwidth", "ratio"):
        assert row.get((f"memory: {family}", "all"), 0.0) == pytest.approx(0)
    assert ("compute: stacked memory", "all") not in row


def test_effects_count_in_proportion_to_the_part_that_they_belong_to():
    asked = situation(batch=16, prompt=200, output=20)
    at = efficiency.ideal(asked)
    row = efficiency.row(asked, at)
    assert row["compute: device", "a card"] == at.compute
    assert row["memory: engine", "vllm"] == at.memory


def test_a_row_names_every_family_of_groups_and_only_fitted_ones():
    asked = situation(DEVICES["NVIDIA H100 SXM"], batch=8, prompt=200, output=20, devices=2, split="tensor")
    families = {family for family, _ in efficiency.row(asked, efficiency.ideal(asked))}
    for part in ("compute", "memory"):
        for group in ("all", "engine", "backend", "format", "engine, format", "vendor", "architecture", "device"):
            assert f"{part}: {group}" in families
    assert {"launches", "serving", "split", "split, links", "source", "configuration: serving"} <= families
    assert families <= set(calibrated.scales())


def test_somebody_new_is_another_source_than_any_that_measured():
    asked = situation(output=1)
    row, published = (efficiency.row(each, efficiency.ideal(asked)) for each in (asked, replace(asked, source="mlc")))
    assert row["source", "somebody new"] == published["source", "mlc"] == 1


def test_what_was_measured_together_is_of_one_kind():
    assert efficiency.kind(situation(prompt=10).counts) == "prefill"
    assert efficiency.kind(situation(output=10).counts) == "decode"
    assert efficiency.kind(situation(batch=2, output=10).counts) == "together"
    assert efficiency.kind(situation(batch=2, prompt=10, output=10).counts) == "serving"


def test_an_engine_runs_on_the_vendors_backend_unless_another_is_named():
    assert situation(DEVICES["AMD MI300X"]).runs_on == "ROCm"
    assert situation(DEVICES["AMD MI300X"], backend="Vulkan").runs_on == "Vulkan"
    assert situation(DEVICES["AMD Ryzen 9 7950X"]).runs_on == "CPU"


def test_stacked_memory_is_told_by_its_bandwidth():
    assert efficiency.has_stacked_memory(DEVICES["NVIDIA A100 PCIe 40GB"])
    assert not efficiency.has_stacked_memory(DEVICES["NVIDIA L40S"])
    assert not efficiency.has_stacked_memory(DEVICES["NVIDIA GeForce RTX 5090"])


def test_no_job_takes_less_than_the_longer_of_its_products_and_its_memory():
    asked = situation(prompt=512, output=100)
    counted, held_s = asked.counts, physics.CACHED_B / 8e11
    prompt_s = max(counted.prompt_flops / 2e14, counted.prompt_B / 8e11 - held_s)
    step_s = max(counted.step_flops / 2e14, counted.step_B / 8e11 - held_s)
    at = efficiency.ideal(asked)
    assert at.least_s == pytest.approx(prompt_s + 99 * step_s)
    assert at.least_s < at.total_s


def test_nothing_that_was_measured_is_faster_than_that():
    known = [each for each in calibrated.shipped().fitted if each.noise != calibrated.POWER_NOISE]
    assert all(each.observation.seconds >= each.ideal.least_s for each in known)
