"""One point in this process: its model is built, shaped, warmed up, and run in blocks."""

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from statistics import median
from typing import Any, cast

import psutil
import torch

from bench import (
    conditions,
    devices,
    gpu_interference,
    host,
    interference,
    memory_tracker,
    observer,
    points,
    probes,
    subject,
    workloads,
)
from bench.axes import AXES
from bench.interventions import Conditions
from bench.memory_parts import UNTRACKED
from bench.neighbours import Neighbours
from bench.record import Block, MetricInfo, Value, Warn
from bench.stopwatch import OnDevice, Step, time_iterations
from bench.warmup import warm_up
from model import compiled, precision
from model.architectures import hf

#: A block holds no more iterations than that, however short they are.
MOST_ITERATIONS = 10_000

#: Whether the work settles is judged in the first processes of a point. Later ones repeat its first iterations for so
#: long, and three of them at least, which fill caches and buffers; each block then has a lead-in of its own.
_LEAN_WARMUP_S = 0.02

#: Before a block the work runs untimed for so long, at least once: after others' turns the first iterations of nano
#: models were slower by 20 to 100 %. Work whose iterations take longer than the second figure does without.
_LEAD_IN_S, _NO_LEAD_IN_S = 0.01, 0.5

#: The size of a rehearsal before the measurement, and what takes long or cannot be had with a batch of one.
_REHEARSAL: dict[str, Value] = {
    "size": "nano",
    "batch_size": 1,
    "sequence_length": 4,
    "generated_length": 2,
    "prune_rounds": 1,
    "accumulation": 1,
}

#: Dimensions that choose which code runs, so that a rehearsal keeps them.
_WHAT_RUNS = {"encoder"}


class Session:
    """One point, built once. Every method answers a request.

    With the setting `lean` it is there for its times: nothing is rehearsed, and only what `probes` names is read.
    """

    def __init__(self, axes: dict[str, Value], settings: Mapping[str, Any]) -> None:
        self._axes = axes
        self._settings = dict(settings)
        self._inputs = subject.inputs(settings)
        self._device = devices.resolve(str(axes["device"]))
        self._lean = bool(settings.get("lean"))
        names = settings.get("probes", ()) if self._lean else probes.names()
        self._probes = {name: probes.load(name, str(self._device)) for name in names}
        self._unavailable = {
            name: reason for name, probe in self._probes.items() if (reason := probe.unavailable()) is not None
        }
        self._watch = interference.Watch()
        self._last_look: interference.Counters | None = None
        self._neighbours = Neighbours()
        self._gpu_watch = gpu_interference.GpuWatch(str(self._device)) if self._device.type == "cuda" else None
        self._unavailable |= self._watch.unavailable()
        self._wanted = {name: probe for name, probe in self._probes.items() if name not in self._unavailable}
        self.step: Step = lambda: None
        self._iteration_s = 0.0
        self._on_device: OnDevice | None = None
        self._block_iterations = 1
        self._lead_in = 0
        self._model: torch.nn.Module | None = None
        self._start_ram = 0

    def build(self) -> dict[str, Any]:
        """Make the model, shape it, warm it up; report what was built."""
        axes = self._axes
        if self._device.type == "cuda":
            torch.cuda.set_device(self._device)  # events and synchronization are of the current device
        threads = devices.set_threads(axes["threads"])
        if not self._lean:
            self._rehearse()
        if limit_B := self._settings.get("memory_limit_B"):
            devices.limit_memory(self._device, int(limit_B))
        torch.manual_seed(int(axes["seed"]))
        self._start_ram = psutil.Process().memory_info().rss
        began = time.perf_counter()
        building: dict[str, Value] = {}
        with self._memory("build", building):
            made, facts = subject.make(axes, self._settings, self._device)
            step = workloads.prepare(str(axes["workload"]), made, points.work(axes))
        facts |= building
        if self._device.type == "cuda":
            self._on_device = OnDevice(step)
            step = self._on_device
        self.step = step
        load_s = time.perf_counter() - began
        if not self._lean:
            host.return_freed_memory()
        if axes["compile"] == "compiled":
            facts |= self._compile(made)
        else:
            self._model = made.model
        with self._memory("warmup", facts):
            limit_s, lean_s = (float(self._settings.get(n, _LEAN_WARMUP_S)) for n in ("warmup_limit", "lean_warmup"))
            warmup = warm_up(self._time, min(limit_s, lean_s) if self._lean else limit_s)
        self._iteration_s = warmup.iteration_s
        self._block_iterations = _iterations(float(self._settings["block_seconds"]), warmup.iteration_s)
        short = warmup.iteration_s < _NO_LEAD_IN_S
        self._lead_in = _iterations(_LEAD_IN_S, warmup.iteration_s) if short else 0
        facts |= {
            "device": devices.name(self._device),
            "threads": threads,
            "iterations_per_block": self._block_iterations,
            "start_ram_B": self._start_ram,
        }
        return {
            "facts": facts,
            "tokens": points.tokens(axes, self._inputs),
            "load_s": load_s,
            "warmup_s": warmup.seconds,
            "warnings": [asdict(each) for each in [*([] if self._lean else warmup.warnings), *subject.cautions(axes)]],
            "unavailable": self._unavailable,
            "provided": self._provided(),
            "window_s": max((probe.window_s for probe in self._wanted.values()), default=0.0),
        }

    def _compile(self, made: workloads.Subject) -> dict[str, Value]:
        """Let torch compile what an iteration calls, before anything is timed; what there is to tell about it."""
        self.step()  # in eager mode: tables and caches that are set aside at first use stand when the step is traced
        compiled.install(made.model, points.work(self._axes).phase)
        facts: dict[str, Value] = {}
        with self._memory("compile", facts):
            found = compiled.first_calls(self.step)
        host.return_freed_memory()
        return facts | {"compile_s": found.seconds, "compiled": str(found)}

    @contextmanager
    def _memory(self, phase: str, facts: dict[str, Value]) -> Iterator[None]:
        """Note the peak of the process' memory during a phase before the blocks: `max_ram_build_B`."""
        probe = self._wanted.get("host_memory")
        if probe is None:
            yield
            return
        with probe:
            yield
        facts[f"max_ram_{phase}_B"] = round(probe.read()["max_ram_B"])

    def _provided(self) -> dict[str, dict[str, str]]:
        """Every reading that a block may carry: what it is, and which probe reads it."""
        provided = {
            name: asdict(info) | {"probe": probe_name}
            for probe_name, probe in self._probes.items()
            for name, info in probe.provides.items()
        }
        provided |= {name: asdict(info) | {"probe": name} for name, info in self._watched_for().items()}
        info = MetricInfo("B", -1, "memory of the model", "max")
        provided["ram_above_start_B"] = asdict(info) | {"probe": "host_memory"}
        if self._on_device is not None:
            info = MetricInfo("s", -1, "device time of one iteration")
            provided["device_latency_s"] = asdict(info) | {"probe": "stopwatch"}
        return provided

    def _watched_for(self) -> dict[str, MetricInfo]:
        return interference.PROVIDES | ({} if self._gpu_watch is None else gpu_interference.PROVIDES)

    def _rehearse(self) -> None:
        """Run the same kind of work on the smallest model, so that libraries are loaded before memory is looked at.

        torch loads about 100 MB of code at the first step of an optimizer, and nearly 70 MB to read a file of weights;
        those are not the memory of the model.
        """
        subject.trained_weights(self._settings)
        preset = {axis.name: axis.default for axis in AXES if axis.dimension and axis.name not in _WHAT_RUNS}
        smallest = self._axes | preset | _REHEARSAL
        smallest["tuning_steps"] = min(int(self._axes["tuning_steps"]), 1)  # one loads the optimizer's code
        if self._axes["architecture"] == "hf":  # it has one size: transformers' own code is loaded without weights
            hf.rehearse(points.config(self._axes, self._inputs))
            smallest |= {"architecture": "transformer", "model": "none"}
        if self._axes["compile"] == "compiled":
            compiled.check(self._device)
        made, _ = subject.make(smallest, self._settings | {"parent": None}, self._device)
        step = workloads.prepare(str(self._axes["workload"]), made, points.work(smallest))
        time_iterations(step, 2)
        del made, step
        host.return_freed_memory()

    @contextmanager
    def under(self, wanted: Conditions) -> Iterator[None]:
        """Blocks within run under these conditions; afterwards everything is as before."""
        plain, watch = self.step, self._gpu_watch
        self._gpu_watch = None if wanted.slowed else watch
        try:
            with conditions.machine(wanted):
                self.step = conditions.changed(plain, wanted, self._device)
                if wanted.lead_in_s:
                    self._samples(wanted.lead_in_s)
                yield
        finally:
            self.step, self._gpu_watch = plain, watch

    def dispatches(self) -> int | None:
        """Operators that an iteration calls; None where torch compiled it, which a look would undo."""
        return None if self._axes["compile"] == "compiled" else conditions.dispatches(self.step)

    def block(self, kind: str, round_: int, process: int, *, with_probes: bool = True) -> Block:
        """One block: a `timed` one of the usual length, or an `observed` one as long as the slowest meter needs."""
        observed = kind == "observed"
        chosen = [probe for probe in self._wanted.values() if with_probes and (probe.window_s > 0) == observed]
        window = max((probe.window_s for probe in chosen), default=0.0)
        if observed:
            for probe in chosen:
                probe.rest()
        started = time.monotonic()
        warnings: list[Warn] = []
        with ExitStack() as stack:
            for probe in chosen:
                stack.enter_context(probe)
            if self._gpu_watch is None or observed:
                samples, disturbed = self._watched(window)
            else:
                (samples, disturbed), on_gpu, warnings = self._gpu_watch.undisturbed(lambda: self._watched(window))
                disturbed |= on_gpu
        readings = {name: value for probe in chosen for name, value in probe.read().items()} | disturbed
        if "max_ram_B" in readings:
            readings["ram_above_start_B"] = readings["max_ram_B"] - self._start_ram
        if self._on_device is not None and not observed:
            readings["device_latency_s"] = median(self._on_device.seconds())
        if not self._lean:
            warnings += self._neighbours.after_block(readings.get("foreign_share"))
        return Block(
            kind=cast(Any, kind),
            process=process,
            round=round_,
            started_s=started,
            samples_ns=samples,
            steal_share=readings.get("steal_share"),
            readings=readings,
            warnings=[*(warning for probe in chosen for warning in probe.warnings()), *warnings],
        )

    def observe(self) -> dict[str, Any]:
        """What an iteration consists of, or the reason why that is not known: whatever goes wrong fails no point.

        A compiled model is not hooked, as its code would then be compiled anew: its operators name no module.
        """
        self._time(self._lead_in)
        try:
            found = observer.observe(self.step, self._device, torch.get_num_threads(), self._model, self._time)
        except Exception as error:  # noqa: BLE001 - the point has been measured; this is beside it
            said = " ".join(str(error).split())[:300]
            return {"observation": None, "unobserved": f"{type(error).__name__}: {said}"}
        return {"observation": asdict(found)}

    def track(self) -> dict[str, Value]:
        """Run once more, untimed, and see what the memory is made of: facts of the record, or the reason for none.

        Meant for after the last block: what it takes by itself then falls on no peak and on no time. Never raises.
        """
        if (reason := memory_tracker.refusal(self._axes, self._iteration_s)) is not None or self._model is None:
            return {UNTRACKED: reason or "nothing was built"}
        try:
            workload, chosen = str(self._axes["workload"]), str(self._axes["precision"])
            seen = memory_tracker.track(
                lambda: self._time(1),
                self._model,
                workload,
                self._device,
                lambda: precision.autocast(chosen, self._device),
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, the point is measured already
            said = " ".join(str(error).split())[:200]
            return {UNTRACKED: f"the tracker met {type(error).__name__}: {said}"}
        return seen.facts()

    def _watched(self, window_s: float) -> tuple[list[int], dict[str, float]]:
        """The samples of a block, and what disturbed the machine meanwhile."""
        self._time(self._lead_in)
        before = self._watch.look()
        samples = self._samples(window_s)
        after = self._watch.look()
        disturbed = interference.readings(before, after) | interference.stalls(self._last_look or before, after)
        self._last_look = after
        clock = self._watch.clock_hertz()
        return samples, disturbed if clock is None else disturbed | {"cpu_clock_Hz": clock}

    def _samples(self, window_s: float) -> list[int]:
        ends = time.monotonic() + window_s
        samples = self._time(self._block_iterations)
        while time.monotonic() < ends:
            samples += self._time(self._block_iterations)
        return samples

    def _time(self, iterations: int) -> list[int]:
        if self._on_device is not None:
            self._on_device.prepare(iterations)
        return time_iterations(self.step, iterations)


def _iterations(block_s: float, iteration_s: float) -> int:
    return min(max(round(block_s / max(iteration_s, 1e-9)), 1), MOST_ITERATIONS)
