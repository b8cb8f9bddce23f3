"""Names for runs: which are allowed, and which run has one."""

import re

from bench.errors import UserError
from bench.kinds import nearest
from bench.store import Baseline, Store

#: What means a run already, so that no baseline may be called so.
_RESERVED = ("latest", "all", "last")


def check_name(name: str) -> str:
    """The name, where it is one: a tag, a branch or any other word of at most 100 characters.

    Raises `UserError` for spaces, colons and what cannot be printed, and for words that mean a run already.
    """
    if name in _RESERVED:
        raise UserError(f"'{name}' means a run by its place in time already.", "Choose another name, such as main.")
    if not re.fullmatch(r"[^\s:]{1,100}", name) or not name.isprintable() or name.startswith("-"):
        raise UserError(
            f"{name!r} is no name for a baseline.",
            "Take a tag, a branch or another word of up to 100 characters, without spaces and colons.",
        )
    return name


def named(store: Store, name: str) -> Baseline:
    """The baseline of that name. Raises `UserError` with the nearest name where there is none."""
    known = {baseline.name: baseline for baseline in store.baselines()}
    if name not in known:
        raise UserError(
            f"{store.where} has no baseline '{name}'.{nearest(name, known)}",
            f"It has: {', '.join(known)}." if known else "Set one: pinchpoint baseline set NAME.",
        )
    return known[name]
