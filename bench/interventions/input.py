"""Batches synthetic, cached, cold or slowed: for a point that loads its input, of which there is none yet."""

from bench.errors import Unsupported
from bench.interventions import Change, Setting

LABEL = "other input"
_REASON = "The batches of this point lie in memory: it loads nothing whose speed could be changed."


def unavailable(_setting: Setting) -> str | None:
    """No workload has a loader."""
    return _REASON


def change(_setting: Setting) -> Change:
    """Raises `Unsupported`: there is nothing to change."""
    raise Unsupported(_REASON)
