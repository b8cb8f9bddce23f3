"""Drives a real power probe around real work, and prints what it read as JSON.

NVML's probe meets the double through the real pynvml; RAPL's meets a powercap tree that this process keeps up to date.
Argument: a JSON object with `probe`, `device`, `rest_s` (how long the machine rests first; 0: not at all), `seconds`
(length of the block), `enter_s` (the time on the double's clock at which the rest, or without one the block, begins)
and `powercap` (arguments of `tests.powercap_double.Tree`, or null).
"""

import json
import os
import sys
import threading
import time
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path

from bench import nvml, power_meter, probes
from bench.probes import power_rapl
from tests.powercap_double import Tree


def work_for(seconds: float) -> None:
    """Short bursts of work, as a host makes them that launches kernels and waits for them."""
    ends = time.perf_counter() + seconds
    while time.perf_counter() < ends:
        sum(range(10_000))
        time.sleep(0.005)


def main() -> None:
    wanted = json.loads(sys.argv[1])
    zero_s = time.perf_counter() - wanted["enter_s"]  # on Linux the same clock as the double's CLOCK_MONOTONIC
    os.environ["NVML_DOUBLE_START"] = repr(zero_s)
    tree = Tree(zero_s=zero_s, **wanted["powercap"]) if wanted["powercap"] else None
    with tree or nullcontext():
        if tree:
            probe = power_rapl.PowerRapl(wanted["device"], Path(tree.root))
        else:
            probe = probes.load(wanted["probe"], wanted["device"])
        answer = measure(probe, wanted) | {"zero_s": zero_s, "gpus": nvml.describe()}
    answer["threads"] = threading.active_count()
    print(json.dumps(answer))


def measure(probe: probes.Probe, wanted: dict) -> dict:
    answer = {"unavailable": probe.unavailable()}
    if answer["unavailable"] is not None:
        return answer
    if wanted["rest_s"] and isinstance(probe, power_meter.PowerProbe):
        probe.settle_s, probe.rest_s = 0.0, wanted["rest_s"]
        probe.rest()
    answer["began_s"] = time.perf_counter()
    with probe:
        work_for(wanted["seconds"])
        answer["ended_s"] = time.perf_counter()
    answer["readings"] = probe.read()
    answer["warnings"] = [warning.code for warning in probe.warnings()]
    if isinstance(probe, power_meter.PowerProbe) and probe.seen:
        verdict = probe.verdict()
        answer["counter"] = verdict.counter and asdict(verdict.counter)
        answer["integrated"] = verdict.integrated and asdict(verdict.integrated)
    return answer


if __name__ == "__main__":
    main()
