"""How fast batches come out of the corpus: the loader that training reads from, without a model behind it."""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from bench import devices
from bench.ceilings import Ceiling, Setting, scratch
from bench.ceilings._race import Contender, as_rate, fastest, timed
from model import text

#: One batch: sequences, and the tokens of each that are read and predicted; the defaults of a sweep's axes but for 32.
BATCH, SOURCE, TARGET = 32, 64, 16
VOCABULARY = 8192


def measure(setting: Setting) -> dict[str, Ceiling]:
    """Tokens a second of shuffled windows over the default corpus, in this process (no loader's workers)."""
    devices.set_threads(setting.threads)
    read = text.load(None, VOCABULARY, cache=scratch(setting))
    loader = DataLoader(
        text.Windows(read.train, SOURCE, TARGET), BATCH, shuffle=True, generator=torch.Generator().manual_seed(0)
    )
    batches = _endlessly(loader)
    step = timed(lambda: next(batches), torch.device("cpu"))
    winner = fastest({"DataLoader": Contender(step, BATCH * (SOURCE + TARGET))})
    how = f"{winner.name}, batches of {BATCH} x {SOURCE + TARGET} tokens, no workers"
    return {"loader_tokens_per_s": as_rate(winner, "tokens/s", "data loader", how)}


def _endlessly(loader: "DataLoader[tuple[Tensor, Tensor]]") -> Iterator[list[Tensor]]:
    while True:
        yield from loader
