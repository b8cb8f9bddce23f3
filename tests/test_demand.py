"""The batch under a limit, how many replicas a demand takes, and what a user may write."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import UserError
from bench.profiles import PROFILES
from reports.projection.answers import Estimate, Refusal
from reports.projection.asked import parse_demand, parse_mix, parse_seconds
from reports.projection.demand import Replicas, choose, judge, ladder, nearest, pick, replicas
from tests.fleets import draws, estimate, option, outlook, workload


def at_batches(**values):
    """Larger batches generate more, and each of their tokens takes longer."""
    return [
        outlook(speed=100 * batch**0.8, tpot=0.01 * batch**0.2, ttft=0.01 * batch, batch=batch, **values)
        for batch in (1, 2, 4, 8, 16, 32, 64)
    ]


def test_without_limits_the_largest_batch_that_fits_is_chosen():
    assert choose(at_batches(), workload()).outlook.batch == 64
    assert choose(at_batches(most=20), workload()).outlook.batch == 16


def test_the_fastest_batch_within_both_limits_is_chosen():
    assert choose(at_batches(), workload(ttft_s=0.1)).outlook.batch == 8
    assert choose(at_batches(), workload(ttft_s=0.1, tpot_s=0.0133)).outlook.batch == 4


def test_the_batch_that_the_user_fixed_is_kept_or_refused():
    assert choose(at_batches(), workload(batch=4)).outlook.batch == 4
    refused = choose(at_batches(most=8), workload(batch=16))
    assert isinstance(refused, Refusal)
    assert "16" in refused.reason


def test_a_model_that_does_not_fit_is_refused_with_its_reason():
    assert choose(at_batches(most=0), workload()) == Refusal("Imaginary A", "40 GB are missing")


def test_a_limit_that_no_batch_meets_is_missed_by_the_nearest():
    chosen = choose(at_batches(time_spread=0.1), workload(tpot_s=0.005))
    assert (chosen.outlook.batch, chosen.meets) == (1, False)
    assert chosen.misses == (
        "time per further token is 10.0 ms, above the limit of 5.00 ms, which 0% of the draws meet",
    )


def test_a_limit_that_is_met_in_doubt_says_in_how_many_draws():
    chosen = judge(outlook(ttft=0.9, time_spread=0.2), workload(ttft_s=1.0))
    share = np.mean(draws(0.9, 0.2) <= 1.0)
    assert chosen.meets
    assert chosen.misses == (f"time to the first token is within the limit of 1.00 s in {share:.0%} of the draws",)
    assert judge(outlook(ttft=0.5, time_spread=0.2), workload(ttft_s=1.0)).misses == ()


def test_a_bound_of_a_time_promises_nothing():
    within = judge(outlook(bound=True, tpot=0.02), workload(tpot_s=0.05))
    assert "at least 20.0 ms, and more is not known" in within.misses[0]
    beyond = judge(outlook(bound=True, tpot=0.02), workload(tpot_s=0.01))
    assert not beyond.meets
    assert "above the limit" in beyond.misses[0]


def test_replicas_meet_the_demand_in_19_of_20_draws():
    speed = estimate(1000, "tokens/s", 0.2)
    found = replicas(speed, 10_000)
    assert found.likely == 10
    assert np.mean(speed.draws * found.safe >= 10_000) >= 0.95
    assert np.mean(speed.draws * (found.safe - 1) >= 10_000) < 0.95


def test_replicas_at_the_edges():
    assert replicas(estimate(100, "tokens/s"), None) == Replicas(1, 1)
    assert replicas(estimate(100, "tokens/s"), 1) == Replicas(1, 1)
    # 0.7 * 3 is a little more than 2.1 to a computer
    assert replicas(estimate(0.7, "tokens/s"), 0.7 * 3) == Replicas(3, 3)
    assert replicas(Estimate(np.array([100.0]), "tokens/s", "at_most"), 250) == Replicas(3, 3, at_least=True)
    assert "at least 3 of it" in judge(outlook(speed=100, bound=True), workload(demand_tokens_per_s=250)).misses[0]


@given(st.floats(1, 1e7), st.floats(1, 1e5), st.floats(1, 10))
def test_more_demand_never_takes_fewer_and_more_speed_never_more(demand, speed, factor):
    few = replicas(estimate(speed, "tokens/s", 0.1), demand)
    assert few.safe >= few.likely >= 1
    assert replicas(estimate(speed, "tokens/s", 0.1), demand * factor).safe >= few.safe
    assert replicas(estimate(speed * factor, "tokens/s", 0.1), demand).safe <= few.safe


def test_batches_of_many_candidates_are_picked_at_once():
    batches = np.array([1, 2, 4, 8])
    ttft, tpot = np.array([[0.1, 0.2, 0.4, 0.8]] * 3), np.array([[0.01] * 4] * 3)
    speed = np.array([[10.0, 20, 40, 80], [10, 20, 15, 12], [10, 20, 40, 80]])
    found = pick(batches, ttft, tpot, speed, np.array([8, 8, 0]), workload(ttft_s=0.5))
    assert found.tolist() == [2, 1, -1]


def test_the_nearest_of_those_that_miss_is_the_one_that_exceeds_the_limits_least():
    far, near = option("Far", tpot=0.3, ttft=0.1), option("Near", tpot=0.2, ttft=0.3)
    assert nearest([far, near], workload(tpot_s=0.1, ttft_s=0.2)) is near
    assert nearest([far, near], workload(ttft_s=0.05)) is far


@given(st.integers(1, 5000))
def test_a_ladder_ends_at_the_largest_batch(most):
    rungs = ladder(most)
    assert rungs[0] == 1
    assert rungs[-1] == most
    assert all(1 < after / before <= 2 for before, after in pairwise(rungs))
    assert ladder(0) == ()


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("5000tok/s", 5000), ("5k tok/s", 5000), ("2.5 Mtok/s", 2.5e6), ("1e4 tokens/s", 1e4), ("600tok/min", 10),
        ("100req/s", 20_000), ("36 requests/h", 2),
    ],
)  # fmt: skip
def test_a_demand_is_read(text, rate):
    assert parse_demand(text, output=200) == pytest.approx(rate)


@pytest.mark.parametrize(
    "text", ["", "5000", "tok/s", "-5tok/s", "0tok/s", "5 kg/s", "1e999tok/s", "nan tok/s", "5tok"]
)
def test_what_is_no_demand_is_refused(text):
    with pytest.raises(UserError, match="Give such as"):
        parse_demand(text)


@pytest.mark.parametrize("text", ["1e13tok/s", "1e308 Mtok/s", "1e-300tok/s", "1e300req/s"])
def test_a_demand_beyond_all_reason_is_refused(text):
    with pytest.raises(UserError, match="Give one from"):
        parse_demand(text, output=200)


def test_requests_need_a_length():
    with pytest.raises(UserError, match="--mix"):
        parse_demand("100req/s")


@pytest.mark.parametrize(
    ("text", "seconds"), [("500ms", 0.5), ("0.5 s", 0.5), ("50us", 5e-5), ("2min", 120), ("1e-2s", 0.01)]
)
def test_a_time_is_read_with_its_unit(text, seconds):
    assert parse_seconds(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["500", "ms", "-1s", "0ms", "1e999s", "5 hours", ""])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(UserError, match="such as 500ms"):
        parse_seconds(text)


def test_a_mix_takes_lengths_from_the_profiles():
    chat, own = parse_mix("chat:0.7, 1024x256:30%")
    assert (chat.name, chat.share, chat.prompt, chat.output) == (
        "chat", 0.7, PROFILES["chat"].prompt_tokens.value, PROFILES["chat"].output_tokens.value,
    )  # fmt: skip
    assert (own.share, own.prompt, own.output) == (pytest.approx(0.3), 1024, 256)
    assert parse_mix("translate")[0].share == 1


def test_rounded_shares_are_made_whole():
    uses = parse_mix("chat:0.333,summarize:0.333,code:0.333")
    assert math.fsum(use.share for use in uses) == pytest.approx(1, abs=1e-15)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("chat:0.7,summarize:0.2", "add up to 0.9"), ("chatt:1", "Did you mean 'chat'"), ("chat:0.5,chat:0.5", "twice"),
        ("chat,summarize", "no share"), ("chat:-1", "no share"), ("chat:0", "no share"), ("0x5:1", "no tokens"),
        ("", "no profile"), ("chat:nan", "no share"),
    ],
)  # fmt: skip
def test_what_is_no_mix_is_refused(text, says):
    with pytest.raises(UserError) as caught:
        parse_mix(text)
    assert says.replace("twice", "more than once") in str(caught.value)


@given(st.text("0159.ekMm toks/:,x%chatreq-", max_size=14))
def test_any_text_is_read_or_refused(text):
    for parse in (parse_demand, parse_seconds, parse_mix):
        try:
            found = parse(text)
        except UserError:
            continue
        assert found
