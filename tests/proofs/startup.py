"""How long `pinchpoint --help` takes from the start of the process to its end, and that it imports no torch."""

import subprocess
import sys
import time

from bench.intervals import median_interval
from tests.proofs.proof import Outcome, main, table

LIMIT_S = 0.5
COMMANDS = (["--help"], ["sweep", "--help"], ["--version"])


def seconds(arguments: list[str]) -> float:
    """Wall time of one whole process."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-P", "-m", "bench.cli", *arguments], capture_output=True, check=True)
    return time.perf_counter() - began


def imports_torch(arguments: list[str]) -> bool:
    """Whether torch is in `sys.modules` when the command has run."""
    code = (
        "import sys; from bench.cli import cli\n"
        f"try: cli({arguments!r}, standalone_mode=False)\n"
        "except SystemExit: pass\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1] == "True"


def prove(quick: bool) -> Outcome:
    """Measure each command many times, in turn."""
    n = 10 if quick else 40
    found: dict[str, list[float]] = {" ".join(command): [] for command in COMMANDS}
    for _ in range(n):
        for command in COMMANDS:
            found[" ".join(command)].append(seconds(command))
    torch = {" ".join(command): imports_torch(command) for command in COMMANDS}
    rows = []
    for name, values in found.items():
        middle, low, high = median_interval(values)
        rows.append([name, f"{middle:.3f} s", f"[{low:.3f}, {high:.3f}]", f"{max(values):.3f} s", str(torch[name])])
    table(["pinchpoint ...", "median", "95 % interval", "slowest", "torch imported"], rows)
    figure = median_interval(found["--help"])[0]
    holds = figure < LIMIT_S and not any(torch.values())
    return Outcome("startup", figure, "s", n, f"< {LIMIT_S} s, no torch in sys.modules", holds)


if __name__ == "__main__":
    main(prove, __doc__)
