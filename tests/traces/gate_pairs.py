"""Write the pairs that `tests.proofs.gate_reality` measured without a change as a trace, for `gate_simulation`.

Run as `python -m tests.traces.gate_pairs NAME`; a row of NAME.csv is one pair of processes: the run of the gate, the
benchmark, the pair, and ln(new / base) of each pair of its blocks in hundredths of a percent.
"""

import csv
import sys
from pathlib import Path

from tests.proofs import gate_reality

#: So many runs are enough to draw from.
MOST_RUNS = 160


def main(name: str) -> None:
    """Write the trace beside this file."""
    runs = [run for run in gate_reality.kept().all() if gate_reality.KINDS[run["kind"]].right == 0][:MOST_RUNS]
    with Path(__file__).with_name(f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
        written = csv.writer(file, lineterminator="\n")
        written.writerow(["run", "benchmark", "pair", "logs"])
        for number, run in enumerate(runs):
            for test, pairs in run["logs"].items():
                benchmark = test.rpartition("::")[2]
                for pair, logs in enumerate(pairs):
                    written.writerow([number, benchmark, pair, " ".join(f"{10_000 * log:.0f}" for log in logs)])


if __name__ == "__main__":
    main(sys.argv[1])
