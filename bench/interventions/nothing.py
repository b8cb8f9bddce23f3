"""Changes nothing: what it seems to do is drift and chance, and tells how often an experiment cries wolf."""

from bench.interventions import Change, Setting

LABEL = "change nothing"


def unavailable(_setting: Setting) -> str | None:
    """It can always be tried."""
    return None


def change(_setting: Setting) -> Change:
    """Two blocks of the same work."""
    return Change(null=True)
