"""Another process streams through the memory, on a core that the point leaves free: what waits for memory waits longer.

Its control is `cache_antagonist`. (Bandwidth Bandit, Eklov et al., CGO 2013, steals bandwidth in this way.)
"""

from bench.interventions import Change, Setting, _beside

LABEL = "load the memory bus"


def unavailable(setting: Setting) -> str | None:
    """It takes a core that the point does without."""
    return _beside.unavailable(setting)


def change(setting: Setting) -> Change:
    """A copy through a buffer larger than the last cache, without end."""
    return _beside.change(setting, "memory")
