"""The same work compiled: torch.compile fuses operators, so fewer are dispatched. Slow to begin: only if asked."""

from bench.interventions import Change, Setting

LABEL = "compiled, fewer operators"
ASKED = True


def unavailable(setting: Setting) -> str | None:
    """It takes a point that is not compiled already."""
    return "It is compiled already." if setting.axes["compile"] == "compiled" else None


def change(_setting: Setting) -> Change:
    """A second resident process in which torch compiled what an iteration calls."""
    return Change(axes={"compile": "compiled"})
