"""A process that keeps one core busy with copying, only while it is wanted: through the memory, or within a cache.

It copies in pieces that fit the first-level cache. For `memory` each piece is the next of a buffer larger than the last
cache, for `cache` always the same one: the same instructions, with and without traffic on the memory bus. It reads one
letter a wish on stdin ('1' begin, '0' rest) and answers each with a line: how many pieces it has copied so far. It
sleeps on the pipe while it rests, and ends when the pipe closes or its parent dies. It imports neither torch nor numpy.
"""

import ctypes
import mmap
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from bench.ceilings import _caches
from bench.executors.companion import Companion

Kind = Literal["memory", "cache"]

#: Two pieces of it fit any first-level data cache of the last decade (32 KiB and more).
PIECE_B = 2**13
#: Pieces between two looks at the pipe: some 50 us.
_PIECES = 64
#: Times the last cache; where that is not known, a buffer larger than most.
_TIMES_CACHE, _UNKNOWN_CACHE_B = 2, 2**26
_START_S = 20.0


def buffer_B(kind: Kind) -> int:
    """Bytes of the buffer, whose halves are copied one to the other."""
    if kind == "cache":
        return 2 * PIECE_B
    sizes = _caches.sizes_B()
    return _TIMES_CACHE * (sizes[max(sizes)] if sizes else _UNKNOWN_CACHE_B)


class Antagonist:
    """The parent's side. It rests at first; `wanted()` lets it work. Close it when it is not needed any more.

    `copied` counts the pieces that it has copied, as of its last answer. Raises `ChildFailed` where it is gone.
    """

    def __init__(self, kind: Kind, core: int) -> None:
        self._companion = Companion("bench.antagonist", [kind, str(core)], "loads the machine", _START_S, mute=True)
        self.copied = 0
        try:
            self._answer()
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._companion.pid

    @contextmanager
    def wanted(self) -> Iterator[None]:
        """It works within, and has come to rest when this ends. Raises `ChildFailed` where it ended meanwhile."""
        self._tell(b"1")
        try:
            yield
        finally:
            self._tell(b"0")

    def _tell(self, wish: bytes) -> None:
        self._companion.tell(wish)
        self._answer()

    def _answer(self) -> None:
        self.copied = int(self._companion.answer())

    def close(self) -> None:
        """End it, whatever it does."""
        self._companion.close()


def serve(kind: Kind) -> None:
    """Copy while it is wanted, until stdin closes."""
    whole = mmap.mmap(-1, buffer_B(kind))
    half = len(whole) // 2
    first = ctypes.addressof(ctypes.c_char.from_buffer(whole))
    copy = ctypes.memmove
    for place in range(0, len(whole), mmap.PAGESIZE):
        whole[place] = 1  # a page that was never written to is the same page of zeros everywhere
    ends = first + half - half % PIECE_B
    at, copied, working = first, 0, False
    os.write(1, b"0\n")
    while True:
        if not working or select.select([0], [], [], 0)[0]:
            wish = os.read(0, 1)
            if not wish:
                return
            working = wish == b"1"
            os.write(1, b"%d\n" % copied)
            continue
        for _ in range(_PIECES):
            copy(at + half, at, PIECE_B)
            at += PIECE_B
            if at >= ends:
                at = first
        copied += _PIECES


def main() -> None:
    """Serve as the two arguments say: the kind, and the core to keep to."""
    from bench.host import die_with_parent

    die_with_parent()
    os.sched_setaffinity(0, {int(sys.argv[2])})
    serve("memory" if sys.argv[1] == "memory" else "cache")


if __name__ == "__main__":
    main()
