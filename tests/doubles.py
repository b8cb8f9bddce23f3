"""Compiles the NVML double, scripts a known power, and runs probes against the doubles in children of their own."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
#: What the memory of the powercap double draws beside its package.
DRAM_SHARE = 0.1
SOURCE = Path(__file__).with_name("nvml_double") / "nvml.c"


def why_not() -> str | None:
    """Why the double cannot be used here, for a skip; None where it can."""
    if sys.platform != "linux":
        return "the NVML double is a Linux shared library"
    return None if shutil.which("gcc") else "the NVML double is compiled with gcc, which is not installed"


def build(folder: Path) -> Path:
    """Compile the double into `folder`, for LD_LIBRARY_PATH."""
    target = folder / "libnvidia-ml.so.1"
    command = ["gcc", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-O2", "-o", str(target), str(SOURCE), "-lm"]
    subprocess.run(command, check=True)
    return folder


@dataclass(frozen=True)
class Trace:
    """Power over time: points of (seconds, watts), joined by lines, or by steps that hold until the next point."""

    points: Sequence[tuple[float, float]]
    steps: bool = False

    def write(self, path: Path) -> None:
        """The script as the double reads it."""
        path.write_text("".join(f"{seconds!r} {watts!r}\n" for seconds, watts in self.points))

    def mean_watts(self, start_s: float, end_s: float) -> float:
        """Known mean power over a window, segment by segment: independent of how the double integrates."""
        first, last = self.points[0], self.points[-1]
        held = [(min(start_s, first[0]) - 1, first[1]), *self.points, (max(end_s, last[0]) + 1, last[1])]
        joules = 0.0
        for (t0, w0), (t1, w1) in pairwise(held):
            low, high = max(t0, start_s), min(t1, end_s)
            if low < high:
                middle = 0.0 if self.steps else ((low + high) / 2 - t0) / (t1 - t0)
                joules += (high - low) * (w0 + (w1 - w0) * middle)
        return joules / (end_s - start_s)


@dataclass(frozen=True)
class Scenario:
    """One run of a probe against a double. `faults` are NVML's variables without the prefix NVML_DOUBLE_.

    With `powercap`, faults of `tests.powercap_double.Tree`, it is RAPL's probe against that tree, whose memory draws a
    tenth of the package's power. The machine rests for `rest_s` before the block.
    """

    trace: Trace
    seconds: float = 1.5
    enter_s: float = 0.0
    probe: str = "power_nvml"
    device: str = "cuda:0"
    rest_s: float = 0.0
    powercap: Mapping[str, float] | None = None
    faults: Mapping[str, str] | None = None
    environment: Mapping[str, str] | None = None

    def start(self, library: Path, scratch: Path) -> "subprocess.Popen[str]":
        """Start the child; `scratch` is a file of its own for the script."""
        self.trace.write(scratch)
        variables = os.environ | {
            "LD_LIBRARY_PATH": str(library),
            "NVML_DOUBLE_TRACE": str(scratch),
            "NVML_DOUBLE_SHAPE": "steps" if self.trace.steps else "linear",
        }
        variables |= {f"NVML_DOUBLE_{name}": value for name, value in (self.faults or {}).items()}
        variables |= self.environment or {}
        wanted = {name: getattr(self, name) for name in ("probe", "device", "seconds", "enter_s", "rest_s")}
        tree = {"root": str(scratch.with_suffix(".powercap")), "power": list(self.trace.points)}
        wanted["powercap"] = None if self.powercap is None else tree | dict(self.powercap)
        command = [sys.executable, "-m", "tests.probe_child", json.dumps(wanted)]
        return subprocess.Popen(command, cwd=ROOT, env=variables, stdout=subprocess.PIPE, text=True)


def finish(child: "subprocess.Popen[str]") -> dict[str, Any]:
    """What the child printed."""
    output, _ = child.communicate(timeout=120)
    if child.returncode != 0:
        raise RuntimeError(f"the child ended with {child.returncode}")
    answer: dict[str, Any] = json.loads(output)
    return answer


def block_joules(scenario: Scenario, answer: Mapping[str, Any]) -> tuple[float, float]:
    """Known energy of the whole block under the script, and what the probe's average power makes of it."""
    seconds, zero_s = answer["ended_s"] - answer["began_s"], answer["zero_s"]
    known = scenario.trace.mean_watts(answer["began_s"] - zero_s, answer["ended_s"] - zero_s) * seconds
    if scenario.powercap is not None:
        known *= 1 + DRAM_SHARE
    return known, float(answer["readings"]["avg_power_W"]) * seconds


def known_watts(scenario: Scenario, answer: Mapping[str, Any], estimate: str) -> float:
    """The script's mean power over exactly the window of `estimate` (`counter` or `integrated`)."""
    window, zero_s = answer[estimate], answer["zero_s"]
    return scenario.trace.mean_watts(window["start_s"] - zero_s, window["end_s"] - zero_s)


def error(scenario: Scenario, answer: Mapping[str, Any], estimate: str) -> float:
    """Relative error of an estimate against the known power over its window."""
    return float(answer[estimate]["watts"]) / known_watts(scenario, answer, estimate) - 1
