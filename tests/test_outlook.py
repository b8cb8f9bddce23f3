"""What devices would do: times, rates and power of two of them, in common draws, with the shipped calibration."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from reports.projection import calibrated, calibration, demand, models, outlook, physics
from reports.projection.answers import Candidate, Outlook, Refusal, Use, Workload

CHAT, SUMMARIES = Use("chat", 0.7, 512, 256), Use("summarize", 0.3, 4096, 300)
H100, L40S = "NVIDIA H100 SXM", "NVIDIA L40S"
DRAWS = 1000


def workload(model="Llama-3-8B", weights="fp16", uses=(CHAT,), engine="vllm", **limits):
    return Workload(models.named(model), weights, "fp16", tuple(uses), engine, **limits)


def candidate(name, devices=1, **values):
    return Candidate(replace(calibration.by_name()[name], **values), devices, "tensor" if devices > 1 else "none")


def outlooks(asked, *candidates, seed=0):
    return outlook.outlooks(calibrated.shipped(), asked, candidates, DRAWS, seed)


def one(asked, name=H100, devices=1):
    (found,) = outlooks(asked, candidate(name, devices))
    assert isinstance(found, Outlook), found
    return found


@cache
def pair():
    """Both devices at their best batches."""
    return outlooks(workload(), candidate(H100), candidate(L40S))


def refusal(asked, of):
    (found,) = outlooks(asked, of)
    assert isinstance(found, Refusal), found
    assert found.label == of.label
    return found.reason


def test_each_candidate_has_its_answer_in_the_order_asked():
    small = candidate("NVIDIA GeForce RTX 3060 12GB")
    found = outlooks(workload(), candidate(L40S), small, candidate(H100))
    assert [getattr(each, "label", None) or each.candidate.label for each in found] == [L40S, small.label, H100]
    assert isinstance(found[1], Refusal)


def test_the_faster_device_is_faster_and_is_so_in_almost_all_draws():
    fast, slow = pair()
    assert np.mean(fast.tokens_per_s.draws > slow.tokens_per_s.draws) > 0.95


def test_draws_of_two_devices_belong_together():
    """What is unknown of the engine and the model slows both: their ratio is better known than either."""
    logs = [np.log(each.tokens_per_s.draws) for each in pair()]
    assert np.corrcoef(logs)[0, 1] > 0.2
    assert np.std(logs[0] - logs[1]) < np.hypot(*(np.std(each) for each in logs))


def test_the_same_seed_gives_the_same_answer_also_when_more_is_asked():
    fast, slow = pair()
    alone = one(workload(), L40S)
    assert np.array_equal(one(workload()).tokens_per_s.draws, one(workload()).tokens_per_s.draws)
    assert alone.tokens_per_s.draws == pytest.approx(slow.tokens_per_s.draws, rel=1e-5)
    (other,) = outlooks(workload(), candidate(H100), seed=1)
    assert not np.allclose(other.tokens_per_s.draws, fast.tokens_per_s.draws)
    assert other.tokens_per_s.likely == pytest.approx(fast.tokens_per_s.likely, rel=0.1)


def test_alone_a_sequence_reads_its_prompt_and_then_generates():
    found = one(workload(batch=1))
    whole = found.ttft_s.draws + (CHAT.output - 1) * found.tpot_s.draws
    assert found.tokens_per_s.draws == pytest.approx(CHAT.output / whole)
    assert found.prefill_tokens_per_s.draws == pytest.approx(CHAT.prompt / found.ttft_s.draws)


def test_together_the_time_of_the_prompts_is_in_the_rate():
    found = one(workload(batch=16))
    assert found.batch == 16
    assert found.tokens_per_s.draws == pytest.approx(16 / found.tpot_s.draws)
    assert found.ttft_s.draws == pytest.approx(one(workload(batch=1)).ttft_s.draws)


def test_times_are_those_of_the_slowest_use_and_rates_those_of_the_mix():
    mix = one(workload(uses=(CHAT, SUMMARIES), batch=8))
    alone = [one(workload(uses=(replace(use, share=1.0),), batch=8)) for use in (CHAT, SUMMARIES)]
    assert mix.ttft_s.draws == pytest.approx(np.maximum(*(each.ttft_s.draws for each in alone)), rel=1e-4)
    assert mix.tpot_s.draws == pytest.approx(np.maximum(*(each.tpot_s.draws for each in alone)), rel=1e-4)
    rates = sorted(each.tokens_per_s.likely for each in alone)
    assert rates[0] < mix.tokens_per_s.likely < rates[1]


def test_the_batch_is_the_fastest_of_the_ladder_without_limits():
    chosen = one(workload())
    ladder = demand.ladder(min(chosen.fit.most_batch, outlook.MOST_BATCH))
    rates = {batch: one(workload(batch=batch)).tokens_per_s.likely for batch in ladder}
    assert chosen.batch in rates
    assert chosen.tokens_per_s.likely == pytest.approx(max(rates.values()), rel=0.02)


def test_a_limit_of_the_time_per_token_is_kept_by_the_chosen_batch_and_broken_by_the_next():
    limit = 0.02
    chosen = one(workload(tpot_s=limit))
    assert 1 < chosen.batch < one(workload()).batch
    assert chosen.tpot_s.likely <= limit * 1.01  # chosen by the mean of the logarithm, not by the median of draws
    assert one(workload(batch=2 * chosen.batch)).tpot_s.likely > limit * 0.99


def test_a_limit_that_nothing_keeps_gives_the_nearest():
    nearest = one(workload(tpot_s=1e-6))
    assert nearest.tpot_s.likely <= min(one(workload(batch=2**power)).tpot_s.likely for power in range(6)) * 1.01


def test_the_fit_that_is_told_is_that_of_the_batch():
    single, several = one(workload(batch=1)).fit, one(workload(batch=8)).fit
    assert several.parts_B["KV cache"] == pytest.approx(8 * single.parts_B["KV cache"])
    chosen = one(workload(tpot_s=0.02))
    assert chosen.fit.parts_B["KV cache"] == pytest.approx(chosen.batch * single.parts_B["KV cache"])
    assert chosen.fit.need_B == pytest.approx(sum(chosen.fit.parts_B.values()))
    assert chosen.fit.need_B <= chosen.fit.have_B


def test_power_never_exceeds_the_limit_of_the_devices_and_is_energy_over_time():
    for name, devices in ((H100, 1), (L40S, 4)):
        for batch in (1, 64):
            found = one(workload(batch=batch), name, devices)
            limit = calibration.by_name()[name].power.limit_W * devices
            assert 0 < found.power_W.draws.min() <= found.power_W.draws.max() <= limit * (1 + 1e-9)
            assert found.joules_per_token.draws == pytest.approx(found.power_W.draws / found.tokens_per_s.draws)


def test_without_a_limit_of_power_nothing_is_said_of_power():
    (found,) = outlooks(workload(), candidate(H100, power=None))
    assert found.power_W is None
    assert found.joules_per_token is None


def test_a_device_without_the_products_is_refused():
    assert "fp8 cannot be computed: it has no products in fp8" in refusal(
        workload(weights="fp8"), candidate("NVIDIA V100 SXM2 32GB")
    )
    assert "no peaks of it are known" in refusal(workload(), candidate(H100, peaks=None))


def test_a_device_without_a_known_bandwidth_is_refused():
    memory = replace(calibration.by_name()[H100].memory, bandwidth_B_per_s=None)
    assert "bandwidth" in refusal(workload(), candidate(H100, memory=memory))


def test_too_small_a_memory_is_refused_with_what_is_missing():
    assert "too little" in refusal(workload("Llama-3-70B"), candidate(L40S))
    assert "too little" in refusal(workload(batch=100_000), candidate(L40S))


def test_nothing_bridges_from_accelerators_to_processors_so_there_are_bounds_alone():
    processor = candidate("AMD Ryzen Threadripper PRO 7995WX")
    # the catalogue says nothing of what memory a processor has
    sized = replace(processor.device.memory, size_B=256 * 2**30)
    processor = replace(processor, device=replace(processor.device, memory=sized))
    for asked, of in ((workload(), processor), (workload(engine="nonesuch"), candidate(H100))):
        (found,) = outlooks(asked, of)
        assert found.trust.label == "bounds"
        assert {found.ttft_s.kind, found.tpot_s.kind} == {"at_least"}
        assert {found.tokens_per_s.kind, found.prefill_tokens_per_s.kind, found.power_W.kind} == {"at_most"}
        assert found.tokens_per_s.draws.shape == (1,)
        assert found.power_W.likely == of.device.power.limit_W
        assert found.joules_per_token is None


def test_an_estimate_lies_within_the_bounds():
    (bound,) = outlooks(workload(batch=8, engine="nonesuch"), candidate(H100))
    found = one(workload(batch=8))
    assert found.tokens_per_s.high < bound.tokens_per_s.likely
    assert found.ttft_s.low > bound.ttft_s.likely


def test_what_was_not_measured_is_said():
    found = one(replace(workload(), engine=None))
    assert found.trust.label == "extrapolated" or len(found.trust.reasons) == 1
    assert any("no engine was named" in reason for reason in found.trust.reasons)
    new = replace(calibration.by_name()[H100], name="NVIDIA H101", architecture="Hopperer")
    (found,) = outlooks(workload(), Candidate(new))
    assert found.trust.label == "extrapolated"
    assert "no device of Hopperer by NVIDIA was measured with vllm" in found.trust.reasons
    known = one(workload())
    assert found.tokens_per_s.high / found.tokens_per_s.low > known.tokens_per_s.high / known.tokens_per_s.low


def test_an_engine_is_not_projected_to_devices_that_it_does_not_run_on():
    told = refusal(workload(engine="tensorrt-llm"), candidate("AMD MI300X"))
    assert told == "tensorrt-llm runs on devices of NVIDIA alone"


@pytest.mark.parametrize("batch", [1, 2, 64])
def test_no_draw_is_faster_than_the_memory_allows(batch):
    """By the fit alone, vLLM with fp8 on an L4 would read its weights three times as fast as its memory gives them."""
    found = one(workload(weights="fp8", batch=batch), "NVIDIA L4")
    weights_B = 7.5e9 - physics.CACHED_B
    assert found.tpot_s.draws.min() >= weights_B / 300e9
    assert found.tpot_s.low < found.tpot_s.likely < found.tpot_s.high


def test_of_a_recurrent_model_it_is_told_that_only_transformers_were_measured():
    found = one(workload(model="lstm/base", weights="fp32", batch=1, engine=None))
    assert found.trust.label == "extrapolated"
    assert any("recurrent" in reason for reason in found.trust.reasons)
    assert not any("recurrent" in reason for reason in one(workload(batch=1)).trust.reasons)


def test_of_work_far_smaller_than_any_measured_only_limits_are_told():
    found = one(workload(model="GPT-2", weights="int4-weight", batch=1))
    assert found.trust.label == "bounds"
    assert "smallest model measured" in found.trust.reasons[0]
    assert found.tpot_s.kind == "at_least"
