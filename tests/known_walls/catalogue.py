"""Every case by name."""

from functools import partial
from itertools import combinations

from tests.known_walls import mixtures, operators, waiting
from tests.known_walls.case import Make

PURE: dict[str, Make] = {
    make.__name__: make
    for make in (
        operators.matmul,
        operators.mlp_training,
        operators.triad,
        operators.sequential_read,
        operators.random_gather,
        operators.cache_loop,
        operators.tiny_operators,
        operators.tiny_lstm_training,
        operators.one_row,
        operators.softmax_rows,
        operators.fresh_tensors,
        waiting.sleeping_loader,
        waiting.slow_tokenizer,
        waiting.cold_files,
        waiting.serial_stage,
        waiting.lock_contention,
        waiting.slow_link,
        waiting.full_memory,
    )
}
MIXED: dict[str, Make] = {
    f"{first} and {second}".replace(" ", "_"): partial(mixtures.make, first, second)
    for first, second in combinations(mixtures.PARTS, 2)
}
