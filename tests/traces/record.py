"""Record a trace: pairs of fresh children that run the same short point, alternated block by block.

Run as `python -m tests.traces.record NAME`; a row of NAME.csv is one block. The children are the suite's own, so a
trace holds what a sweep would have met: two processes live at a time, and the next pair starts when they are done.
"""

import csv
import random
import sys
from pathlib import Path
from statistics import median
from typing import Any

from bench import points
from bench.executors.local import Child, cache_folder

PAIRS, BLOCKS = 40, 24
#: One prefill of this model takes 1 to 2 ms here.
POINT = {"architecture": "lstm", "size": "nano", "workload": "prefill", "sequence_length": 192, "threads": 1}
SETTINGS = {"block_seconds": 0.02, "warmup_limit": 1.0, "corpus": None}
LIMIT_S = 120.0


def pair(number: int, order: random.Random) -> list[list[Any]]:
    """Rows of two fresh children: the pair, the member, the block, when it began in s, and its median time in ns."""
    axes = points.point(POINT).axes
    children = [Child(), Child()]
    rows = []
    try:
        for child in children:
            child.ask(None, LIMIT_S)
            child.ask({"do": "build", "axes": axes, "settings": SETTINGS | {"cache": str(cache_folder())}}, LIMIT_S)
        for block in range(BLOCKS):
            for member in order.sample([0, 1], 2):
                request = {"do": "block", "kind": "timed", "round": block, "process": number}
                answer = children[member].ask(request, LIMIT_S)["block"]
                rows.append([number, member, block, f"{answer['started_s']:.3f}", round(median(answer["samples_ns"]))])
    finally:
        for child in children:
            child.kill()
    return sorted(rows)


def main(name: str) -> None:
    """Write the trace beside this file."""
    order = random.Random(0)
    with Path(__file__).with_name(f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
        written = csv.writer(file, lineterminator="\n")
        written.writerow(["pair", "member", "block", "started_s", "median_ns"])
        for number in range(PAIRS):
            written.writerows(pair(number, order))
            file.flush()


if __name__ == "__main__":
    main(sys.argv[1])
