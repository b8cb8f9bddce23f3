"""From raw blocks to metrics: pure, so that every statistic can be recomputed without measuring again."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from statistics import median

from bench import interference
from bench.intervals import process_interval, quantile
from bench.record import Block, Metric, MetricInfo, Warn


def metrics(
    blocks: Sequence[Block],
    tokens: int,
    flops: int | None,
    provided: Mapping[str, MetricInfo],
    reasons: Mapping[str, str],
    steps: int | None,
    confidence: float = 0.95,
) -> dict[str, Metric]:
    """Every metric of a point, of whose iterations each takes `tokens` tokens and `flops` (None: not known).

    `provided` declares the readings of the probes; `reasons` says for some of them why they could not be read; `steps`
    is the number of sequential decode steps in one iteration, None where the workload has none. An interval is over
    the blocks' own medians, so that a slow moment counts once however many iterations fell into it, and from process to
    process (`bench.intervals.process_interval`), of nominal `confidence`; fewer than 6 processes have none.
    """
    timed = [block for block in blocks if block.kind == "timed" and block.samples_ns]
    found: dict[str, Metric] = {}
    if timed:
        found |= _times(timed, tokens, flops, steps, confidence)
    found |= {name: _reading(name, info, blocks, reasons, confidence) for name, info in provided.items()}
    found |= _energy(blocks, tokens, found, confidence)
    return found


def _interval(
    blocks: Sequence[Block], figure: Callable[[Block], float], confidence: float
) -> tuple[float, float | None, float | None]:
    """The median over blocks of one figure of each, and its interval from process to process."""
    processes: dict[int, list[float]] = {}
    for block in blocks:
        processes.setdefault(block.process, []).append(figure(block))
    return process_interval(list(processes.values()), confidence)


def _times(
    timed: Sequence[Block], tokens: int, flops: int | None, steps: int | None, confidence: float
) -> dict[str, Metric]:
    samples = [sample / 1e9 for block in timed for sample in block.samples_ns]

    def over_blocks(per_block: Callable[[Block], float], unit: str, direction: int, label: str) -> Metric:
        value, low, high = _interval(timed, per_block, confidence)
        return Metric(value, unit, 1 if direction > 0 else -1, label, low, high, len(timed))

    def rate(work: int) -> Callable[[Block], float]:
        # Total work over total time, not the mean of rates.
        return lambda block: work * len(block.samples_ns) / (sum(block.samples_ns) / 1e9)

    value, low, high = _interval(timed, lambda block: median(block.samples_ns) / 1e9, confidence)
    found = {
        "latency_s": Metric(value, "s", -1, "time of one iteration", low, high, len(timed)),
        "throughput_tokens_per_s": over_blocks(rate(tokens), "tokens/s", 1, "throughput"),
    }
    if flops is not None:
        found["flops_per_s"] = over_blocks(rate(flops), "FLOP/s", 1, "achieved arithmetic")
    for share in (50, 90, 99):
        found[f"latency_p{share}_s"] = Metric(
            quantile(samples, share / 100), "s", -1, f"time of one iteration, {share}th percentile", n=len(samples)
        )
    if steps:
        bounds = [None if bound is None else bound / steps for bound in (low, high)]
        found["tpot_s"] = Metric(value / steps, "s", -1, "time per output token", bounds[0], bounds[1], len(timed))
    return found


def _reading(
    name: str, info: MetricInfo, blocks: Sequence[Block], reasons: Mapping[str, str], confidence: float
) -> Metric:
    read = [block for block in blocks if name in block.readings]
    if not read:
        said = dict.fromkeys(
            warning.message
            for block in blocks
            for warning in block.warnings
            if warning.code not in interference.OF_NEIGHBOURS
        )
        reason = reasons.get(name) or " ".join(said) or "no block was long enough to read it"
        return Metric(None, info.unit, info.direction, info.label, reason=reason)
    if info.combine == "max":
        highest = max(block.readings[name] for block in read)
        return Metric(highest, info.unit, info.direction, info.label, n=len(read))
    if info.combine == "mean":
        return Metric(interference.mean(read, name), info.unit, info.direction, info.label, n=len(read))
    value, low, high = _interval(read, lambda block: block.readings[name], confidence)
    return Metric(value, info.unit, info.direction, info.label, low, high, len(read))


def _energy(blocks: Sequence[Block], tokens: int, found: Mapping[str, Metric], confidence: float) -> dict[str, Metric]:
    """Energy per iteration and per token, gross and net of what the idle device draws: power times the iteration's mean
    time in the very same blocks."""
    energies: dict[str, Metric] = {}
    for prefix, power_name, words in (("", "avg_power_W", "energy"), ("net_", "net_power_W", "net energy")):
        labels = f"{words} of one iteration", f"{words} per token"
        names = f"{prefix}energy_J", f"{prefix}joules_per_token"
        read = [block for block in blocks if power_name in block.readings and block.samples_ns]
        if read:
            value, low, high = _interval(read, partial(joules, power=power_name), confidence)
            for name, unit, label, share in zip(names, ("J", "J/token"), labels, (1, tokens), strict=True):
                bounds = [None if bound is None else bound / share for bound in (low, high)]
                energies[name] = Metric(value / share, unit, -1, label, bounds[0], bounds[1], len(read))
            continue
        power = found.get(power_name) or found.get("avg_power_W")
        reason = (power.reason if power is not None else None) or "no probe reads it"
        for name, unit, label in zip(names, ("J", "J/token"), labels, strict=True):
            energies[name] = Metric(None, unit, -1, label, reason=reason)
    return energies


def joules(block: Block, power: str) -> float:
    """Energy of one iteration of the block in J: the reading `power` in W times the mean time of an iteration."""
    return block.readings[power] * sum(block.samples_ns) / len(block.samples_ns) / 1e9


def warnings(blocks: Sequence[Block]) -> list[Warn]:
    """What the blocks say against trusting them, each code once: their own warnings, and what disturbed them."""
    found = {warning.code: warning for block in reversed(blocks) for warning in block.warnings}
    for warning in interference.warnings(blocks):
        found.setdefault(warning.code, warning)
    return list(found.values())
