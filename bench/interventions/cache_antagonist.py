"""The control of `bandwidth_antagonist`: the same loop over a buffer that stays in the first-level cache.

What it costs is not the memory's doing: a lower clock when two cores are busy, a core that is half of another.
"""

from bench.interventions import Change, Setting, _beside

LABEL = "busy core, idle memory"


def unavailable(setting: Setting) -> str | None:
    """It takes a core that the point does without."""
    return _beside.unavailable(setting)


def change(setting: Setting) -> Change:
    """A copy within the first-level cache, without end."""
    return _beside.change(setting, "cache")
