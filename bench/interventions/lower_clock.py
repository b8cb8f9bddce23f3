"""The GPU's multiprocessors at a lower clock: what computes or waits for caches takes longer, main memory does not.

It takes root, and holds for everyone who uses the GPU meanwhile: only if asked. It has met NVML's double only.
"""

from bench.interventions import Change, Setting, _lowered

LABEL = "lower GPU clock"
ASKED = True


def unavailable(setting: Setting) -> str | None:
    """It takes a GPU that NVML knows."""
    return _lowered.unavailable(setting)


def change(setting: Setting) -> Change:
    """Locked to three quarters of its usual clock."""
    return _lowered.change(setting, "clock")
