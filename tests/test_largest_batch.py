"""The search for the largest batch, and what the command says; trials are real children under a real limit."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import control_group, planning, points, runs
from bench.largest_batch import MARGIN, MOST, NEAR, PROCESSES, RESOLUTION, Finder, OutOfMemory, most_trials, search
from bench.opening import open_store
from bench.progress import Progress
from bench.runner import Sweep

FLAGS = ("-a", "transformer", "--hidden=64", "--vocabulary=4096", "--layers=2", "-p", "64", "-n", "64", "-q")


@given(true=st.integers(0, MOST), guess=st.integers(0, 2 * MOST), most=st.sampled_from([1, 7, 1000, MOST]))
def test_the_largest_is_found_in_a_logarithmic_number_of_trials(true, guess, most):
    asked = []

    def fits(size):
        asked.append(size)
        return size <= true

    low, high = search(fits, guess, most)
    assert low <= min(true, most) < high
    assert high - low <= max(1, low * RESOLUTION)
    assert len(asked) == len(set(asked)) <= most_trials(most)
    assert all(1 <= size <= most for size in asked)


@pytest.mark.parametrize("error", [0.9, 1.0, 1.1])
def test_a_prediction_within_10_percent_spares_most_trials(error):
    asked = []
    search(lambda size: asked.append(size) or size <= 5000, round(5000 * error))
    assert len(asked) <= 8


def test_the_guess_is_the_largest_batch_that_is_predicted_to_fit():
    finder = Finder(points.point({"architecture": "transformer"}), 2**30, on_gpu=False)
    guess = finder.guess()
    assert planning.memory_B(finder.with_batch(guess)) <= 2**30 < planning.memory_B(finder.with_batch(guess + 1))


def test_decoding_is_predicted_with_the_reading_of_its_prompts():
    decode = Finder(
        points.point({"workload": "decode", "architecture": "transformer", "size": "tiny"}), 0, on_gpu=False
    )
    prefill = replace(decode, point=points.point(decode.point.axes | {"workload": "prefill"}))
    assert decode.predicted_B(300) == prefill.predicted_B(300) > planning.memory_B(decode.with_batch(300))


def scripted(monkeypatch, *shares, on_batch=None, on_gpu=False):
    """A finder whose children take these shares of the limit, in this order or by batch; None: memory is refused."""
    left = list(shares)

    def peak_B(self, batch_size):
        share = on_batch(batch_size) if on_batch else left.pop(0)
        if share is None:
            raise OutOfMemory("no more")
        return round(share * self.limit_B)

    monkeypatch.setattr(Finder, "peak_B", peak_B)
    return Finder(points.point({"device": "cpu"}), 10**9, on_gpu), left


def test_what_is_far_from_the_limit_needs_no_confirmation(monkeypatch):
    finder, left = scripted(monkeypatch, 0.5, 1.5, *[NEAR - 0.01, 1.5] * 20)
    found, trials = finder.find()
    assert {trial.processes for trial in trials} == {1}
    assert found == max(trial.batch_size for trial in trials if trial.fits)
    assert left


def test_the_answer_has_fitted_in_several_processes(monkeypatch):
    finder, _ = scripted(monkeypatch, 0.98, on_batch=lambda size: 0.98 if size <= 100 else 1.02)
    found, trials = finder.find()
    assert found == 100
    assert {trial.batch_size: trial.processes for trial in trials}[100] == PROCESSES


def test_where_one_process_in_three_takes_too_much_a_smaller_batch_is_found(monkeypatch):
    runs: dict[int, int] = {}

    def share(size):
        runs[size] = runs.get(size, 0) + 1
        return 1.02 if size > 100 or (size > 97 and runs[size] > 1) else 0.98

    finder, _ = scripted(monkeypatch, on_batch=share)
    found, trials = finder.find()
    assert found == 97
    assert min(trial.batch_size for trial in trials if not trial.fits) > found


def test_a_batch_that_leaves_no_margin_does_not_fit(monkeypatch):
    finder, _ = scripted(monkeypatch, 1 - MARGIN / 2)
    assert finder.try_(4).reason == "it came too near to the limit"


@pytest.mark.parametrize(("shares", "peak"), [([None], None), ([0.97, None], 970_000_000)])
def test_a_process_that_is_refused_memory_settles_it(monkeypatch, shares, peak):
    finder, _ = scripted(monkeypatch, *shares)
    trial = finder.try_(4, PROCESSES)
    assert (trial.fits, trial.peak_B, trial.reason) == (False, peak, "no more")


def test_on_a_gpu_one_process_tells_and_needs_no_margin(monkeypatch):
    finder, _ = scripted(monkeypatch, on_batch=lambda size: 1.0 if size <= 100 else None, on_gpu=True)
    found, trials = finder.find()
    assert found == 100
    assert {trial.processes for trial in trials} == {1}


def test_what_a_gpu_holds_is_the_counts_alone():
    point = points.point({"workload": "decode"})
    counted = points.costs(point.axes)
    assert planning.on_device_B(point) <= counted.memory_B < planning.on_device_B(point) + counted.activations_B + 1


def test_the_largest_batch_is_found_within_a_real_limit_and_nobody_is_killed(pinchpoint):
    kills = control_group.oom_kills()
    code, out, _ = pinchpoint("largest-batch", *FLAGS, "--limit", "600MiB", "-o", "json")
    assert code == 0
    told = json.loads(out)
    assert told["limit_B"] == 600 * 2**20
    fitting = {trial["batch_size"] for trial in told["trials"] if trial["reason"] is None}
    assert told["largest_batch"] == max(fitting)
    assert min(trial["batch_size"] for trial in told["trials"] if trial["reason"]) > max(fitting)
    assert all(trial["peak_B"] <= told["limit_B"] for trial in told["trials"] if trial["reason"] is None)
    assert control_group.oom_kills() == kills


@pytest.mark.parametrize(("limit", "shown"), [("100MB", "95.4 MiB"), ("0", "0 B")])
def test_where_nothing_fits_the_exit_code_says_so(pinchpoint, limit, shown):
    code, out, _ = pinchpoint("largest-batch", *FLAGS, "--limit", limit)
    assert code == 3
    assert f"Not even a batch of 1 fits into {shown}" in out


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--limit", "1 parsec"], "write one as 2GiB or 500MB"),
        (["--limit", "much"], "write one as 2GiB or 500MB"),
        (["--limit", "9000TiB"], "that are free"),
        (["-b", "4"], "looks for one batch size"),
        (["-s", "nano,tiny"], "looks for one batch size"),
    ],
)
def test_bad_flags_are_told_in_a_sentence(pinchpoint, flags, said):
    code, _, err = pinchpoint("largest-batch", *flags)
    assert code == 2
    assert said in err


def test_what_is_not_in_the_way_of_a_batch_is_told(pinchpoint):
    code, _, err = pinchpoint("largest-batch", "-w", "classify", "--limit", "600MiB", "-q")
    assert code == 2
    assert "labels none" in err


@pytest.mark.parametrize(("table", "fits"), [(1 << 24, False), (64, True)])
def test_what_a_gpu_cannot_hold_at_rest_is_not_tried(tmp_path, small_spec, table, fits):
    spec = small_spec({"device": "cuda", "vocabulary": table, "embedding": 1 << 10})
    with open_store(str(tmp_path), create=True) as store:
        run = runs.begin(spec, store, "")
        gpu = {"accelerator": "a GPU", "accelerator_memory_B": 80e9}
        Sweep(spec, store, replace(run, host=run.host | gpu), Progress(0)).measure()
        (record,) = runs.records(store, run)
    assert (record.status != "does_not_fit") == fits
