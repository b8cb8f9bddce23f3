"""The walls: what can stop a program from being faster, each in one plain sentence, with what to try against it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

Wall = Literal[
    "compute",
    "memory bandwidth",
    "memory latency",
    "memory capacity",
    "allocation",
    "cache",
    "dispatch",
    "kernel",
    "parallelism",
    "input",
    "transfer",
    "communication",
    "power or thermal",
    "unexplained",
]
WALLS: tuple[Wall, ...] = get_args(Wall)


@dataclass(frozen=True)
class Remedy:
    """Something to try: an axis of the suite with the value or direction, or (`axis` None) an action in words.

    `training` is True for what helps in training alone, False for what training cannot have.
    """

    axis: str | None
    what: str
    training: bool | None = None


@dataclass(frozen=True)
class Description:
    """A wall for a reader who knows no roofline; `sentence` is a template, whose figures `sentence()` fills in."""

    meaning: str
    template: str
    remedies: tuple[Remedy, ...]


_LARGER_BATCH = Remedy("batch_size", "larger batches: the weights are read once for more sequences")
_LOWER_PRECISION = Remedy(
    "precision", "bf16 or amp-bf16: half the bytes, and more arithmetic a second where it is built"
)
_QUANTIZE = Remedy(
    "quantize", "int8 or int4 weights: a quarter of the bytes or less, and other kernels", training=False
)
_STRUCTURED = Remedy("prune_scheme", "structured pruning: whole units go, and with them their arithmetic and bytes")
_COMPILE = Remedy("compile", "compiled: several operators become one, which reads and writes once")
_KV_CACHE = Remedy("kv_cache", "bf16 or int8: a smaller KV cache to read for each token", training=False)
MORE_THREADS = Remedy("threads", "as many as there are cores")
_FEWER_THREADS = Remedy("threads", "fewer: where work is small, sharing it out costs more than it saves")
_FACTORIZE = Remedy("factorize", "low-rank factors: fewer weights in each linear layer")
_WORKERS = Remedy(None, "prepare batches in loader workers, ahead of the iteration that needs them")
_CACHED_INPUT = Remedy(None, "tokenize once and keep the result in memory")

DESCRIPTIONS: Mapping[Wall, Description] = {
    "compute": Description(
        "The arithmetic units are busy: no other part of the machine could make it faster.",
        "{subject} waits for arithmetic: it reaches {of_peak} of this machine's {dtype} peak.",
        (_LOWER_PRECISION, _STRUCTURED, _QUANTIZE, _FACTORIZE, MORE_THREADS),
    ),
    "memory bandwidth": Description(
        "Data come from main memory as fast as it delivers them; the arithmetic waits.",
        "{subject} waits for memory: it reaches {of_bandwidth} of this machine's read bandwidth.",
        (_QUANTIZE, _LARGER_BATCH, _LOWER_PRECISION, _KV_CACHE, _STRUCTURED, _FACTORIZE, _COMPILE),
    ),
    "memory latency": Description(
        "Single places all over main memory are read, and each one is waited for.",
        "{subject} waits for single places in memory: {places} scattered reads take {share} of its time.",
        (
            Remedy("vocabulary", "a smaller vocabulary: a table that fits the cache"),
            MORE_THREADS,
            Remedy("precision", "bf16: a smaller table"),
            Remedy(None, "sort the places before reading them"),
        ),
    ),
    "memory capacity": Description(
        "Memory is nearly full, and time goes into freeing some or fetching back what was given up.",
        "{subject} is short of memory: it holds {held} of {limit}, and making room takes {share} of its time.",
        (
            Remedy("batch_size", "smaller batches"),
            Remedy("accumulation", "more parts: the same update from less memory", training=True),
            Remedy("checkpointing", "on: activations are computed again instead of kept", training=True),
            _QUANTIZE,
            _KV_CACHE,
            Remedy("optimizer", "8-bit moments", training=True),
        ),
    ),
    "allocation": Description(
        "Tensors are made on memory that the system hands out anew, and clears, in every iteration.",
        "{subject} waits for fresh memory: {pages} new pages an iteration take {share} of its time.",
        (
            Remedy(None, "let the C library keep freed memory: MALLOC_TRIM_THRESHOLD_ and MALLOC_MMAP_THRESHOLD_"),
            Remedy(None, "another allocator, such as jemalloc or tcmalloc, by LD_PRELOAD"),
            Remedy("batch_size", "smaller batches: smaller tensors are kept"),
            _COMPILE,
        ),
    ),
    "cache": Description(
        "The data fit the processor's caches, and come from there as fast as those deliver them.",
        "{subject} waits for the processor's cache: moving data that fit there takes {share} of its time.",
        (_COMPILE, _LOWER_PRECISION, MORE_THREADS),
    ),
    "dispatch": Description(
        "Starting operators takes longer than what they do.",
        "{subject} waits for the host: starting {calls} operators takes {share} of its time.",
        (_COMPILE, _LARGER_BATCH, _FEWER_THREADS),
    ),
    "kernel": Description(
        "The library's routine for this very shape falls short of what the machine can do.",
        "{subject} waits for a slow routine: {operator} takes {times} times what this machine would need for it.",
        (_QUANTIZE, _LOWER_PRECISION, _COMPILE, _LARGER_BATCH),
    ),
    "parallelism": Description(
        "Cores stand idle, because a stage runs on one core or threads wait for each other.",
        "{subject} leaves cores idle: {busy} of {threads} work on average, and waiting takes {share} of its time.",
        (MORE_THREADS, _LARGER_BATCH, Remedy(None, "take the serial stage or the lock out of the iteration")),
    ),
    "input": Description(
        "The next batch is not there when it is needed.",
        "{subject} waits for its input: making or reading the next batch takes {share} of its time.",
        (_WORKERS, _CACHED_INPUT, _LARGER_BATCH),
    ),
    "transfer": Description(
        "Tensors travel between host and device while both wait.",
        "{subject} waits for copies between host and device: they take {share} of its time.",
        (
            Remedy(None, "pinned memory and copies that overlap with work"),
            Remedy(None, "keep on the device what is used again"),
            _LOWER_PRECISION,
        ),
    ),
    "communication": Description(
        "Ranks exchange tensors, and nothing is left to do meanwhile.",
        "{subject} waits for other ranks: exchanging tensors with them takes {share} of its time.",
        (
            Remedy("accumulation", "more parts: the ranks exchange gradients less often", training=True),
            _LARGER_BATCH,
            Remedy("precision", "bf16: half the bytes to exchange"),
        ),
    ),
    "power or thermal": Description(
        "The clock is held down, by a power limit or by heat.",
        "{subject} is held back by power or heat: the clock stands at {clock} of what it was for the ceilings.",
        (
            Remedy(None, "raise the power limit, or cool better"),
            _LOWER_PRECISION,
            Remedy(None, "let nothing else run on the package"),
        ),
    ),
    "unexplained": Description(
        "Too much of the time is in nothing that was seen; no wall can be named.",
        "What {subject_inside} waits for is not known: {share} of its time is in nothing that was seen.",
        (
            Remedy(None, "measure again on a quiet machine"),
            Remedy(None, "let interventions tell: pinchpoint diagnose"),
        ),
    ),
}


def sentence(wall: Wall, figures: Mapping[str, str]) -> str:
    """The sentence of `wall` with its figures, as words. Raises KeyError for a figure that the template misses."""
    subject = figures["subject"]
    inside = subject[:1].lower() + subject[1:] if subject[1:2].islower() else subject
    return DESCRIPTIONS[wall].template.format_map({**figures, "subject_inside": inside})
