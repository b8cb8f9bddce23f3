from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from bench.record import Metric, Record
from reports.estimate import Ratio
from reports.study import study
from reports.tradeoffs import Graded, front, grade, quality, stored
from tests import factories
from tests.factories import record, with_quality


def graded(speed: float, delta: float) -> Graded:
    return Graded(record(), Ratio(speed, None, None, 0), Metric(delta, "nat", -1, "Δ"), 1e6)


def grades(*records: Record) -> tuple[Graded, ...]:
    """The graded members of the one family that the records are."""
    (family,) = study(records).families
    return grade(family)


def classified(accuracy: float) -> Metric:
    return Metric(accuracy, "", 1, "accuracy")


def test_less_perplexity_and_more_accuracy_are_both_better():
    assert graded(1, 0.1).beats(graded(1, 0.2))
    right, wrong = (replace(graded(1, 0), quality=classified(value)) for value in (0.9, 0.8))
    assert right.beats(wrong)
    assert not wrong.beats(right)


def test_equals_do_not_beat_each_other_and_both_stand_on_the_front():
    twins = [graded(1, 0.1), graded(1, 0.1)]
    assert not twins[0].beats(twins[1])
    assert len(front(twins)) == 2


def test_faster_but_worse_beats_nobody():
    assert not graded(2, 0.2).beats(graded(1, 0.1))


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(-3, 3)), min_size=1))
def test_the_front_rises_in_speed_and_falls_in_quality_and_beats_all_the_rest(pairs):
    members = [graded(speed, delta) for speed, delta in pairs]
    best = front(members)
    merits = [each.merits for each in best]
    assert merits == sorted(merits)
    assert [q for _, q in merits] == sorted((q for _, q in merits), reverse=True)
    assert all(any(one.beats(each) for one in best) or each.merits in merits for each in members)


def test_speed_is_the_paired_ratio_to_the_plain_model():
    plain, half = grades(with_quality(record()), with_quality(record(precision="bf16")))
    assert plain.speed.value == 1
    assert half.speed.paired
    assert 1.3 < half.speed.value < 1.7


def test_of_several_runs_of_a_point_the_latest_is_graded():
    early = [with_quality(record()), with_quality(record(prune=0.5))]
    late = [replace(each, run="another", started_at="2026-02-02T03:04:05+00:00") for each in early]
    assert [each.record for each in grades(*late, *early)] == late


def test_without_a_graded_plain_model_there_is_nothing_to_stand_beside():
    plain, pruned = record(), with_quality(record(prune=0.5))
    assert grades(plain, pruned) == ()
    assert grades(pruned) == ()


def test_a_variant_without_quality_or_size_or_with_one_that_is_not_finite_is_not_graded():
    plain, pruned = with_quality(record()), with_quality(record(prune=0.5))
    absurd = with_quality(record(prune=0.5), delta=float("nan"))
    for broken in (record(prune=0.5), replace(pruned, facts={}), absurd):
        assert [each.record for each in grades(plain, broken)] == [plain]


def test_a_plain_model_differs_from_itself_by_nothing():
    noted = with_quality(record())
    bare = replace(noted, metrics={name: m for name, m in noted.metrics.items() if name != "delta_ln_perplexity"})
    found = quality(bare)
    assert found is not None
    assert (found.value, found.unit) == (0.0, "nat")
    assert quality(replace(bare, axes=bare.axes | {"prune": 0.5})) is None
    assert quality(factories.ungraded(record())) is None


def test_two_kinds_of_quality_are_not_mixed():
    language = [with_quality(record(precision=p)) for p in ("fp32", "bf16")]
    labels = replace(record(prune=0.5), metrics=record().metrics | {"accuracy": classified(0.9)})
    assert {each.quality.unit for each in grades(labels, *language)} == {"nat"}


def test_stored_bytes_are_a_positive_number_or_unknown():
    assert stored(record()) == 4 * 1_071_616
    assert stored(replace(record(), facts={"stored_weights_B": "many"})) is None
    assert stored(replace(record(), facts={"stored_weights_B": 0})) is None
