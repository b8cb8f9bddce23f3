"""A small process beside the parent that answers each wish with a line: no worker, and without torch."""

import os
import select
import subprocess
import sys
from collections.abc import Sequence

from bench.executors.local import ChildFailed


class Companion:
    """`python -m module arguments`, with pipes to its stdin and from its stdout; its stderr is ours, or (`mute`) none.

    `what` names it where it is gone: every method then raises `ChildFailed`. An answer is waited for up to `limit_s`.
    """

    def __init__(self, module: str, arguments: Sequence[str], what: str, limit_s: float, *, mute: bool) -> None:
        self._what, self._limit_s = what, limit_s
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if mute else None,
            start_new_session=True,  # Ctrl-C reaches the parent alone, which then ends it
            bufsize=0,
        )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def tell(self, wish: bytes) -> None:
        """Write to its stdin."""
        assert self._process.stdin is not None
        try:
            os.write(self._process.stdin.fileno(), wish)
        except (OSError, ValueError):  # it has ended, or was closed
            raise self._gone() from None

    def answer(self) -> bytes:
        """Its next line."""
        assert self._process.stdout is not None
        pipe = self._process.stdout
        line = pipe.readline() if select.select([pipe], [], [], self._limit_s)[0] else b""
        if not line:
            raise self._gone()
        return line

    def close(self, grace_s: float = 0.0) -> None:
        """Close its stdin, and end it where it has not ended by itself within `grace_s` seconds."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(grace_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def _gone(self) -> ChildFailed:
        return ChildFailed("crashed", f"the process that {self._what} has ended")
