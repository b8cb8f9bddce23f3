"""Two sides measured in turns: the engine over scripted sides, the reading of pairs, the search for a commit."""

import math
import random
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.ab import pairs
from bench.ab.culprit import first_bad
from bench.ab.engine import Match
from bench.ab.pairs import Half, Pair
from bench.ab.points_source import RunningPoint
from bench.ab.source import Benchmark
from bench.executors.local import ChildFailed
from bench.gate import Limit
from reports import paired
from reports.comparison import Side

FIVE = {"latency_s": Limit(0.05)}
MS = 1_000_000


@dataclass
class Scripted:
    """A side whose processes take `ms` milliseconds an iteration; `log` is shared, to see the order.

    `noise` is between blocks, `spread` between processes, both as standard deviations of logarithms.
    """

    name: str
    ms: dict[str, float]
    fails: dict[str, str] = field(default_factory=dict)
    noise: float = 0.005
    spread: dict[str, float] = field(default_factory=dict)
    log: list = field(default_factory=list)
    open: int = 0
    uncollected: tuple = ()

    def benchmarks(self):
        return {name: Benchmark(name, f"the {name}") for name in self.ms}

    def start(self, benchmark):
        if benchmark in self.fails:
            raise ChildFailed("crashed", self.fails[benchmark])
        self.open += 1
        luck = random.Random(len(self.log)).gauss(0, self.spread.get(benchmark, 0))
        return Process(self, self.ms[benchmark] * math.exp(luck))

    def renew(self, seed):
        self.log.append((self.name, f"renew {seed}"))

    def close(self):
        self.log.append((self.name, "close"))


class Process:
    def __init__(self, side, ms):
        self.side, self.ms, self.random = side, ms, random.Random(len(side.log))

    def warm_up(self, limit_s):
        return self.ms / 1e3

    def block(self, iterations):
        self.side.log.append((self.side.name, "block"))
        return [int(self.ms * MS * math.exp(self.random.gauss(0, self.side.noise))) for _ in range(iterations)]

    def peak(self, iterations):
        return {"max_ram_B": 1e8 * self.ms}

    def finish(self):
        return {"steps": round(100 * self.ms)}

    def close(self):
        self.side.open -= 1


def match(base, new, **more):
    log = []
    sides = Scripted("base", base, log=log), Scripted("new", new, log=log)
    kept = []
    return Match(*sides, more.pop("limits", FIVE), keep=kept.append, seed="1", **more), kept


RULES = paired.Rules()


def told(found, kept, rules=RULES, **more):
    measured = paired.Measured(Side("main"), Side("."), found.labels, found.key_limits(), found.alone, **more)
    return paired.comparison(measured, [pairs.of(each) for each in kept], rules)


def test_a_slow_down_fails_at_the_first_look():
    found, kept = match({"step": 1.0}, {"step": 1.05})
    assert found.run()["step", "latency_s"].outcome == "fail"
    assert len(kept) == 10
    assert told(found, kept).exit_code() == 1


def test_without_a_change_it_passes():
    found, kept = match({"step": 1.0}, {"step": 1.0})
    assert found.run()["step", "latency_s"].outcome == "pass"
    assert told(found, kept).exit_code() == 0


def test_blocks_of_both_sides_alternate_in_random_order():
    found, _ = match({"step": 1.0}, {"step": 1.0})
    found.run()
    order = [name for name, what in found.base.log if what == "block"]
    turns = [frozenset(order[place : place + 2]) for place in range(0, len(order), 2)]
    assert set(turns) == {frozenset({"base", "new"})}
    assert len({order[place] for place in range(0, len(order), 2)}) == 2


def test_every_pair_of_a_benchmark_is_of_a_fresh_start_with_the_same_seed_for_both_sides():
    found, kept = match({"step": 1.0, "load": 2.0}, {"step": 1.0, "load": 2.0})
    found.run()
    seeds = {
        name: [what for who, what in found.base.log if who == name and what.startswith("renew")]
        for name in ("base", "new")
    }
    assert len(kept) == 20
    assert len(set(seeds["base"])) == 9
    assert seeds["base"] == seeds["new"]


def test_two_measurements_share_neither_their_turns_nor_their_seeds_for_hashes():
    def seeds():
        log = []
        Match(Scripted("base", {"step": 1.0}, log=log), Scripted("new", {"step": 1.0}, log=log), FIVE).run()
        return [what for _, what in log if what.startswith("renew")]

    assert not set(seeds()) & set(seeds())


def test_no_process_is_left_and_both_sides_are_closed():
    found, _ = match({"step": 1.0, "load": 2.0}, {"step": 1.0, "load": 2.0})
    found.run()
    assert (found.base.open, found.new.open) == (0, 0)
    assert found.base.log[-2:] == [("base", "close"), ("new", "close")]


def test_a_benchmark_that_is_decided_gets_no_more_pairs():
    found, kept = match({"clear": 1.0, "open": 1.0}, {"clear": 1.2, "open": 1.0})
    found.new.spread = {"open": 0.3}
    found.run()
    counted = {name: sum(each["benchmark"] == name for each in kept) for name in ("clear", "open")}
    assert counted["clear"] == 10
    assert counted["open"] > 10


def test_a_side_that_fails_is_tried_once_more_and_no_other_benchmark_suffers():
    found, kept = match({"step": 1.0, "load": 1.0}, {"step": 1.0, "load": 1.0})
    found.new.fails["load"] = "ValueError: no"
    found.run()
    assert sum(each["benchmark"] == "load" for each in kept) == 2
    comparison = told(found, kept)
    load = [each for each in comparison.findings if each.benchmark == "the load"]
    assert [(each.verdict, each.outcome, each.code) for each in load] == [("missing", "fail", "new_fails")]
    assert "ValueError: no" in load[0].reason
    step = next(each for each in comparison.findings if each.benchmark == "the step")
    assert step.outcome == "pass"


def test_a_side_that_fails_now_and_then_is_given_up_and_the_reason_is_told():
    found, kept = match({"step": 1.0}, {"step": 1.0})
    works, starts = found.new.start, iter(range(1000))

    def flaky(benchmark):
        if next(starts) in (5, 8):
            raise ChildFailed("crashed", "the port is in use")
        return works(benchmark)

    found.new.start = flaky
    found.run()
    assert len(kept) == 9
    comparison = told(found, kept)
    assert (comparison.findings[0].code, comparison.exit_code()) == ("given_up", 3)
    assert "the port is in use" in comparison.findings[0].reason
    assert comparison.notes == ("the step failed in 2 of 9 pairs: crashed: the port is in use.",)


def test_what_a_side_could_not_collect_is_told():
    found, _ = match({"step": 1.0}, {"step": 1.0})
    found.new.uncollected = ("test_b.py: SyntaxError: invalid syntax",)
    found.prepare()
    assert found.notes == ("Not collected on the new side: test_b.py: SyntaxError: invalid syntax.",)


@pytest.mark.parametrize(("overhead_s", "told_of"), [(60e-9, True), (1e-9, False)])
def test_an_iteration_that_is_mostly_reading_the_clock_is_told_of(overhead_s, told_of):
    half = Half([[100, 100, 100]], {"overhead_s": overhead_s})
    measured = paired.Measured(Side("main"), Side("."), {"a": "the short"}, {("a", "latency_s"): Limit(0.05)})
    notes = paired.comparison(measured, [Pair("a", half, half)], RULES).notes
    assert bool(notes) == told_of
    assert all("60 % of an iteration of the short" in note for note in notes)


@pytest.mark.parametrize(
    ("base", "new", "code", "exit_code"),
    [(None, "no", "new_fails", 1), ("no", None, "base_fails", 0), ("no", "no", "both_fail", 3)],
)
def test_what_fails_on_a_side_is_told_by_a_code(base, new, code, exit_code):
    found, kept = match({"step": 1.0}, {"step": 1.0})
    found.base.fails = {"step": base} if base else {}
    found.new.fails = {"step": new} if new else {}
    found.run()
    comparison = told(found, kept)
    assert [each.code for each in comparison.findings] == [code]
    assert comparison.exit_code() == exit_code


@pytest.mark.parametrize(("missing_fails", "exit_code"), [(True, 1), (False, 0)])
def test_a_benchmark_that_has_gone_fails_unless_told_otherwise(missing_fails, exit_code):
    found, kept = match({"step": 1.0, "gone": 1.0}, {"step": 1.0, "fresh": 1.0})
    found.run()
    comparison = told(found, kept, paired.Rules(missing_fails=missing_fails))
    assert {each.verdict for each in comparison.findings if each.metric == "status"} == {"missing", "new"}
    assert comparison.exit_code() == exit_code


def test_when_the_time_is_up_it_says_what_it_could_tell():
    found, kept = match({"step": 1.0}, {"step": 1.03}, budget_s=1e-9)
    found.run()
    assert len(kept) == 1
    comparison = told(found, kept)
    assert (comparison.findings[0].code, comparison.exit_code()) == ("few_pairs", 3)
    assert "bounds take 9" in comparison.findings[0].reason
    assert comparison.exit_code(inconclusive_passes=True) == 0


def test_noise_beyond_the_limit_is_called_unresolvable_with_what_would_do():
    found, kept = match({"step": 1.0}, {"step": 1.0})
    found.new.spread = {"step": 0.3}
    found.run()
    finding = told(found, kept).findings[0]
    assert (finding.outcome, finding.code) == ("inconclusive", "unresolvable")
    assert finding.resolved > 0.05


def test_memory_is_gated_beside_the_time():
    limits = {"latency_s": Limit(0.5), "max_ram_B": Limit(0.02)}
    found, kept = match({"step": 1.0}, {"step": 1.04}, limits=limits)
    found.run()
    outcomes = {each.metric: each.outcome for each in told(found, kept).findings}
    assert outcomes["latency_s"] == "pass"
    assert outcomes["max_ram_B"] == "fail"


def test_a_metric_that_is_not_read_is_no_pass():
    found, kept = match({"step": 1.0}, {"step": 1.0}, limits={"joules_per_token": Limit(0.05)}, budget_s=0.5)
    found.run()
    comparison = told(found, kept)
    assert comparison.findings[0].code == "no_reading"
    assert comparison.exit_code() == 3


def test_a_bug_of_a_side_leaves_nothing_open():
    found, _ = match({"step": 1.0}, {"step": 1.0})
    found.new.start = lambda _: 1 / 0
    with pytest.raises(ZeroDivisionError):
        found.run()
    assert found.base.open == 0
    assert found.base.log[-2:] == [("base", "close"), ("new", "close")]


def test_energy_is_read_where_it_is_limited():
    class Metered:
        def ask(self, request, limit_s):
            readings = {"avg_power_W": 50.0} if request["kind"] == "observed" else {"max_ram_B": 1e8}
            block = {"kind": request["kind"], "process": 0, "round": 1, "started_s": 0.0, "samples_ns": [2 * MS] * 3}
            return {"block": block | {"readings": readings}}

    point = RunningPoint(Metered(), {"tokens": 4}, {}, 0.02, 60, metered=True)
    assert point.peak(1) == {"max_ram_B": 1e8, "avg_power_W": 50.0, "energy_J": 0.1, "joules_per_token": 0.025}


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_a_reading_that_is_no_positive_number_is_left_out(value):
    pair = Pair("a", Half(readings={"energy_J": 1.0}), Half(readings={"energy_J": value}))
    assert pairs.log_ratio(pair, "energy_J") is None


samples = st.lists(st.lists(st.integers(0, 10**9), min_size=1, max_size=5), min_size=1, max_size=4)


@given(samples, samples)
def test_swapping_the_halves_of_a_pair_mirrors_it(base, new):
    pair = Pair("a", Half(base), Half(new))
    swapped = replace(pair, base=pair.new, new=pair.base)
    assert pairs.log_ratio(pair, "latency_s") == pytest.approx(-pairs.log_ratio(swapped, "latency_s"))


@given(st.integers(1, 40), st.data())
def test_the_first_bad_commit_is_found_in_few_steps(n, data):
    bad_from = data.draw(st.integers(0, n - 1))
    found = first_bad([str(place) for place in range(n)], lambda commit: int(commit) >= bad_from)
    assert found.commit == str(bad_from)
    assert found.steps <= math.ceil(math.log2(n)) + 1


def test_commits_that_do_not_build_are_passed_over_and_named():
    found = first_bad(list("abcdef"), lambda commit: None if commit in "cd" else commit >= "c")
    assert (found.commit, found.unsure) == ("e", ("c", "d"))


def test_there_is_no_culprit_among_no_commits():
    with pytest.raises(ValueError, match="no commits"):
        first_bad([], lambda _: True)
