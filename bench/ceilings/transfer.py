"""Host to device and back, from pinned and from pageable memory."""

from itertools import product

import torch

from bench import devices
from bench.ceilings import Ceiling, Setting, missing
from bench.ceilings._race import Contender, as_rate, fastest, timed
from bench.errors import Unsupported

#: Large enough that the start of a transfer (about 10 us) is below 0.1 % of it at 25 GB/s.
SIZE_B = 2**28


def measure(setting: Setting) -> dict[str, Ceiling]:
    """Bytes a second each way; without a CUDA device the reason."""
    kinds = list(product(("host_to_device", "device_to_host"), ("pinned", "pageable")))
    labels = {f"{way}_{memory}_B_per_s": f"{way.replace('_', ' ')}, {memory}" for way, memory in kinds}
    try:
        device = devices.resolve(setting.device if setting.device.startswith("cuda") else "cuda")
    except Unsupported as reason:
        return {name: missing(label, "B/s", 1, str(reason)) for name, label in labels.items()}
    return {
        name: _rate(way, memory == "pinned", label, device)
        for (name, label), (way, memory) in zip(labels.items(), kinds, strict=True)
    }


def _rate(way: str, pinned: bool, label: str, device: torch.device) -> Ceiling:
    on_host = torch.ones(SIZE_B, dtype=torch.uint8, pin_memory=pinned)
    on_device = torch.ones(SIZE_B, dtype=torch.uint8, device=device)
    source, target = (on_host, on_device) if way == "host_to_device" else (on_device, on_host)
    step = timed(lambda: target.copy_(source, non_blocking=pinned), device)
    winner = fastest({"Tensor.copy_": Contender(step, SIZE_B)})
    return as_rate(winner, "B/s", label, f"{winner.name} of {SIZE_B >> 20} MiB")
