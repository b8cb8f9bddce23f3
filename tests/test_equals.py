from dataclasses import replace

from bench.record import Metric, Record
from reports.equals import EQUAL, architecture_of, left_out, races, spread
from reports.study import study
from tests import factories
from tests.factories import record


def sized(given: Record, parameters: int) -> Record:
    return replace(given, facts=given.facts | {"parameters": parameters})


def timed(given: Record, low: float, value: float, high: float) -> Record:
    speed = Metric(value, "tokens/s", 1, "throughput", low, high, 9)
    return replace(given, metrics=given.metrics | {"throughput_tokens_per_s": speed})


def pair(**axes) -> tuple[Record, Record]:
    return record(architecture="lstm", **axes), record(architecture="rnn", **axes)


def test_architectures_that_do_the_same_work_are_a_race():
    found = races(study(factories.architectures(batches=[1, 8])))
    assert len(found) == 6
    assert all([architecture_of(r) for r in race.records] == ["lstm", "rnn", "transformer"] for race in found)


def test_other_work_another_machine_another_text_or_a_variant_make_no_race():
    lstm, rnn = pair()
    assert races(study([lstm, record(architecture="rnn", batch_size=8)])) == ()
    assert races(study([lstm, replace(rnn, host=rnn.host | {"fingerprint": "other"})])) == ()
    assert races(study([lstm, replace(rnn, facts=rnn.facts | {"corpus_sha256": "other"})])) == ()
    assert races(study([lstm, record(architecture="rnn", precision="bf16")])) == ()
    assert races(study([lstm, record("crashed", architecture="rnn")])) == ()


def test_a_model_beyond_the_allowance_is_left_out_and_named():
    lstm, rnn = pair()
    large = record(architecture="transformer")
    base = 1_000_000
    members = [sized(lstm, base), sized(rnn, round(base * (1 + EQUAL))), sized(large, round(base * (1.01 + EQUAL)))]
    studied = study(members)
    (race,) = races(studied)
    assert [architecture_of(r) for r in race.records] == ["lstm", "rnn"]
    assert abs(spread(race) - EQUAL) < 1e-9
    assert left_out(studied, [race]) == ("transformer",)


def test_of_several_runs_the_latest_races():
    lstm, rnn = pair()
    again = replace(rnn, run="later", started_at="2026-03-02T03:04:05+00:00")
    (race,) = races(study([lstm, again, rnn]))
    raced = race.of("rnn")
    assert raced is not None
    assert raced.run == "later"
    assert race.of("cnn") is None


def test_a_winner_is_ahead_by_its_whole_interval():
    lstm, rnn = pair()
    (clear,) = races(study([timed(lstm, 90, 100, 110), timed(rnn, 111, 120, 130)]))
    assert clear.winner is not None
    assert architecture_of(clear.winner) == "rnn"
    (close,) = races(study([timed(lstm, 90, 100, 110), timed(rnn, 109, 120, 130)]))
    assert close.winner is None


def test_without_intervals_nobody_wins():
    lstm, rnn = pair(rounds=3)
    (race,) = races(study([lstm, rnn]))
    assert race.winner is None
