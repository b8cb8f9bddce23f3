"""Twice the batch: work that each iteration does once, whatever its batch (reading weights, dispatching), is shared."""

from bench.axes import BY_NAME
from bench.errors import UserError
from bench.interventions import Change, Setting

LABEL = "batch x2, per token"


def unavailable(setting: Setting) -> str | None:
    """It takes a batch size that the axis allows."""
    try:
        BY_NAME["batch_size"].parse(2 * int(setting.axes["batch_size"]))
    except UserError:
        return f"A batch of twice {setting.axes['batch_size']} cannot be asked for."
    return None


def change(setting: Setting) -> Change:
    """A second resident process with twice the batch; times are compared by token."""
    return Change(axes={"batch_size": 2 * int(setting.axes["batch_size"])})
