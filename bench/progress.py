"""How far a sweep has come, for whoever watches it."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Progress:
    """What the command line shows while a sweep runs; every field is kept up to date by the runner.

    `total` counts the blocks that are certain to come; it grows when a point is given more processes.
    """

    total: int
    done: int = 0
    failures: int = 0
    current: str = ""
    changed: Callable[["Progress"], None] = field(default=lambda _: None)

    def advance(self, blocks: int = 0, current: str | None = None, failures: int = 0, more: int = 0) -> None:
        """Count finished blocks, failures and blocks that are yet to come, and tell whoever watches."""
        self.done += blocks
        self.total += more
        self.failures += failures
        if current is not None:
            self.current = current
        self.changed(self)
