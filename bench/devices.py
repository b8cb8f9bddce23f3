"""The device and the threads that a point asks for, as torch knows them."""

import torch

from bench import host
from bench.errors import Unsupported
from bench.record import Value


def resolve(asked: str) -> torch.device:
    """The torch device that `auto`, `cpu`, `cuda` or `cuda:N` means here. Raises Unsupported where it is not there."""
    if asked == "auto":
        asked = "cuda" if torch.cuda.is_available() else "cpu"
    device = torch.device(asked)
    if device.type != "cuda":
        return device
    if not torch.backends.cuda.is_built():  # type: ignore[no-untyped-call]
        raise Unsupported(f"This torch ({torch.__version__}) is built without CUDA.")
    index = device.index or 0
    if index >= torch.cuda.device_count():
        raise Unsupported(f"torch sees {torch.cuda.device_count()} CUDA devices; there is no {asked}.")
    return torch.device("cuda", index)


def set_threads(asked: Value) -> int:
    """Let torch use that many threads (`auto`: the cores that this process may use); how many those are."""
    threads = host.usable_cores() if asked == "auto" else int(asked)
    torch.set_num_threads(threads)
    return threads


def name(device: torch.device) -> str:
    """The device in words: `cpu`, or `cuda:0 (NVIDIA H100)`."""
    return f"{device} ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else str(device)


def limit_memory(device: torch.device, limit_B: int) -> None:
    """Refuse this process memory beyond `limit_B`: on a GPU by torch's allocator, else by `host.limit_own_memory`."""
    if device.type == "cuda":
        total = torch.cuda.get_device_properties(device).total_memory
        torch.cuda.set_per_process_memory_fraction(min(limit_B / total, 1.0), device)
    else:
        host.limit_own_memory(limit_B)
