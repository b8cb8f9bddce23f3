"""Reading a file that is not in the page cache."""

import os
import tempfile

import torch

from bench.ceilings import Ceiling, Setting, missing, scratch
from bench.ceilings._race import Contender, Timed, as_rate, fastest, timed

SIZE_B = 2**26
#: One read; large enough that the disk and not the system call is timed.
CHUNK_B = 2**22

LABEL = "disk read"


def measure(setting: Setting) -> dict[str, Ceiling]:
    """Bytes a second of one file from its start to its end, its pages dropped before each reading."""
    folder = scratch(setting)
    with tempfile.TemporaryFile(dir=folder, prefix="disk-") as file:
        descriptor = file.fileno()
        for _ in range(SIZE_B // CHUNK_B):
            file.write(os.urandom(CHUNK_B))  # a file system that compresses finds nothing to gain
        file.flush()
        os.fsync(descriptor)  # dirty pages cannot be dropped
        if not drop(descriptor):
            reason = "The system keeps the file's pages in memory (no posix_fadvise, or a file system in memory)."
            return {"disk_read_B_per_s": missing(LABEL, "B/s", 1, reason)}
        winner = fastest({"readv": Contender(_cold(descriptor), SIZE_B)})
    how = f"readv of {SIZE_B >> 20} MiB in pieces of {CHUNK_B >> 20} MiB, page cache dropped by fadvise"
    return {"disk_read_B_per_s": as_rate(winner, "B/s", LABEL, how)}


def drop(descriptor: int) -> bool:
    """Drop the file's pages from the page cache; whether they are really gone.

    A read that may not wait (RWF_NOWAIT, Linux 4.14) fails with EAGAIN where a page is not in memory.
    """
    if not hasattr(os, "posix_fadvise") or not hasattr(os, "RWF_NOWAIT"):
        return False
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    try:
        os.preadv(descriptor, [bytearray(1)], SIZE_B // 2, os.RWF_NOWAIT)
    except BlockingIOError:
        return True
    except OSError:  # a file system that does not know the flag, such as one in memory
        return False
    return False


def _cold(descriptor: int) -> Timed:
    """Time readings, each of a file whose pages were dropped before: outside the timed region."""
    buffer = [bytearray(CHUNK_B)]

    def read() -> None:
        for offset in range(0, SIZE_B, CHUNK_B):
            os.preadv(descriptor, buffer, offset)

    once = timed(read, torch.device("cpu"))

    def each_cold(iterations: int) -> list[float]:
        seconds = []
        for _ in range(iterations):
            drop(descriptor)
            seconds += once(1)
        return seconds

    return each_cold
