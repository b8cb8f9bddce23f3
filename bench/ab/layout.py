"""The same luck for both sides: where code and data lie in memory, and how strings hash, differs from start to start.

Two starts of the very same Python program differed by 5 % here for as long as they lived, and whatever was forked from
them likewise; with addresses that are not random, by 1 to 2 %. Both sides therefore start without random addresses
where the system allows it, with the same seed for hashes, and anew for every pair, with another seed.
"""

import os
import shutil
import subprocess
from dataclasses import replace
from functools import cache

from bench.executors.forking import Launch

_SEED = "PYTHONHASHSEED"


@cache
def not_random() -> tuple[str, ...]:
    """What a command is prefixed with so that its addresses are not random; empty where that is not allowed.

    Containers may forbid the call (personality(2)); layouts then differ more, and more pairs are needed.
    """
    tool = shutil.which("setarch")
    if tool is None:
        return ()
    try:
        allowed = subprocess.run([tool, "-R", "true"], capture_output=True, timeout=10, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return (tool, "-R") if allowed else ()


def alike(launch: Launch, seed: int) -> Launch:
    """The launch with fixed addresses and this seed for hashes; a seed that the user has set stays."""
    environment = dict(os.environ if launch.environment is None else launch.environment)
    environment.setdefault(_SEED, str(seed))
    return replace(launch, prefix=not_random(), environment=environment)
