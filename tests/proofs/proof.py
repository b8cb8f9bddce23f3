"""What every proof shares: its flags, its table and its last line."""

import argparse
import json
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

RECORDED = Path(__file__).with_name("recorded.json")


@dataclass(frozen=True)
class Outcome:
    """The figure that a proof promises; `holds`: it meets `target` (with --quick: is compatible with it)."""

    proof: str
    figure: float
    unit: str
    n: int
    target: str
    holds: bool


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a plain table, columns as wide as their widest cell."""
    widths = [max(len(str(row[i])) for row in [header, *rows]) for i in range(len(header))]
    for row in [header, ["-" * width for width in widths], *rows]:
        print("  ".join(str(cell).ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def machine() -> str:
    """Processor and cores, for the list of recorded figures."""
    import psutil

    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        model = platform.processor() or platform.machine()
    return f"{model}, {psutil.cpu_count()} cores, {psutil.virtual_memory().total / 2**30:.0f} GiB"


def main(prove: Callable[[bool], Outcome], description: str | None) -> None:
    """Run `prove(quick)`, print its outcome as the last line, and exit 0 where it holds, 1 where it does not."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer samples, under 240 s on 2 cores")
    parser.add_argument("--record", action="store_true", help=f"write the outcome to {RECORDED.name}")
    arguments = parser.parse_args()
    outcome = prove(arguments.quick)
    if arguments.record:
        recorded = json.loads(RECORDED.read_text()) if RECORDED.exists() else {}
        recorded[outcome.proof] = asdict(outcome) | {
            "quick": arguments.quick,
            "date": date.today().isoformat(),
            "machine": machine(),
        }
        RECORDED.write_text(json.dumps(recorded, indent=2, sort_keys=True) + "\n")
    print(json.dumps(asdict(outcome)))
    sys.exit(0 if outcome.holds else 1)
