"""What it costs to call an operator: an empty one (the dispatcher alone), and a small one."""

import torch

from bench import devices
from bench.ceilings import Ceiling, Setting
from bench.ceilings._race import Contender, as_duration, fastest, timed
from bench.stopwatch import Step

#: Calls in one iteration: reading the clock costs some 50 ns, 0.05 % of a hundred calls of 1 us.
CALLS = 100


def measure(setting: Setting) -> dict[str, Ceiling]:
    """Seconds of one call by the host; on CUDA that is the launch, which waits for no result."""
    device = devices.resolve(setting.device)
    devices.set_threads(setting.threads)
    nothing = torch.empty(0, device=device)
    row, weight = torch.ones(1, 64, device=device), torch.ones(64, 64, device=device)
    with torch.inference_mode():
        return {
            "dispatch_empty_s": _cost(lambda: nothing.add_(nothing), "empty operator", "add_ of no elements", device),
            "dispatch_small_s": _cost(lambda: torch.mm(row, weight), "small operator", "mm (1, 64) x (64, 64)", device),
        }


def _cost(call: Step, label: str, how: str, device: torch.device) -> Ceiling:
    def calls() -> None:
        for _ in range(CALLS):
            call()

    if device.type == "cuda":
        torch.cuda.synchronize(device)  # else the queue may be full, and launching waits
    by_the_host = timed(calls, torch.device("cpu"))
    return as_duration(fastest({how: Contender(by_the_host, CALLS)}), label, f"{how}; {CALLS} calls in a row")
