"""How many single places a second can be read all over memory: what an embedding pays beyond the caches."""

import torch

from bench import devices
from bench.ceilings import Ceiling, Setting, bandwidth
from bench.ceilings._race import Contender, as_rate, fastest, timed

#: Places of one call: at 10 ns each it lasts 10 ms, and 4 MiB of result are little beside the lines that are fetched.
PLACES = 2**20


def measure(setting: Setting) -> dict[str, Ceiling]:
    """Places a second, 4 bytes each, at random in a table of at least four times the last cache."""
    device = devices.resolve(setting.device)
    devices.set_threads(setting.threads)
    buffers = bandwidth.make_buffers(device)
    table = buffers.a
    places = torch.randint(0, table.numel(), (PLACES,), device=device)
    result = torch.empty(PLACES, device=device)
    steps = {
        "index_select": lambda: torch.index_select(table, 0, places, out=result),
        "take": lambda: torch.take(table, places, out=result),
    }
    winner = fastest({name: Contender(timed(step, device), PLACES) for name, step in steps.items()})
    how = f"{winner.name} of 4 B at {PLACES:,} places; {buffers.how}"
    return {"gather_places_per_s": as_rate(winner, "places/s", "scattered reads", how)}
