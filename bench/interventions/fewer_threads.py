"""Half of the threads: what scales with cores takes longer, a serial stage or a single-threaded kernel does not."""

from bench.interventions import Change, Conditions, Setting

LABEL = "half of the threads"


def unavailable(setting: Setting) -> str | None:
    """It takes two threads that run on the processor."""
    if not setting.on_cpu:
        return "The model runs on a GPU; threads of the processor only launch its work."
    if setting.threads < 2:
        return "It runs with one thread already."
    return None


def change(setting: Setting) -> Change:
    """Halved, so that what scales perfectly takes twice as long."""
    return Change(Conditions(threads=setting.threads // 2))
