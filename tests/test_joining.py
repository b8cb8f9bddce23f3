"""A report of the latest run: the sweep, with the proofs and the advice that came before or after it."""

from dataclasses import replace

from bench.joining import joined
from bench.record import Advice, Experiment
from tests import factories

TRIED = [Experiment("fewer_threads", [0.1], {}), Experiment("nothing", [0.0], {}, null=True)]
NULLS = [Experiment("nothing", [0.0], {}, null=True)]


def run_of(name, *records):
    return [replace(record, run=name) for record in records]


def advised():
    return [Advice({"batch_size": 4}, 0.5)]


ONE, FOUR = factories.record(batch_size=1), factories.record(batch_size=4)
SWEEP = run_of("sweep", ONE, FOUR)
DIAGNOSED = run_of("diagnose", replace(FOUR, experiments=TRIED))
ADVISED = run_of("advise", replace(FOUR, experiments=NULLS, advice=advised()))


def test_proofs_and_advice_stand_with_the_points_of_the_newest_sweep():
    for runs in ([SWEEP, DIAGNOSED, ADVISED], [ADVISED, DIAGNOSED, SWEEP], [DIAGNOSED, SWEEP, ADVISED]):
        one, four = joined([run_of("old", ONE), *runs])
        assert one == SWEEP[0]
        assert four == replace(SWEEP[1], experiments=TRIED, advice=advised())


def test_the_newest_proof_counts():
    again = run_of("again", replace(FOUR, experiments=[Experiment("fewer_threads", [0.7], {})]))
    assert joined([SWEEP, DIAGNOSED, again])[1].experiments == again[0].experiments


def test_what_was_only_diagnosed_follows_and_what_is_of_another_machine_does_not():
    alone = run_of("diagnose", replace(factories.record(batch_size=64), experiments=TRIED))
    assert joined([SWEEP, alone])[2:] == alone
    elsewhere = [replace(alone[0], host=alone[0].host | {"fingerprint": "another"})]
    assert joined([SWEEP, elsewhere]) == SWEEP


def test_without_a_sweep_what_was_asked_is_shown():
    (found,) = joined([DIAGNOSED, ADVISED])
    assert (found.run, found.experiments, found.advice) == ("advise", TRIED, advised())
