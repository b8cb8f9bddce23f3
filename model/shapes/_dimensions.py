"""What every Config checks of its dimensions, so that a slip of the finger is one sentence."""

from collections.abc import Iterable, Sequence
from typing import Any

from model.errors import UserError

#: More than any machine holds, few enough to say so at once: a stranger's checkpoint names its own dimensions.
MOST_ROWS = 1 << 24
MOST_LAYERS = 1024


def check_counts(config: Any, names: Iterable[str]) -> None:
    """Raise `UserError` for the first of `names` that is no whole number from 1 to what a machine may hold."""
    for name in names:
        value, most = getattr(config, name), MOST_LAYERS if name == "layers" else MOST_ROWS
        if type(value) is not int or not 1 <= value <= most:
            raise UserError(f"{name} = {value!r} is no dimension.", f"Give a whole number from 1 to {most}.")


def check_share(config: Any, name: str) -> None:
    """Raise `UserError` unless the field `name` is a number in [0, 1)."""
    value = getattr(config, name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1:
        raise UserError(f"{name} = {value!r} is no share.", "Give a number from 0 up to, not including, 1.")


def check_flags(config: Any, names: Iterable[str]) -> None:
    """Raise `UserError` for the first of `names` that is neither True nor False."""
    for name in names:
        value = getattr(config, name)
        if type(value) is not bool:
            raise UserError(f"{name} = {value!r} is no choice.", "Give true or false.")


def check_choice(config: Any, name: str, choices: Sequence[str]) -> None:
    """Raise `UserError` unless the field `name` is one of `choices`."""
    value = getattr(config, name)
    if value not in choices:
        raise UserError(f"{name} = {value!r} is not known.", f"Choose one of: {', '.join(choices)}.")


def check_positive(config: Any, names: Iterable[str]) -> None:
    """Raise `UserError` for the first of `names` that is no finite number above 0."""
    for name in names:
        value = getattr(config, name)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < float("inf"):
            raise UserError(f"{name} = {value!r} is out of range.", "Give a number above 0.")
