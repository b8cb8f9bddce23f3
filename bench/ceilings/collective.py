"""All-reduce between two ranks on this machine, over gloo.

This process is rank 0 and keeps the clock; it starts rank 1, which repeats whatever it is told to.
"""

import subprocess
import sys
from datetime import timedelta

import torch
import torch.distributed as dist
from torch.distributed import TCPStore  # type: ignore[attr-defined]  # public, but without __all__

from bench import devices, host
from bench.ceilings import Ceiling, Setting
from bench.ceilings._race import Contender, Timed, as_duration, as_rate, fastest, timed

RANKS = 2
#: A bucket of gradients (25 MiB is DistributedDataParallel's default), and one number in fp32.
LARGE_B, SMALL_B = 25 * 2**20, 4
#: A rank that does not answer is given up after that long.
_PATIENCE = timedelta(seconds=30)
_LOOPBACK = "127.0.0.1"


def measure(setting: Setting) -> dict[str, Ceiling]:
    """Bytes a second for a large tensor and seconds for one number.

    The bandwidth is nccl-tests' bus bandwidth, 2 (ranks - 1) / ranks of the tensor's bytes: all of them at two ranks.
    """
    threads = max(setting.threads // RANKS, 1)
    meeting = TCPStore(_LOOPBACK, 0, RANKS, is_master=True, timeout=_PATIENCE, wait_for_workers=False)
    command = [sys.executable, "-P", "-m", "bench.ceilings.collective", str(meeting.port), str(threads)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as peer:
        try:
            _join(0, meeting, threads)
            large = fastest({"large": Contender(_reduction(LARGE_B), LARGE_B)})
            small = fastest({"small": Contender(_reduction(SMALL_B), 1)})
            _tell(SMALL_B, 0)
            dist.destroy_process_group()
        finally:
            peer.kill()
    how = f"gloo, {RANKS} ranks of {threads} threads, fp32"
    return {
        "all_reduce_B_per_s": as_rate(large, "B/s", "all-reduce", f"{how}, {LARGE_B >> 20} MiB"),
        "all_reduce_latency_s": as_duration(small, "all-reduce, one number", f"{how}, {SMALL_B} B"),
    }


def _reduction(size_B: int) -> Timed:
    tensor = torch.zeros(size_B // 4)  # the sum of zeros stays finite
    once_told = timed(lambda: dist.all_reduce(tensor), torch.device("cpu"))

    def told(iterations: int) -> list[float]:
        _tell(size_B, iterations)
        return once_told(iterations)

    return told


def _tell(size_B: int, iterations: int) -> None:
    """Let rank 1 take part in that many reductions; in none of them: let it end."""
    dist.broadcast(torch.tensor([size_B, iterations]), src=0)


def _join(rank: int, meeting: TCPStore, threads: int) -> None:
    devices.set_threads(threads)
    dist.init_process_group("gloo", store=meeting, rank=rank, world_size=RANKS, timeout=_PATIENCE)


def _follow() -> None:
    """Rank 1: take part in whatever rank 0 announces."""
    while True:
        announced = torch.zeros(2, dtype=torch.int64)  # bytes, iterations
        dist.broadcast(announced, src=0)
        size_B, iterations = announced.tolist()
        if not iterations:
            return
        tensor = torch.zeros(size_B // 4)
        for _ in range(iterations):
            dist.all_reduce(tensor)


def main() -> None:
    """Be rank 1: `python -m bench.ceilings.collective PORT THREADS`."""
    host.adopt_orphan_policy()
    meeting = TCPStore(_LOOPBACK, int(sys.argv[1]), RANKS, is_master=False, timeout=_PATIENCE)
    _join(1, meeting, int(sys.argv[2]))
    _follow()
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
