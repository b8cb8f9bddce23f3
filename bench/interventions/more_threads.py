"""Twice the threads, where cores are left for them: what scales with cores gets faster."""

from bench.interventions import Change, Conditions, Setting

LABEL = "twice the threads"


def unavailable(setting: Setting) -> str | None:
    """It takes a core that the point leaves idle: threads that share one only wait for each other."""
    if not setting.on_cpu:
        return "The model runs on a GPU; threads of the processor only launch its work."
    if setting.threads >= setting.limit:
        return f"It has a thread for each of {setting.limit} usable cores already."
    return None


def change(setting: Setting) -> Change:
    """Doubled, or as many as there are cores."""
    return Change(Conditions(threads=min(2 * setting.threads, setting.limit)))
