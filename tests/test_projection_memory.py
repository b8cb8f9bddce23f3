"""What fits a device: sums checked by hand, logs that others published, and what must hold whatever the numbers."""

from dataclasses import astuple, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports import datasheets
from reports.datasheets import Device, Memory
from reports.projection import formats, memory, models
from reports.projection.answers import Candidate
from reports.projection.memory import device_memory, engine_memory, stored, training
from tests.proofs import published_fits

GIB = 2**30
MODELS = models.published()
DEVICES = {device.name: device for device in datasheets.shipped().device}
H100, RTX_3060 = DEVICES["NVIDIA H100 SXM"], DEVICES["NVIDIA GeForce RTX 3060 12GB"]
WITHOUT_FLASH = memory.Setting(flash=False, headless=True)


def sized(gib, **changes):
    card = Device("a card", "NVIDIA", "data-center", memory=Memory(sources=("a test",), size_B=round(gib * GIB)))
    return replace(card, **changes)


def fit(model, weights="fp16", device=H100, devices=1, split="none", prompt=1024, output=1024, batch=1, **more):
    return memory.fit(MODELS[model], weights, "fp16", Candidate(device, devices, split), prompt, output, batch, **more)


def test_a_70b_in_16_bits_needs_two_cards_of_80_gb():
    assert not fit("Llama-2-70B").fits
    assert fit("Llama-2-70B", devices=2, split="tensor").fits


def test_an_8b_in_16_bits_does_not_fit_12_gb_but_in_4_bits_it_does():
    assert not fit("Llama-3-8B", device=RTX_3060).fits
    assert fit("Llama-3-8B", "int4-weight", device=RTX_3060).fits


def test_the_cache_is_two_values_a_layer_and_head_for_every_token_of_every_sequence():
    by_hand = 7 * (300 + 200) * 2 * 80 * 8 * 128 * 2  # sequences, tokens, K and V, layers, heads, width, bytes
    assert fit("Llama-2-70B", prompt=300, output=200, batch=7).parts_B[memory.CACHE] == by_hand


def test_a_cache_in_8_bits_is_half_of_one_in_16():
    model, one = MODELS["Llama-3-8B"], Candidate(H100)
    wide, narrow = (memory.fit(model, "bf16", kv, one, 100, 100, 4).parts_B[memory.CACHE] for kv in ("fp16", "fp8"))
    assert wide == 2 * narrow


@pytest.mark.parametrize(
    ("model", "weights", "gib"),
    [  # as llama.cpp prints them, and the safetensors of AWQ, FP8 and gpt-oss
        ("Llama-3-8B", "Q4_K_M", 4.58),
        ("Llama-3-70B", "Q4_K_M", 39.59),
        ("Llama-3-8B", "fp16", 14.96),
        ("Llama-3-70B", "fp16", 131.42),
        ("Llama-2-7B", "Q4_0", 3.56),
        ("Llama-3-70B", "fp8", 67.7),
        ("gpt-oss-120b", "mxfp4", 60.8),
    ],
)
def test_files_have_the_size_that_they_really_have(model, weights, gib):
    assert sum(astuple(stored.weights(MODELS[model], weights))) / GIB == pytest.approx(gib, rel=0.003)


@pytest.mark.parametrize(("context", "mib"), [(512, 258.5), (8192, 560.0)])
def test_llama_cpp_needs_the_compute_buffer_that_its_log_prints(context, mib):
    work = engine_memory.llama_work_B(MODELS["Llama-3-8B"], batch=1, context=context, chunk=512, devices=1, flash=False)
    assert work / 2**20 == pytest.approx(mib, rel=1e-3)


def test_the_table_of_tokens_stays_with_the_host_in_llama_cpp_alone():
    there, here = (fit("Llama-3-8B", engine=engine).parts_B[memory.WEIGHTS] for engine in ("vllm", "llama.cpp"))
    assert there - here == 128256 * 4096 * 2


def test_vllm_leaves_a_tenth_of_the_device_alone():
    with_vllm, plain = fit("Llama-3-8B", engine="vllm"), fit("Llama-3-8B")
    assert with_vllm.need_B - plain.need_B == pytest.approx(0.1 * with_vllm.have_B)
    assert with_vllm.most_batch < plain.most_batch
    told_otherwise = fit("Llama-3-8B", engine="vllm", setting=memory.Setting(reserve=0.0))
    assert told_otherwise.most_batch == plain.most_batch


def test_what_a_device_offers_is_what_its_driver_was_seen_to_report():
    seen = {"NVIDIA H100 SXM": 79.2, "NVIDIA L40S": 44.4, "NVIDIA L4": 22.0, "NVIDIA T4": 14.7, "AMD MI300X": 191.7}
    for name, gib in seen.items():
        offered = device_memory.offered_B(DEVICES[name], headless=True)
        assert offered is not None
        assert offered / GIB == pytest.approx(gib, rel=0.01), name
    assert set(DEVICES) >= device_memory.CHECK_BITS


def test_a_mac_gives_its_gpu_two_thirds_or_three_quarters():
    small, large = (sized(gib, vendor="Apple", kind="soc") for gib in (8, 64))
    assert device_memory.offered_B(small) == pytest.approx(5461.3 * 2**20, rel=1e-4)
    assert device_memory.offered_B(large) == 48 * GIB


def test_a_display_takes_its_part_of_a_consumer_card():
    assert (device_memory.offered_B(RTX_3060, headless=True) or 0) > (device_memory.offered_B(RTX_3060) or 0)
    assert device_memory.offered_B(H100, headless=True) == device_memory.offered_B(H100)


def test_nothing_is_said_to_fit_a_device_of_unknown_size():
    unknown = replace(H100, memory=None)
    found = fit("SmolLM2-135M", device=unknown)
    assert (found.fits, found.have_B, found.most_batch) == (False, 0.0, 0)
    assert "not known" in found.reason
    trained = training.fit(MODELS["SmolLM2-135M"], Candidate(unknown), "full", 1, 64)
    assert not trained.fits
    assert "not known" in trained.reason


def test_heads_that_do_not_divide_are_refused_and_few_kv_heads_are_copied():
    assert "14 heads" in fit("Qwen2.5-0.5B", devices=4, split="tensor").reason
    assert not fit("Qwen2.5-0.5B", devices=4, split="tensor").fits
    eight, sixteen = (fit("Llama-3-70B", devices=devices, split="tensor") for devices in (8, 16))
    assert sixteen.parts_B[memory.CACHE] == 2 * eight.parts_B[memory.CACHE]
    assert "held 2 times" in sixteen.reason
    assert "held" not in eight.reason


def test_a_pipeline_splits_whole_layers_and_the_fullest_device_decides():
    six = fit("Llama-3-70B", device=sized(24), devices=6, split="pipeline", engine="llama.cpp", setting=WITHOUT_FLASH)
    layer = stored.weights(MODELS["Llama-3-70B"], "fp16").layers_B / 80 + six.parts_B[memory.CACHE] / 80
    on_all = six.parts_B[memory.WEIGHTS] + six.parts_B[memory.CACHE] + six.parts_B[memory.UNEVEN]
    assert on_all == pytest.approx(6 * 14 * layer)  # 81 units on six devices: fourteen layers on the fullest
    assert not fit("Llama-3-8B", devices=40, split="pipeline").fits


def test_copies_of_a_model_share_sequences_and_not_weights():
    one, two = fit("Llama-3-8B", batch=4), fit("Llama-3-8B", devices=2, split="data", batch=8)
    assert two.need_B == pytest.approx(2 * one.need_B)


def test_a_verdict_within_what_is_not_known_says_so():
    exact = fit("Llama-3-8B", device=sized(100))
    tight = fit("Llama-3-8B", device=sized((exact.need_B / GIB + 0.1) / 0.99 + 0.05))
    assert "too close to tell" in tight.reason
    assert "too close" not in exact.reason


def test_a_context_beyond_the_models_own_is_remarked():
    assert "at most 4096 tokens" in fit("Llama-2-7B", prompt=5000).reason


batches, tokens = st.integers(1, 200), st.integers(1, 4000)
names, weights = st.sampled_from(sorted(MODELS)), st.sampled_from(sorted(formats.FORMATS))
splits = st.sampled_from([("none", 1), ("tensor", 2), ("pipeline", 3), ("data", 2)])
engines = st.sampled_from([None, "vllm", "llama.cpp"])


@given(names, weights, splits, tokens, tokens, batches, engines)
def test_parts_add_up_and_more_sequences_or_tokens_never_need_less(model, form, split, prompt, output, batch, engine):
    candidate = Candidate(H100, split[1], split[0])
    found = memory.fit(MODELS[model], form, "fp16", candidate, prompt, output, batch, engine)
    assert found.need_B == pytest.approx(sum(found.parts_B.values()))
    assert all(size >= -1.0 for size in found.parts_B.values())
    more = memory.fit(MODELS[model], form, "fp16", candidate, prompt, output, batch + 1, engine)
    longer = memory.fit(MODELS[model], form, "fp16", candidate, prompt, output + 1, batch, engine)
    assert more.need_B >= found.need_B
    assert longer.need_B >= found.need_B
    assert found.fits == (batch <= found.most_batch)


@given(names, weights, splits, tokens, tokens, engines)
def test_the_most_sequences_fit_and_one_more_does_not(model, form, split, prompt, output, engine):
    candidate = Candidate(H100, split[1], split[0])
    most = memory.fit(MODELS[model], form, "fp16", candidate, prompt, output, 1, engine).most_batch
    if most:
        assert memory.fit(MODELS[model], form, "fp16", candidate, prompt, output, most, engine).fits
    assert not memory.fit(MODELS[model], form, "fp16", candidate, prompt, output, most + 1, engine).fits


@pytest.mark.parametrize(
    ("model", "batch", "seen_GB"), [("Llama-2-7B", 1, 21.3), ("Llama-2-7B", 2, 29.07), ("Llama-2-13B", 1, 38.12)]
)
def test_lora_needs_what_litgpt_measured(model, batch, seen_GB):
    found = training.fit(MODELS[model], Candidate(H100), "lora", batch, 1304)
    beside_context = found.need_B - found.parts_B["context and libraries"]
    assert beside_context / 1e9 == pytest.approx(seen_GB, rel=0.03)


def test_training_all_weights_takes_sixteen_bytes_each_and_sharing_divides_them():
    model = MODELS["Llama-2-7B"]
    alone = training.fit(model, Candidate(H100), "full", 1, 512, checkpointing=True)
    shared = training.fit(model, Candidate(H100, 2, "tensor"), "full", 1, 512, checkpointing=True)
    copied = training.fit(model, Candidate(H100, 2, "data"), "full", 1, 512, checkpointing=True)
    stays = alone.parts_B["weights"] + alone.parts_B["gradients and optimizer state"]
    assert stays == 16 * model.parameters
    assert not alone.fits
    assert shared.fits
    assert shared.most_batch > 0
    assert not copied.fits
    assert training.fit(model, Candidate(H100), "qlora", 1, 512, checkpointing=True).fits


def test_every_published_row_can_be_judged_and_none_that_counts_is_wrong():
    rows = published_fits.read()
    assert {row.judged for row in rows} >= {"equal", "too close to tell", "doubted"}
    assert [row.line() for row in rows if row.judged == "wrong"] == []
