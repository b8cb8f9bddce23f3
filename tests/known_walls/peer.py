"""The other rank of `waiting.slow_link`: `python -m tests.known_walls.peer PORT BYTES DELAY_S`."""

import contextlib
import sys
import time

import torch
import torch.distributed as dist
from torch.distributed import TCPStore

from bench import host
from tests.known_walls.waiting import _PATIENCE


def main() -> None:
    host.adopt_orphan_policy()
    port, size_B, delay_s = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    torch.set_num_threads(1)
    meeting = TCPStore("127.0.0.1", port, 2, is_master=False, timeout=_PATIENCE)
    dist.init_process_group("gloo", store=meeting, rank=1, world_size=2, timeout=_PATIENCE)
    gradients = torch.zeros(size_B // 4)
    with contextlib.suppress(RuntimeError):  # the first rank is gone
        while True:
            time.sleep(delay_s)
            dist.all_reduce(gradients)


if __name__ == "__main__":
    main()
