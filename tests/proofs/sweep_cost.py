"""Wall seconds a point of a whole sweep, start-up and report included, with ratios to 2 % at 95 % confidence."""

import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from statistics import median

from bench import points
from bench.record import Record, from_json
from bench.spec import SETTING_DEFAULTS
from tests.proofs.proof import Outcome, main, table

TARGET_S = 4.0
HALF_WIDTH = float(SETTING_DEFAULTS["precision_goal"])

#: Two architectures, two kinds of work, two sizes, and variants that are really faster or slower.
SPEC = """
[base]
architecture = ["lstm", "transformer"]
sequence_length = 64
generated_length = 16

[[grid]]
workload = ["prefill", "decode"]
size = {sizes}
quantize = ["none", "int8-dynamic"]

[[grid]]
workload = ["prefill", "train"]
size = {sizes}
precision = ["fp32", "amp-bf16"]
"""


def sweep(sizes: list[str], folder: Path) -> tuple[list[Record], float]:
    """The records of a sweep as a user runs it, and the seconds from the start of the command to its end."""
    spec = folder / "cost.toml"
    spec.write_text(SPEC.format(sizes=sizes))
    command = [sys.executable, "-P", "-m", "bench.cli", "sweep", str(spec), f"--output-dir={folder}", "-o", "jsonl"]
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [from_json(line) for line in done.stdout.splitlines()], time.perf_counter() - began


def prove(quick: bool) -> Outcome:
    """Seconds a point over one sweep of `nano` and `tiny`; with --quick of `nano` alone."""
    with tempfile.TemporaryDirectory() as folder:
        records, seconds = sweep(["nano"] if quick else ["nano", "tiny"], Path(folder))
    rows, reached = [], Counter[bool]()
    for record in records:
        variant = not points.point(record.axes).is_reference
        width = record.facts.get("half_width")
        if variant:
            reached[width is not None and float(width) <= HALF_WIDTH] += 1
        axes = [str(record.axes[name]) for name in ("architecture", "workload", "size")]
        name = str(record.axes["quantize"] if record.axes["quantize"] != "none" else record.axes["precision"])
        processes = len({block.process for block in record.blocks})
        shown = "none" if width is None else f"{float(width):.1%}"
        stopped = str(record.facts.get("stopped_for"))
        rows.append([*axes, name, record.status, str(processes), f"{shown} of {record.facts['precision_of']}", stopped])
    table(["architecture", "work", "size", "variant", "status", "processes", "half-width", "stopped"], rows)
    figure = seconds / len(records)
    widths = [float(r.facts["half_width"]) for r in records if "half_width" in r.facts]
    print(
        f"{len(records)} points in {seconds:.0f} s; {reached[True]} of {reached.total()} ratios within "
        f"{HALF_WIDTH:.0%}; median half-width {median(widths):.1%}"
    )
    holds = figure <= TARGET_S and not reached[False] and all(record.status == "ok" for record in records)
    return Outcome(
        "sweep_cost", round(figure, 2), "s a point", len(records), f"<= {TARGET_S:g}, all ratios to 2 %", holds
    )


if __name__ == "__main__":
    main(prove, __doc__)
