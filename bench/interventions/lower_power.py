"""The GPU at a lower power limit: what the limit holds back takes longer still, the rest does not feel it.

It takes root, and holds for everyone who uses the GPU meanwhile: only if asked. What the limit is set to is known, so
no gauge looks at it: a short look at one resource would not reach the limit. It has met NVML's double only.
"""

from bench.interventions import Change, Setting, _lowered

LABEL = "lower power limit"
ASKED = True


def unavailable(setting: Setting) -> str | None:
    """It takes a GPU that NVML knows."""
    return _lowered.unavailable(setting)


def change(setting: Setting) -> Change:
    """Three quarters of the limit that is set, or the least that the board allows."""
    return _lowered.change(setting, "power")
