"""Drives a real probe with the real pynvml against the double, around real work, and prints what it read as JSON.

Argument: a JSON object with `probe`, `device`, `seconds` (length of the block), `enter_s` (the time on the double's
clock at which the block begins).
"""

import json
import os
import sys
import threading
import time
from dataclasses import asdict

from bench import nvml, probes
from bench.probes import power_nvml


def work_for(seconds: float) -> None:
    """Short bursts of work, as a host makes them that launches kernels and waits for them."""
    ends = time.perf_counter() + seconds
    while time.perf_counter() < ends:
        sum(range(10_000))
        time.sleep(0.005)


def main() -> None:
    wanted = json.loads(sys.argv[1])
    probe = probes.load(wanted["probe"], wanted["device"])
    zero_s = time.perf_counter() - wanted["enter_s"]  # on Linux the same clock as the double's CLOCK_MONOTONIC
    os.environ["NVML_DOUBLE_START"] = repr(zero_s)
    answer = {"zero_s": zero_s, "unavailable": probe.unavailable(), "gpus": nvml.describe()}
    if answer["unavailable"] is None:
        with probe:
            work_for(wanted["seconds"])
        answer["readings"] = probe.read()
        answer["warnings"] = [warning.code for warning in probe.warnings()]
        answer["threads"] = threading.active_count()
        if isinstance(probe, power_nvml.PowerNvml) and probe.seen:
            counter, integrated = power_nvml.estimate(probe.seen)
            answer["counter"] = counter and asdict(counter)
            answer["integrated"] = integrated and asdict(integrated)
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
