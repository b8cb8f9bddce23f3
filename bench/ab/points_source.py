"""A side whose benchmarks are points of a spec, run by the workers of that side's own pinchpoint and torch."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench import host, points, probes, summary
from bench.ab.layout import alike
from bench.ab.source import Benchmark
from bench.errors import UserError
from bench.executors.forking import Launch, Nursery
from bench.executors.local import Child, ChildFailed, cache_folder
from bench.points import Point
from bench.record import Value, block_of

_SCRIPT = Path(__file__).parent / "scripts" / "points_child.py"
#: What is read of memory in every process. Meters need a block of some seconds each time: they are read where energy or
#: power is limited.
_MEMORY = ("host_memory", "device_memory")
POWER = ("avg_power_W", "energy_J", "joules_per_token")
_READINGS = ("max_ram_B", "max_allocated_B", "max_reserved_B")


class RunningPoint:
    """A worker that has built a point."""

    def __init__(
        self,
        child: Child,
        report: Mapping[str, Any],
        costs: Mapping[str, int],
        block_s: float,
        limit_s: float,
        *,
        metered: bool = False,
    ) -> None:
        self._child, self._report, self._costs, self._metered = child, report, costs, metered
        self._block_s, self._limit_s = block_s, limit_s
        self._rounds = 0

    def warm_up(self, limit_s: float) -> float:
        """It has warmed up when it was built."""
        del limit_s
        return self._block_s / int(self._report["facts"]["iterations_per_block"])

    def block(self, iterations: int) -> list[int]:
        """The durations of the iterations of a block, in ns; how many is the worker's choice."""
        del iterations
        samples: list[int] = self._block(with_probes=False)["samples_ns"]
        return samples

    def peak(self, iterations: int) -> dict[str, float]:
        """`max_ram_B`, on a GPU what its allocator holds at most, and power and energy where a meter is to be read."""
        del iterations
        readings = self._block(with_probes=True)["readings"]
        found = {name: float(readings[name]) for name in _READINGS if name in readings}
        return found | self._energy() if self._metered else found

    def _energy(self) -> dict[str, float]:
        """Power and energy over a block as long as the slowest meter needs; empty where none can be read."""
        block = block_of(self._block(with_probes=True, kind="observed"))
        if "avg_power_W" not in block.readings or not block.samples_ns:
            return {}
        energy_J = summary.joules(block, "avg_power_W")
        values = (block.readings["avg_power_W"], energy_J, energy_J / int(self._report["tokens"]))
        return dict(zip(POWER, values, strict=True))

    def finish(self) -> dict[str, int]:
        """What it counts: operators, parameters and stored bytes in the process, the rest from the shape."""
        operators = self._ask({"do": "count"})["dispatches"]
        told = {name: self._report["facts"].get(name) for name in ("parameters", "stored_weights_B")}
        counted = {"operators": operators, "tokens": self._report["tokens"]} | told
        self._child.ask_to_finish()
        return {**self._costs, **{name: int(count) for name, count in counted.items() if count is not None}}

    def close(self) -> None:
        """End the process."""
        self._child.kill()

    def _block(self, *, with_probes: bool, kind: str = "timed") -> dict[str, Any]:
        self._rounds += 1
        request = {"do": "block", "kind": kind, "round": self._rounds, "process": 0, "probes": with_probes}
        found: dict[str, Any] = self._ask(request)["block"]
        return found

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            answer = self._child.ask(request, self._limit_s)
        except UserError as error:
            raise ChildFailed("crashed", error.message) from error
        if answer.keys() == {"finished"}:
            raise ChildFailed("unsupported", f"its pinchpoint does not know the request '{request['do']}'")
        return answer


class Points:
    """The points of a spec in the environment of `launch`; `settings` are those of the spec.

    `metered` says that power is read, which takes each process some seconds.
    """

    def __init__(
        self,
        name: str,
        launch: Launch,
        chosen: Sequence[Point],
        settings: Mapping[str, Value],
        limit_s: float,
        *,
        metered: bool = False,
    ) -> None:
        self._name, self._launch, self._limit_s = name, launch, limit_s
        self.uncollected: tuple[str, ...] = ()
        self._points = {point.id: point for point in chosen}
        self._block_s = float(settings["block_seconds"])
        self._settings: dict[str, Any] = {name: settings[name] for name in ("block_seconds", "warmup_limit")}
        self._settings |= {"cache": str(cache_folder()), "lean": True}
        self._settings["probes"] = list(probes.names() if metered else _MEMORY)
        self._metered = metered
        self._costs: dict[str, dict[str, int]] = {}
        self._nursery: Nursery | None = None
        self._seed = 0

    def benchmarks(self) -> dict[str, Benchmark]:
        """Every point. Raises `UserError` where the side has no pinchpoint that runs."""
        self._count()
        self.renew(0)
        among = list(self._points.values())
        return {point.id: Benchmark(point.id, points.describe(point, among)) for point in among}

    def start(self, benchmark: str) -> RunningPoint:
        """A worker that has built the point and warmed up. Raises `ChildFailed`."""
        axes = self._points[benchmark].axes
        child = Child(self._nursery if axes["compile"] == "eager" else None, alike(self._launch, self._seed))
        try:
            child.ask(None, self._limit_s)
            request = {"do": "build", "axes": axes, "settings": self._settings}
            report = child.ask(request, self._limit_s)["built"]
        except (ChildFailed, UserError) as failed:
            child.kill()
            if isinstance(failed, UserError):
                raise ChildFailed("crashed", failed.message) from failed
            raise
        return RunningPoint(
            child, report, self._costs.get(benchmark, {}), self._block_s, self._limit_s, metered=self._metered
        )

    def renew(self, seed: int) -> None:
        """Start the process anew that workers are forked from, where any can be."""
        self.close()
        self._seed = seed
        on_cpu = all(point.axes["device"] in ("auto", "cpu") for point in self._points.values())
        if sys.platform.startswith("linux") and on_cpu and not host.describe()["accelerator"]:
            self._nursery = Nursery(alike(self._launch, seed))

    def close(self) -> None:
        """End the process that workers are forked from, and with it every worker that is left."""
        if self._nursery is not None:
            self._nursery.close()
            self._nursery = None

    def _count(self) -> None:
        axes = [point.axes for point in self._points.values()]
        try:
            done = subprocess.run(
                [self._launch.python, "-P", str(_SCRIPT)],
                input=json.dumps(axes),
                env=self._launch.environment,
                cwd=self._launch.folder,
                capture_output=True,
                text=True,
                timeout=self._limit_s,
                check=False,
            )
            if done.returncode:
                raise OSError((done.stderr.strip().splitlines() or ["it said nothing"])[-1])
            found = json.loads(done.stdout.splitlines()[-1])
        except (OSError, ValueError, IndexError, subprocess.TimeoutExpired) as error:
            raise UserError(
                f"pinchpoint does not run on the side '{self._name}': {error}.",
                f"Install it there: {self._launch.python} -m pip install pinchpoint; or name tests in place of a spec.",
            ) from error
        known = zip(self._points, found, strict=True)
        self._costs = {name: counts for name, counts in known if isinstance(counts, dict)}
