"""What the probes cost: blocks of one resident child with the probes on and off, paired, in random order.

Two costs are looked at: on the iterations themselves (a probe may disturb caches and clocks), and on the whole block,
request to answer, with what the probes do before and after the iterations. Probes that need a block of their own (a
power meter) are not part of it: no times are taken from those blocks.
"""

import random
import time

from bench import points
from bench.executors.local import Child, cache_folder
from bench.intervals import median_interval, quantile
from bench.spec import SETTING_DEFAULTS
from tests.proofs.proof import Outcome, main, table

LIMIT = 0.01
POINTS = {
    "prefill nano": {"workload": "prefill"},
    "train nano": {"workload": "train"},
    "prefill small": {"workload": "prefill", "size": "small"},
}


def overheads(axes: dict[str, str], pairs: int) -> tuple[list[float], list[float]]:
    """On over off, less 1: of the lower quartile of a block's iterations, and of the whole block."""
    child, order = Child(), random.Random(0)
    settings = {"block_seconds": SETTING_DEFAULTS["block_seconds"], "warmup_limit": 1.0, "cache": str(cache_folder())}
    iterations, wholes = [], []
    try:
        child.ask(None, 120)
        child.ask({"do": "build", "axes": points.point(axes).axes, "settings": settings}, 120)
        for pair in range(pairs):
            quartile, whole = {}, {}
            for probes in order.sample([True, False], 2):
                began = time.perf_counter()
                request = {"do": "block", "kind": "timed", "round": pair, "process": 0, "probes": probes}
                samples = child.ask(request, 120)["block"]["samples_ns"]
                whole[probes] = (time.perf_counter() - began) / len(samples)
                quartile[probes] = quantile(samples, 0.25)
            iterations.append(quartile[True] / quartile[False] - 1)
            wholes.append(whole[True] / whole[False] - 1)
    finally:
        child.kill()
    return iterations, wholes


def prove(quick: bool) -> Outcome:
    """The largest upper bound over the points, of either cost."""
    pairs = 300 if quick else 1000
    rows, lows, highs = [], [], []
    for name, axes in POINTS.items():
        for what, values in zip(("iterations", "whole block"), overheads(axes, pairs), strict=True):
            middle, low, high = median_interval(values)
            assert low is not None
            assert high is not None
            rows.append([name, what, f"{middle:+.2%}", f"[{low:+.2%}, {high:+.2%}]"])
            lows.append(low)
            highs.append(high)
    table(["point", "cost on", "probes on / off - 1", "95 % interval"], rows)
    # With few pairs the bounds are wide: what is compatible with the target lies below it with its lower bound.
    holds = max(lows if quick else highs) <= LIMIT
    target = f"<= {LIMIT:.0%}, upper bound of the 95 % interval"
    return Outcome("probe_overhead", round(100 * max(highs), 3), "%", pairs, target, holds)


if __name__ == "__main__":
    main(prove, __doc__)
