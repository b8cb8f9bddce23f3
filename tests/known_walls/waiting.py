"""Cases whose wall lies outside the operators: input, cores that stand idle, other ranks, and memory that is full."""

import ctypes
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from pydoc_data.topics import topics
from random import Random

import nltk
import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed import TCPStore
from torch.utils.data import DataLoader, Dataset

from bench.ceilings import disk
from bench.errors import Unsupported
from tests.known_walls import groups
from tests.known_walls.case import Case, Machine, pure

_CLONE_NEWNET = 0x40000000
_PATIENCE = timedelta(seconds=60)
#: Reading a file in pieces of that size.
_PIECE_B = 2**20


class _Made(Dataset[Tensor]):
    """As many items as are asked for, each made by `make`."""

    def __init__(self, make):
        self.make = make

    def __len__(self):
        return 1 << 30

    def __getitem__(self, index):
        return self.make(index)


def loaded(make) -> Iterator[Tensor]:
    """What `make(index)` gives, through a loader of torch without workers."""
    return iter(DataLoader(_Made(make), batch_size=None))


def _multiplied(batches: Iterator[Tensor], width: int):
    weight = torch.randn(width, width)
    return lambda: torch.mm(next(batches), weight)


def sleeping_loader(random: Random, _machine: Machine) -> Case:
    """A loader that sleeps for longer than the product with its batch takes."""
    delay_s = random.uniform(0.004, 0.02)
    batch = torch.randn(64, 256)

    def make(_index):
        time.sleep(delay_s)
        return batch

    return pure("input", _multiplied(loaded(make), 256), f"{1000 * delay_s:.1f} ms a batch")


def slow_tokenizer(random: Random, _machine: Machine) -> Case:
    """A loader that tokenizes text word by word before each batch."""
    text = " ".join(topics.values())
    length = random.randint(5_000, 20_000)

    def make(index):
        start = (index * length) % (len(text) - length)
        words = nltk.word_tokenize(text[start : start + length], preserve_line=True)
        return torch.tensor([hash(word) % 256 for word in words[:256]], dtype=torch.float32).reshape(1, -1)

    batches = loaded(make)
    weight = torch.randn(256, 256)

    def step():
        row = next(batches)
        return row @ weight[: row.shape[1]]

    return pure("input", step, f"{length} characters")


def _cold_file(folder: str, size_B: int) -> int:
    """The descriptor of a file without a name, on the disk alone. Raises `Unsupported` where it cannot be."""
    descriptor, name = tempfile.mkstemp(dir=folder)
    Path(name).unlink()
    for _ in range(size_B // _PIECE_B):
        os.write(descriptor, os.urandom(_PIECE_B))
    os.fsync(descriptor)
    if not disk.drop(descriptor):
        os.close(descriptor)
        raise Unsupported("The folder's files cannot be dropped from memory.")
    return descriptor


def cold_files(random: Random, machine: Machine) -> Case:
    """A loader that reads from a file whose pages were dropped from memory."""
    size_B = _PIECE_B * random.randint(64, 96)
    batch_B = _PIECE_B * random.randint(4, 12)
    descriptor = _cold_file(machine.folder, size_B)

    def make(index):
        start = (index * batch_B) % (size_B - batch_B)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        raw = bytearray(os.pread(descriptor, batch_B, start))
        return torch.frombuffer(raw, dtype=torch.uint8)[: 64 * 256].reshape(64, 256).float()

    sizes = f"{batch_B >> 20} MiB of {size_B >> 20} a batch"
    return pure("input", _multiplied(loaded(make), 256), sizes, lambda: os.close(descriptor))


def serial_stage(random: Random, _machine: Machine) -> Case:
    """Python on one core, three to six times as long as the product that follows on all of them."""
    count, side = random.randint(400_000, 800_000), 64 * random.randint(6, 10)
    a, b, c = torch.randn(side, side), torch.randn(side, side), torch.empty(side, side)

    def step():
        total = 0
        for value in range(count):
            total += value & 7
        return torch.mm(a, b, out=c), total

    return pure("parallelism", step, f"{count} rounds of Python, then {side} x {side}")


def lock_contention(random: Random, _machine: Machine) -> Case:
    """Two threads that may work only one at a time."""
    rounds, n = random.randint(10, 30), random.randint(200_000, 600_000)
    lock = threading.Lock()
    mine, others = torch.ones(n), torch.ones(n)
    results = [torch.empty(n), torch.empty(n)]

    def work(x, out):
        for _ in range(rounds):
            with lock:
                torch.cumsum(x, 0, out=out)  # runs on one core
            time.sleep(0)

    def step():
        other = threading.Thread(target=work, args=(others, results[1]))
        other.start()
        work(mine, results[0])
        other.join()

    return pure("parallelism", step, f"2 x {rounds} sums of {n}")


def slow_link(random: Random, _machine: Machine) -> Case:
    """All-reduce between two ranks over a link that lets through a few hundred megabits a second.

    The link is the loopback of a network namespace of this process' own, which ends with it. Where there is no right
    to make one, the other rank answers late instead.
    """
    rate_Mbit, size_B = random.randint(100, 400), 2**16 * random.randint(8, 16)
    slowed = _slow_loopback(rate_Mbit)
    delay_s = 0.0 if slowed else 16 * size_B / (rate_Mbit * 1e6)
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    meeting = TCPStore("127.0.0.1", 0, 2, is_master=True, timeout=_PATIENCE, wait_for_workers=False)
    command = [sys.executable, "-m", "tests.known_walls.peer", str(meeting.port), str(size_B), str(delay_s)]
    peer = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    dist.init_process_group("gloo", store=meeting, rank=0, world_size=2, timeout=_PATIENCE)
    gradients, weight, rows = torch.zeros(size_B // 4), torch.randn(256, 256), torch.randn(64, 256)

    def step():
        torch.mm(rows, weight)
        dist.all_reduce(gradients)

    def close():
        peer.kill()
        peer.wait()

    return pure(
        "communication", step, f"{size_B >> 10} KiB at {rate_Mbit} Mbit/s, slowed by {slowed or 'delay'}", close
    )


def _slow_loopback(rate_Mbit: int) -> str | None:
    """Give this process a network of its own whose loopback is slow; `tbf`, or None where that is not allowed."""
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET) != 0:
        return None
    commands = (
        ["ip", "link", "set", "lo", "mtu", "9000"],
        ["ip", "link", "set", "lo", "up"],
        [
            "tc",
            "qdisc",
            "add",
            "dev",
            "lo",
            "root",
            "tbf",
            "rate",
            f"{rate_Mbit}mbit",
            "burst",
            "32kb",
            "latency",
            "1s",
        ],
    )
    try:
        for command in commands[:2]:
            subprocess.run(command, check=True, capture_output=True)
        subprocess.run(commands[2], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return "tbf"


def full_memory(random: Random, machine: Machine) -> Case:
    """Reading a mapped file again and again, in a control group that may hold only part of it."""
    limit_B = 2**20 * random.randint(96, 128)
    size_B = 2**20 * random.randint(160, 256)
    file = Path(tempfile.mkstemp(dir=machine.folder, prefix="known-walls-")[1])
    with file.open("wb") as opened:
        for _ in range(size_B // _PIECE_B):
            opened.write(os.urandom(_PIECE_B))
        opened.flush()
        os.fsync(opened.fileno())
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    table = torch.from_file(str(file), shared=False, size=size_B // 8, dtype=torch.int64)
    file.unlink()
    leave = groups.limited(limit_B)
    return pure("memory capacity", lambda: torch.sum(table), f"{size_B >> 20} of {limit_B >> 20} MiB", leave)
