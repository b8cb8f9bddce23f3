"""From what was polled of one meter to its average power, how uncertain that is, and why it is doubted.

The energy counter decides, taken between its own ticks. The integrated power reading stands beside it as a check, and
in for it where there is no counter to trust.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench import power_trace
from bench.power_sampler import Seen
from bench.power_trace import Estimate, Poll
from bench.record import Warn

#: Beyond this the counter and the integrated power cannot both be right.
_DISAGREEMENT = 0.05
#: The errors that are promised, by counter and by integration; what may be worse is told.
_COUNTER_ERROR, _INTEGRAL_ERROR = 0.01, 0.02
#: A window that leaves out more of its block than this says too little about the rest, however steady it was itself.
_MOST_UNSEEN = 0.25
_LONGER = "Measure for longer, with fewer other processes on the machine."


@dataclass(frozen=True)
class Source:
    """Which queries of a meter to judge, and what is known of them.

    `what` names the device in sentences ("the GPU"). `range_J` is where the counter wraps, None where it does not.
    `averaging_s` is over how long the power reading is an average. `part_time` says that its sensor looks only part of
    the time.
    """

    what: str
    energy: str = "energy"
    power: str = "power"
    range_J: float | None = None
    averaging_s: float = 0.0
    part_time: bool = False


@dataclass(frozen=True)
class Verdict:
    """Average power by the counter and by integration, each None where it could not be had, and the doubts."""

    counter: Estimate | None
    integrated: Estimate | None
    uncertainty: float
    doubts: list[Warn] = field(default_factory=list)

    @property
    def best(self) -> Estimate | None:
        """The counter's, or else the integral."""
        return self.counter or self.integrated


def judge(seen: Seen, source: Source) -> Verdict:
    """The verdict over a block; its integral is over the counter's window, or over the block where there is none.

    `uncertainty` is the largest relative error from ticks, sampling and the ends of the block that the meter did not
    see, infinite where nothing could be read. The accuracy of the sensor itself is not in it.
    """
    if seen.lost:
        lost = Warn("gpu_lost", f"{seen.lost} No reading of this block is kept.", "See dmesg for the Xid error.")
        return Verdict(None, None, math.inf, [lost])
    energy, power = seen.of(source.energy), seen.of(source.power)
    if source.range_J is not None:
        energy = power_trace.unwrapped(energy, source.range_J)
    counter = power_trace.from_counter(energy)
    window = (counter.start_s, counter.end_s) if counter else (seen.began_s, seen.ended_s)
    integrated = power_trace.from_power(power, *window, source.averaging_s)
    best = counter or integrated
    doubts = [] if counter else [_counter_failed(energy, source, integrated), *_doubts_of_reading(source)]
    if best is None:
        return Verdict(None, None, math.inf, doubts)
    unseen = best.unseen_error(seen.began_s, seen.ended_s)
    doubts += _doubts_of_window(seen, source, best, unseen, _COUNTER_ERROR if counter else _INTEGRAL_ERROR)
    if counter and integrated:
        doubts += _disagreement(source, power_trace.counter_over(energy, integrated), integrated.watts)
    return Verdict(counter, integrated, best.tick_error + unseen, doubts)


def _counter_failed(energy: Sequence[Poll], source: Source, integrated: Estimate | None) -> Warn:
    """Why the average power is not from the energy counter."""
    counter = f"The energy counter of {source.what}"
    instead = "its power readings are integrated instead" if integrated else "there is no average power"
    if not energy:
        remedy = "Allow for an error of some percent." if integrated else "See `pinchpoint doctor`."
        return Warn("no_energy_counter", f"{counter} does not answer; {instead}.", remedy)
    if power_trace.was_reset(energy):
        remedy = "Measure again; if it stays so, look for a driver that reloads (nvidia-persistenced keeps it loaded)."
        return Warn("counter_reset", f"{counter} was reset during the block; {instead}.", remedy)
    if power_trace.stood_still(energy):
        remedy = "Measure again; if it stays so, the driver's counter cannot be trusted on this machine."
        return Warn("counter_frozen", f"{counter} stood still during the block; {instead}.", remedy)
    return Warn("few_edges", f"{counter} ticked less than twice in the block; {instead}.", _LONGER)


def _doubts_of_reading(source: Source) -> list[Warn]:
    """What is known against the power reading, where the average power comes from it."""
    found = []
    if source.averaging_s:
        message = f"The power reading of {source.what} is an average over {source.averaging_s:g} s."
        found.append(
            Warn(
                "averaged_power", f"{message} Short changes are lost.", "Measure blocks of many seconds of steady work."
            )
        )
    if source.part_time:
        message = (
            f"The power sensor of {source.what} looks about a quarter of the time; work in step with it is misread."
        )
        found.append(Warn("part_time_sensor", message, "Repeat the measurement; compare with a meter at the wall."))
    return found


def _doubts_of_window(seen: Seen, source: Source, best: Estimate, unseen: float, promised: float) -> list[Warn]:
    """Where ticks or unseen ends leave more open than is promised."""
    block_s = seen.ended_s - seen.began_s
    if best.window_s < (1 - _MOST_UNSEEN) * block_s or unseen > max(best.tick_error, promised - best.tick_error):
        message = f"The meter of {source.what} saw {best.window_s:.1f} s of a block of {block_s:.1f} s."
        return [Warn("window_too_short", message, _LONGER)]
    if best.tick_error + unseen > promised:
        message = f"The ticks of the meter of {source.what} leave its power uncertain by {best.tick_error:.1%}."
        return [Warn("few_edges", message, _LONGER)]
    return []


def _disagreement(source: Source, counter_W: float, integrated_W: float) -> list[Warn]:
    if abs(integrated_W - counter_W) <= _DISAGREEMENT * counter_W:
        return []
    message = (
        f"The energy counter of {source.what} says {counter_W:.1f} W on average, and its power reading "
        f"{integrated_W:.1f} W over the same time."
    )
    remedy = "Trust neither to better than their difference; a meter at the wall decides."
    return [Warn("meter_disagreement", message, remedy)]


def together(parts: Sequence[Verdict]) -> Verdict:
    """The sum of meters that share no joule, over the shortest of their windows; none where one of them has none."""
    doubts = [doubt for part in parts for doubt in part.doubts]
    counters = [part.counter for part in parts if part.counter]
    if len(counters) < len(parts):
        return Verdict(None, None, math.inf, doubts)
    watts = sum(each.watts for each in counters)

    def share(values: Sequence[float]) -> float:
        weighted = sum(each.watts * value for each, value in zip(counters, values, strict=True))
        return weighted / watts if watts else max(values)

    total = Estimate(
        watts=watts,
        start_s=max(each.start_s for each in counters),
        end_s=min(each.end_s for each in counters),
        samples=min(each.samples for each in counters),
        tick_error=share([each.tick_error for each in counters]),
        drift=share([each.drift for each in counters]),
    )
    return Verdict(total, None, share([part.uncertainty for part in parts]), doubts)
