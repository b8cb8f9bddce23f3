"""What limits a point, asked by experiment: in each round every intervention's block is paired with a plain one.

A resident child runs the point, with an intervention and without it in random order, within moments of each other; a
second one is asked, in the same way, what each resource of the machine gives. After a few rounds fresh processes take
over, so that the luck of one process is not taken for an answer. All of it ends with its budget of seconds.
"""

import math
import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from bench import assembly, environment, host, interventions, planning
from bench.errors import Unsupported
from bench.executors.forking import Nursery
from bench.executors.local import Child, ChildFailed, cache_folder
from bench.inputs import NOTHING, Inputs
from bench.interleave import turns
from bench.intervals import quantile
from bench.interventions import Change, Conditions, Setting
from bench.points import Point, point
from bench.record import Block, Experiment, Value, block_of, observation_of
from bench.spec import SETTING_DEFAULTS
from bench.surroundings import Surroundings
from bench.trial import Trial

#: Fresh processes, and the fewest that a 95 % interval takes (`bench.intervals`): one or two may be lost.
PROCESSES, FEWEST = 8, 6
#: Rounds of a process: each is an interval's fill of blocks, so more of them tell little that is new.
MOST_ROUNDS = 6
#: Seconds for all experiments of a point, once its first process has started.
BUDGET_S = 25.0
#: A process that keeps memory warms up for so long: its heap grows until there is room for every tensor.
_KEPT_WARMUP_S = 0.6
#: For so many interventions there is one null experiment, which makes them a quarter of all (Coz, SOSP 2015, lets a
#: quarter of its experiments change nothing too).
_PER_NULL = 3
_NULL = "nothing"

#: Called with the pairs of blocks done, how many there will be, and what is being done.
Notify = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Outcome:
    """The experiments, and what a record needs beside them: what each process reported, and its plain blocks.

    `failed` is how the point itself failed (a status and a reason) where it could not be run.
    """

    experiments: list[Experiment]
    reports: list[dict[str, Any]]
    blocks: list[Block]
    failed: ChildFailed | None = None


@dataclass
class Diagnosis:
    """The experiments of one point. `run` does them and leaves no process behind, however it ends.

    `dispatch_s` is the ceiling `dispatch_empty_s`; `asked` names interventions that are tried only when asked for.
    With `choose`, other changes are tried in their place: those that it names once it has seen what the first process
    reports, its observation among it.
    """

    point: Point
    dispatch_s: float | None
    corpus: str | None = None
    inputs: Inputs = NOTHING
    budget_s: float = BUDGET_S
    processes: int = PROCESSES
    asked: Sequence[str] = ()
    notify: Notify = lambda *_: None
    settings: Mapping[str, Value] = field(default_factory=dict)
    choose: Callable[[Mapping[str, Any]], Mapping[str, Change]] | None = None

    def __post_init__(self) -> None:
        self._random = random.Random(self.point.id)  # noqa: S311 - an order, not a secret
        self._settings: dict[str, Any] = {**SETTING_DEFAULTS, **self.settings}
        self._limit_s = float(self._settings["time_limit"])
        self._settings |= {"corpus": self.corpus, "cache": str(cache_folder()), "inputs": asdict(self.inputs)}
        self._machine = host.describe()
        self._nursery: Nursery | None = None
        self._children: list[Child] = []
        self._beside: Surroundings | None = None
        self._trials: list[Trial] = []
        self._refused: list[Experiment] = []
        self._reports: list[dict[str, Any]] = []
        self._blocks: list[Block] = []
        self._setting: Setting | None = None
        self._rounds, self._done, self._process = 1, 0, 0
        self._ends_s = math.inf

    def run(self) -> Outcome:
        """Every experiment, in fresh processes until the budget or the processes are used up."""
        failed = None
        try:
            if sys.platform.startswith("linux") and self.point.axes["device"] in ("auto", "cpu"):
                self._nursery = None if self._machine["accelerator"] else Nursery()
            while self._process < self.processes and (not self._process or not self._over()):
                self._one_process()
        except ChildFailed as lost:
            if not self._process:  # not even the first one started
                failed = lost
        finally:
            self._close()
        return Outcome([*(trial.done() for trial in self._trials), *self._refused], self._reports, self._blocks, failed)

    def _close(self) -> None:
        for child in self._children:
            child.kill()
        self._children.clear()
        if self._beside is not None:
            self._beside.close()
        if self._nursery is not None:
            self._nursery.close()

    def _one_process(self) -> None:
        """A fresh child, and one for each experiment on other work; then rounds. Raises `ChildFailed` for the first."""
        self.notify(self._done, self._total(), "starting a process")
        began = time.monotonic()
        child = self._start(self.point)
        if self._setting is None:
            self._plan(child)
            self._ends_s = time.monotonic() + self.budget_s
        others: dict[str, tuple[Child, int]] = {}
        for trial in self._live():
            if trial.change.elsewhere:
                wanted = point(self.point.axes | dict(trial.change.axes))
                if planning.memory_B(wanted, self.inputs) > planning.shared_memory_B(self._machine):
                    trial.reason = "There is no memory for one more process beside those of the point."
                    continue
                try:
                    other = self._start(wanted, trial.change)
                    others[trial.name] = other, int(self._report["tokens"])
                except ChildFailed as failed:
                    trial.reason = f"{failed.status}: {failed.reason}"
        started_s = time.monotonic() - began
        round_ = 0
        while round_ < self._rounds and (not round_ or not self._over()):
            round_began = time.monotonic()
            for _, trial in turns([round_], lambda _: self._live(), self._random):
                if trial.logs and self._over():
                    continue
                self.notify(self._done, self._total(), trial.name.replace("_", " "))
                try:
                    self._pair(trial, child, others)
                except (ChildFailed, Unsupported) as failed:
                    trial.reason = str(failed)
                    if child not in self._children:
                        child = self._start(self.point, Change())
                self._done += 1
            round_ += 1
            if round_ == 1:  # what was seen of this process says how many rounds it can have
                self._rounds = self._affordable(started_s, time.monotonic() - round_began)
        self._process += 1
        for each in self._children:
            each.kill()
        self._children.clear()

    def _over(self) -> bool:
        """Whether the time is used up: where an interval takes more processes, they get as much time again."""
        return time.monotonic() > self._ends_s + self.budget_s * (self._process < FEWEST)

    def _affordable(self, start_s: float, round_s: float) -> int:
        """Rounds of a process that leave as much time to each of the others, which start in about as many seconds.

        The first one is slow: it looks at memory, and starts whatever else is needed. It gets one round at least.
        """
        share_s = (self._ends_s - time.monotonic()) / (self.processes - self._process)
        return min(max(int((share_s - start_s) / max(round_s, 1e-6)) + 1, 1), MOST_ROUNDS)

    def _live(self) -> list[Trial]:
        return [trial for trial in self._trials if trial.reason is None]

    def _total(self) -> int:
        return max(len(self._live()) * self._rounds * self.processes, self._done + 1)

    def _start(self, wanted: Point, change: Change | None = None) -> Child:
        """A child that has built and warmed up the point. Only the first of all reads probes.

        Without a `change` its report is kept; that of one which runs a change of the point is not.
        """
        compiled = wanted.axes["compile"] != "eager"
        child = Child(None if compiled else self._nursery)
        self._children.append(child)
        started_at = assembly.now()
        try:
            child.ask(None, self._limit_s)
            settings = self._settings | {"lean": change is not None or bool(self._reports)}
            if change is not None and change.keeps_memory:
                child.ask({"do": "keep_memory"}, self._limit_s)
                settings["lean_warmup"] = _KEPT_WARMUP_S
            self._report = child.ask({"do": "build", "axes": wanted.axes, "settings": settings}, self._limit_s)["built"]
        except ChildFailed:
            self._drop(child)
            raise
        if change is None:
            self._report |= {"started_at": started_at}
            self._reports.append(self._report)
        return child

    def _drop(self, child: Child) -> None:
        child.kill()
        self._children.remove(child)

    def _plan(self, child: Child) -> None:
        """Which interventions can be tried, now that it is known how the point runs."""
        facts = self._report["facts"]
        block = self._block(child, Conditions())
        self._report |= self._ask(child, {"do": "observe"})
        self._setting = Setting(
            device=str(facts["device"]),
            threads=int(facts["threads"]),
            cores=tuple(environment.our_cores()),
            axes=self.point.axes,
            iteration_s=median(block.samples_ns) / 1e9,
            dispatches=self._ask(child, {"do": "count"})["dispatches"],
            dispatch_s=self.dispatch_s,
            linux=sys.platform.startswith("linux"),
            usable=host.usable_cores(),
            observation=observation_of(self._report.get("observation")),
            gpu=self._ask(child, {"do": "gpu", "device": str(facts["device"]).split()[0]})["gpu"],
        )
        self._beside = Surroundings(self._setting, self._nursery, self._limit_s)
        if self.choose is not None:
            self._trials += [Trial(name, change) for name, change in self.choose(self._report).items()]
        else:
            self._intervene(self._setting)
        nulls = max(round(len(self._trials) / _PER_NULL), 1)
        self._trials += [Trial(_NULL, interventions.change(_NULL, self._setting)) for _ in range(nulls)]

    def _intervene(self, setting: Setting) -> None:
        """Every intervention but those that are not asked for, each as a trial or with the reason why it is none."""
        for name in interventions.names():
            if name == _NULL or (interventions.asked_only(name) and name not in self.asked):
                continue
            reason = interventions.unavailable(name, setting)
            if reason is None:
                self._trials.append(Trial(name, interventions.change(name, setting)))
            else:
                self._refused.append(Experiment(name, [], {}, reason=reason))

    def _pair(self, trial: Trial, child: Child, others: Mapping[str, tuple[Child, int]]) -> None:
        """A block with the intervention and one without, in random order; then the same of what the machine gives.

        Raises `Unsupported` where the machine does not let it be changed.
        """
        change, beside = trial.change, self._beside
        assert beside is not None
        plain_tokens = int(self._reports[0]["tokens"])
        other, tokens = others.get(trial.name, (child, plain_tokens))
        known: Mapping[str, float] = {}

        def with_it() -> float:
            nonlocal known
            with beside.changed(change) as known:
                return _iteration_s(self._block(other, change.under)) / tokens

        def without() -> float:
            block = self._block(child, change.plain)
            if change.plain == Conditions():
                self._blocks.append(block)
            return _iteration_s(block) / plain_tokens

        trial_s, plain_s = self._in_turn(with_it, without)
        trial_s += change.left_out * plain_s
        gauged = known or (self._gauged(change) if change.moves_rates else {})
        trial.logs.append(math.log(trial_s / plain_s))
        trial.processes.append(self._process)
        for resource, log in gauged.items():
            trial.rate_logs.setdefault(resource, []).append(log)

    def _gauged(self, change: Change) -> dict[str, float]:
        """ln(rate with / rate without) of each resource."""
        beside = self._beside
        assert beside is not None

        def with_it() -> dict[str, float]:
            with beside.changed(change):
                return beside.rates(change.under)

        there, here = self._in_turn(with_it, lambda: beside.rates(change.plain))
        return {resource: math.log(there[resource] / here[resource]) for resource in there}

    def _in_turn(self, first: Callable[[], Any], second: Callable[[], Any]) -> tuple[Any, Any]:
        """Both results, whichever came first."""
        if self._random.random() < 0.5:
            return first(), second()
        later = second()
        return first(), later

    def _block(self, child: Child, under: Conditions) -> Block:
        request = {"do": "block", "kind": "timed", "round": self._done, "process": self._process}
        answer = self._ask(child, request | {"under": asdict(under)})
        return block_of(answer["block"])

    def _ask(self, child: Child, request: dict[str, Any]) -> dict[str, Any]:
        try:
            return child.ask(request, self._limit_s)
        except ChildFailed:
            self._drop(child)
            raise


def _iteration_s(block: Block) -> float:
    """The lower quartile of a block, which over pairs of identical programs varies least (`bench.stopping`)."""
    return max(quantile(block.samples_ns, 0.25), 0.5) * 1e-9
