"""Questions and their whole answers, with the shipped calibration and made-up prices."""

from dataclasses import replace

import numpy as np
import pytest

from bench.errors import UserError
from reports import answer_words, procure
from reports.projection import calibration, models
from reports.projection.answers import Assumptions, Use, Workload
from tests.fleets import price

NAMES = ("NVIDIA H100 SXM", "NVIDIA L40S", "NVIDIA GeForce RTX 4090", "NVIDIA GeForce RTX 3060 12GB")
AMOUNTS = (30_000.0, 9_000.0, 2_000.0, 300.0)
DRAWS = 500


def workload(model="Llama-3-8B", weights="fp16", **limits):
    return Workload(models.named(model), weights, "fp16", (Use("chat", 1.0, 512, 256),), "vllm", **limits)


def devices(priced=True):
    told = zip(NAMES, AMOUNTS, strict=True)
    return [
        replace(calibration.by_name()[name], price=(price(amount), price(amount / 10_000, "cloud")) if priced else ())
        for name, amount in told
    ]


def answer(asked, those=None, most=1, **settings):
    candidates = procure.candidates(asked, devices() if those is None else those, most)
    return procure.answer(asked, candidates, settings.pop("assumptions", Assumptions()), draws=DRAWS, **settings)


def test_an_answer_ranks_what_fits_and_refuses_what_does_not():
    found = answer(workload())
    assert {option.outlook.candidate.label for option in found.options} == set(NAMES[:3])
    assert [refusal.label for refusal in found.refusals] == [NAMES[3]]
    assert "too little" in found.refusals[0].reason
    ranks = [option.rank for option in found.options]
    assert ranks[0] == 1
    assert ranks == sorted(ranks)
    costs = [option.cost.owned_per_Mtoken.likely for option in found.options]
    assert costs == sorted(costs)
    assert all(option.meets for option in found.options)
    assert found.levers


@pytest.mark.parametrize(
    ("criterion", "figure", "sign"),
    [
        ("speed", lambda option: option.outlook.tokens_per_s, -1),
        ("energy", lambda option: option.outlook.joules_per_token, 1),
        ("rented cost", lambda option: option.cost.rented_per_Mtoken, 1),
    ],
)
def test_the_criterion_decides_what_is_first(criterion, figure, sign):
    found = answer(workload(), criterion=criterion)
    assert found.criterion == criterion
    told = [sign * figure(option).likely for option in found.options]
    assert told == sorted(told)


def test_a_demand_takes_as_many_replicas_as_serve_it_in_95_percent_of_the_draws():
    demand = 50_000.0
    for option in answer(workload(demand_tokens_per_s=demand)).options:
        speed, count = option.outlook.tokens_per_s.draws, option.cost.replicas
        assert np.mean(count * speed >= demand) >= 0.95
        assert np.mean((count - 1) * speed >= demand) < 0.95


def test_limits_that_no_device_meets_are_told_with_the_nearest():
    found = answer(workload(tpot_s=1e-4))
    assert not any(option.meets for option in found.options)
    assert "The nearest is" in answer_words.recommendation(found)
    assert all(option.misses for option in found.options)


def test_a_model_larger_than_every_device_is_refused_by_all():
    found = answer(workload("Llama-3.1-405B"))
    assert not found.options
    assert not found.levers
    assert len(found.refusals) == len(NAMES)
    assert answer_words.recommendation(found) == "Nothing can be recommended: all 4 devices are refused."


def test_without_prices_speed_decides_and_the_answer_says_so():
    found = answer(workload(), devices(priced=False))
    assert found.criterion == "speed"
    assert any("No option has a figure for owned cost" in note for note in found.notes)


def test_as_many_devices_serve_a_replica_as_hold_it_with_room_for_more_than_a_few_sequences():
    found = procure.candidates(workload("Llama-3-70B"), devices())
    assert {each.device.name: each.devices for each in found} == dict(zip(NAMES, (4, 4, 8, 8), strict=True))
    assert all(each.split == "tensor" for each in found)
    for asked in (workload("Llama-3-70B", batch=1), workload("Llama-3-70B", demand_tokens_per_s=10.0)):
        assert [each.devices for each in procure.candidates(asked, devices())] == [2, 4, 8, 8]
    assert procure.candidates(workload(), devices(), 1)[0].split == "none"


def test_where_only_limits_are_known_as_few_devices_are_taken_as_hold_the_model():
    asked = replace(workload(), engine="never measured")
    assert [each.devices for each in procure.candidates(asked, devices())] == [1, 1, 1, 2]


def test_nothing_to_project_to_is_an_error_that_says_how_to_mend_it():
    with pytest.raises(UserError, match="no device to project to") as caught:
        answer(workload(), [])
    assert "--to" in caught.value.remedy


def test_assumptions_that_cannot_be_are_refused_before_anything_is_computed():
    with pytest.raises(UserError, match="utilization"):
        answer(workload(), assumptions=Assumptions(utilization=1.5))


def test_requests_longer_than_what_the_model_was_made_for_are_told():
    found = answer(replace(workload(), uses=(Use("long", 1.0, 8000, 500),)))
    assert found.notes == ("Llama-3-8B was made for at most 8,192 tokens, and a request has 8,500.",)
    assert not answer(workload()).notes
