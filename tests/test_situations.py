"""Many situations at once give what each gives by itself."""

import math

import numpy as np
import pytest

from reports.projection import calibration, counts, efficiency, models, power
from reports.projection.situations import Situation, Situations

WIDTH = 2.0


def situation(device="NVIDIA H100 SXM", *, batch=1, prompt=0, output=0, depth=0, model="Llama-3-8B", **values):
    job = counts.job(models.named(model), WIDTH, WIDTH, batch=batch, prompt=prompt, output=output, depth=depth)
    return Situation(calibration.by_name()[device], "vllm", "fp16", job, **values)


SAMPLE = (
    situation(prompt=512),
    situation(batch=16, prompt=300, output=100),
    situation("NVIDIA GeForce RTX 4090", output=128, depth=64),
    situation("NVIDIA A100 SXM 80GB", batch=8, output=128, devices=4, split="tensor"),
    situation("NVIDIA A100 SXM 80GB", batch=2, prompt=2000, devices=4, split="pipeline", source="somebody"),
    situation("NVIDIA A100 SXM 80GB", batch=2, prompt=2000, output=1, model="Mixtral-8x7B"),
    situation("NVIDIA H100 SXM", prompt=64, model="Llama-3-70B", devices=8, split="data"),
)


def textbook(each):
    """Seconds of prompt and step of an ideal device, number by number."""
    job, n = each.counts, each.devices
    compute, speed = efficiency.peak(each), efficiency.bandwidth(each.device)
    link = 2 * (n - 1) / n / efficiency.link_B_per_s(each.device) if each.split == "tensor" and n > 1 else 0.0
    times = []
    for flops, moved, sent, chunks in (
        (job.prompt_flops, job.prompt_B, job.prompt_sent_B, math.ceil(job.batch * job.prompt / efficiency.CHUNK)),
        (job.step_flops, job.step_B, job.step_sent_B, job.batch),
    ):
        share = {"tensor": 1 / n, "pipeline": (max(chunks, 1) + n - 1) / (max(chunks, 1) * n)}.get(each.split, 1.0)
        times.append(math.hypot(flops / compute, moved / speed) * share + sent * link)
    return times


def test_ideal_times_are_those_of_the_textbook():
    found = efficiency.ideals(Situations.of(SAMPLE))
    for index, each in enumerate(SAMPLE):
        prompt_s, step_s = textbook(each)
        at = found.one(index)
        assert at == efficiency.ideal(each)
        assert at.total_s == pytest.approx(prompt_s + each.counts.steps * step_s)
        assert at.compute + at.memory + at.links == pytest.approx(1.0)
        assert (at.links > 0) == (each.split == "tensor")


def test_rows_of_many_are_the_rows_of_each():
    many = Situations.of(SAMPLE)
    ideals = efficiency.ideals(many)
    for terms in (efficiency.terms, power.terms):
        together = terms(many, ideals).rows()
        for index, each in enumerate(SAMPLE):
            alone = Situations.of([each])
            assert together[index] == pytest.approx(terms(alone, efficiency.ideals(alone)).rows()[0])


def test_a_row_names_its_groups_and_its_kind():
    row = efficiency.row(SAMPLE[3], efficiency.ideal(SAMPLE[3]))
    assert row["memory: device", "NVIDIA A100 SXM 80GB"] == row["memory: all", "all"] > 0
    assert row["split, devices", "tensor, vllm"] == pytest.approx(math.log(4))
    assert [family for family, _ in row if family.startswith("configuration")] == ["configuration: together"]
    assert "serving" not in {family for family, _ in row}
    assert ("serving", "all") in efficiency.row(SAMPLE[1], efficiency.ideal(SAMPLE[1]))


def test_one_place_is_kept_once_and_some_can_be_taken():
    many = Situations.of((*SAMPLE, SAMPLE[0]))
    assert len(many.places) == len(SAMPLE) - 1  # the first two differ in their counts alone
    assert [many.at(place) for place in range(len(SAMPLE))] == list(SAMPLE)
    some = many.take(np.array([3, 0]))
    assert [some.at(0), some.at(1)] == [SAMPLE[3], SAMPLE[0]]
    assert list(some.counts.batch) == [8, 1]


def test_an_unknown_peak_or_bandwidth_has_no_ideal_time():
    unknown = next(each for each in calibration.by_name().values() if efficiency.bandwidth(each) is None)
    assert efficiency.ideal(Situation(unknown, None, "fp16", SAMPLE[0].counts)) is None
