"""One point in this process: its model is built, shaped, warmed up, and run in blocks."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any, cast

import psutil
import torch

from bench import host, points, probes, workloads
from bench.axes import AXES
from bench.errors import Unsupported, UserError
from bench.record import Block, MetricInfo, Value, Warn
from bench.stopwatch import OnDevice, Step, time_iterations
from bench.warmup import warm_up
from model import architectures, compress, text

#: A block holds no more iterations than that, however short they are.
MOST_ITERATIONS = 10_000

#: The size of a rehearsal before the measurement.
_REHEARSAL: dict[str, Value] = {"size": "nano", "batch_size": 1, "sequence_length": 4, "generated_length": 2}


class Session:
    """One point, built once. Every method answers a request."""

    def __init__(self, axes: dict[str, Value], settings: Mapping[str, Any]) -> None:
        self._axes = axes
        self._settings = settings
        self._device = resolve_device(str(axes["device"]))
        self._probes = {name: probes.load(name, str(self._device)) for name in probes.names()}
        self._unavailable = {
            name: reason for name, probe in self._probes.items() if (reason := probe.unavailable()) is not None
        }
        self._wanted = {name: self._probes[name] for name in self._probes if name not in self._unavailable}
        self.step: Step = lambda: None
        self._on_device: OnDevice | None = None
        self._block_iterations = 1
        self._start_ram = 0

    def build(self) -> dict[str, Any]:
        """Make the model, shape it, warm it up; report what was built."""
        axes = self._axes
        if self._device.type == "cuda":
            torch.cuda.set_device(self._device)  # events and synchronization are of the current device
        threads = set_threads(axes["threads"])
        self._rehearse()
        torch.manual_seed(int(axes["seed"]))
        self._start_ram = psutil.Process().memory_info().rss
        began = time.perf_counter()
        building: dict[str, Value] = {}
        with self._memory("build", building):
            subject, facts = self._subject(axes)
            step = workloads.prepare(str(axes["workload"]), subject, points.work(axes))
        facts |= building
        if self._device.type == "cuda":
            self._on_device = OnDevice(step)
            step = self._on_device
        self.step = step
        load_s = time.perf_counter() - began
        host.return_freed_memory()
        with self._memory("warmup", facts):
            warmup = warm_up(self._time, float(self._settings["warmup_limit"]))
        self._block_iterations = _iterations(float(self._settings["block_seconds"]), warmup.iteration_s)
        facts |= {
            "device": _device_name(self._device),
            "threads": threads,
            "iterations_per_block": self._block_iterations,
            "start_ram_B": self._start_ram,
        }
        return {
            "facts": facts,
            "load_s": load_s,
            "warmup_s": warmup.seconds,
            "warnings": [asdict(warning) for warning in [*warmup.warnings, *_masked_only(axes)]],
            "unavailable": self._unavailable,
            "provided": self._provided(),
            "window_s": max((probe.window_s for probe in self._wanted.values()), default=0.0),
        }

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
        info = MetricInfo("B", -1, "memory of the model", "max")
        provided["ram_above_start_B"] = asdict(info) | {"probe": "host_memory"}
        if self._on_device is not None:
            info = MetricInfo("s", -1, "device time of one iteration")
            provided["device_latency_s"] = asdict(info) | {"probe": "stopwatch"}
        return provided

    def _rehearse(self) -> None:
        """Run the same kind of work on the smallest model, so that libraries are loaded before memory is looked at.

        torch loads about 100 MB of code at the first step of an optimizer; that is not the memory of the model.
        """
        smallest = {axis.name: axis.default for axis in AXES if axis.dimension} | _REHEARSAL
        subject, _ = self._subject(self._axes | smallest)
        step = workloads.prepare(str(self._axes["workload"]), subject, points.work(self._axes | smallest))
        time_iterations(step, 2)
        del subject, step
        host.return_freed_memory()

    def _subject(self, axes: Mapping[str, Value]) -> tuple[workloads.Subject, dict[str, Value]]:
        """The model of `axes` on its device, with batches of text, and what there is to tell about it."""
        config, work = points.config(axes), points.work(axes)
        if not points.costs(axes).tokens:
            raise Unsupported("A prompt of one token leaves a decoder-only model nothing to prefill.")
        corpus, cache = self._settings.get("corpus"), self._settings.get("cache")
        read = text.load(Path(corpus) if corpus else None, config.vocabulary, cache=Path(cache) if cache else None)
        asked = compress.Compression(
            prune=float(axes["prune"]),
            prune_scheme=str(axes["prune_scheme"]),
            factorize=str(axes["factorize"]),
            precision=str(axes["precision"]),
            quantize=str(axes["quantize"]),
        )
        architecture, training = str(axes["architecture"]), axes["workload"] == "train"
        built = architectures.build(architecture, config)
        parameters = sum(parameter.numel() for parameter in built.parameters())
        made = compress.apply(built, architecture, config, asked, self._device, training=training)
        lengths = (work.sequence_length, work.generated_length)
        try:
            batches = text.batches(
                read.train, work.batch_size, *lengths, count=workloads.BATCHES, seed=int(axes["seed"])
            )
        except UserError as error:  # too long for this text: so is this point, and others need not be
            raise Unsupported(str(error)) from error
        placed = [(source.to(self._device), target.to(self._device)) for source, target in batches]
        subject = workloads.Subject(made.model, placed, asked.precision, float(axes["learning_rate"]), self._device)
        facts: dict[str, Value] = {
            "parameters": parameters,
            "stored_weights_B": made.stored_B,
            "sparsity": made.sparsity,
            "compression": "; then ".join(made.steps),
            "corpus": read.description,
            "corpus_sha256": read.sha256,
        }
        return subject, facts

    def block(self, kind: str, round_: int, process: int, *, with_probes: bool = True) -> Block:
        """One block: a `timed` one of the usual length, or an `observed` one as long as the slowest meter needs."""
        observed = kind == "observed"
        chosen = [probe for probe in self._wanted.values() if with_probes and (probe.window_s > 0) == observed]
        window = max((probe.window_s for probe in chosen), default=0.0)
        started = time.monotonic()
        with ExitStack() as stack:
            for probe in chosen:
                stack.enter_context(probe)
            with _steal() as steal:
                samples = self._samples(window)
        readings = {name: value for probe in chosen for name, value in probe.read().items()}
        if "max_ram_B" in readings:
            readings["ram_above_start_B"] = readings["max_ram_B"] - self._start_ram
        if self._on_device is not None and not observed:
            readings["device_latency_s"] = median(self._on_device.seconds())
        return Block(
            kind=cast(Any, kind),
            process=process,
            round=round_,
            started_s=started,
            samples_ns=samples,
            steal_share=steal.get("share"),
            readings=readings,
            warnings=[warning for probe in chosen for warning in probe.warnings()],
        )

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


def _masked_only(axes: Mapping[str, Value]) -> list[Warn]:
    if not float(axes["prune"]) or axes["prune_scheme"] == "structured":
        return []
    return [
        Warn(
            "masked_only",
            "Pruned weights are stored as zeros and multiplied like any other: no sparse kernel ran.",
            "Expect no gain in speed or memory from them; --prune-scheme structured removes whole units instead.",
        )
    ]


@contextmanager
def _steal() -> Iterator[dict[str, float]]:
    """Share of all cores' time that the hypervisor took meanwhile, under `share`; absent where it is not told."""
    found: dict[str, float] = {}
    stolen, began = host.steal_s(), time.perf_counter()
    yield found
    after = host.steal_s()
    if stolen is not None and after is not None:
        seconds = (time.perf_counter() - began) * (os.cpu_count() or 1)
        found["share"] = min(max(after - stolen, 0.0) / max(seconds, 1e-9), 1.0)


def resolve_device(asked: str) -> torch.device:
    """The torch device that `auto`, `cpu`, `cuda` or `cuda:N` means here. Raises Unsupported where it is not there."""
    if asked == "auto":
        asked = "cuda" if torch.cuda.is_available() else "cpu"
    device = torch.device(asked)
    if device.type != "cuda":
        return device
    if not torch.backends.cuda.is_built():  # type: ignore[no-untyped-call]
        raise Unsupported(f"This torch ({torch.__version__}) is built without CUDA.")
    index = device.index or 0
    if index >= torch.cuda.device_count():
        raise Unsupported(f"torch sees {torch.cuda.device_count()} CUDA devices; there is no {asked}.")
    return torch.device("cuda", index)


def set_threads(asked: Value) -> int:
    """Let torch use that many threads (`auto`: the cores that this process may use); how many those are."""
    threads = host.usable_cores() if asked == "auto" else int(asked)
    torch.set_num_threads(threads)
    return threads


def _device_name(device: torch.device) -> str:
    return f"{device} ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else str(device)
