"""What the antagonist that loads the memory and its control share: a core of their own, with a process busy on it."""

from typing import Literal

from bench.interventions import Change, Conditions, Setting


def unavailable(setting: Setting) -> str | None:
    """Why no antagonist can run beside the point; None where one can."""
    if not setting.on_cpu:
        return "The model runs on a GPU; a process on the processor does not load its memory."
    if not setting.linux:
        return "A process can be bound to a core on Linux only."
    if setting.limit < 2:
        return "One core only: an antagonist would take the time of the point itself, not its memory bandwidth."
    return None


def change(setting: Setting, antagonist: Literal["memory", "cache"]) -> Change:
    """The point keeps off the last core, with and without the antagonist there: else both would take turns on it."""
    room = Conditions(threads=min(setting.threads, setting.limit - 1), cores=setting.cores[:-1])
    return Change(room, room, antagonist)
