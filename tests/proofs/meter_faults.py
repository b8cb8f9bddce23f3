"""Every fault of a power meter in turn: the energy of a block is right, or the record says that it may not be.

A probe measures a block of 5 s, over doubles whose power is known: NVML's through the real pynvml, RAPL's through a
tree of files. The power falls once in the block, as that of a throttled device does, so that a meter that misses a
part of the block is wrong. The true energy is integrated here, from the script, over the whole block as the caller
sees it. A value without a warning may be off by 1 % (energy counter) or 2 % (integrated power); a fault that makes a
value unreliable has to be told by its own code, and a healthy meter may be doubted only for a thread that came late.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import doubles
from tests.doubles import Scenario, Trace
from tests.proofs.proof import Outcome, main, table

BLOCK_S, ENTER_S = 5.0, 2.0
#: Children that run at once: they sleep most of the time.
AT_ONCE = 2
COUNTER_TARGET, INTEGRAL_TARGET = 0.01, 0.02
#: What a probe may say of a healthy meter: its thread was kept waiting.
LATE = {"few_edges", "window_too_short"}

#: 60 W until just before the block, so that a reading that looks back a second starts too low; it falls after 2.4 s.
GPU = Trace([(0.0, 60.0), (1.9, 400.0), (4.4, 250.0)], steps=True)
CPU = Trace([(0.0, 30.0), (1.9, 120.0), (4.4, 80.0)], steps=True)
#: 400 W in the last quarter of every tick and 80 W before: 160 W, of which a sensor of that duty sees 400.
PULSES = Trace([point for i in range(200) for point in ((0.1 * i, 80.0), (0.1 * i + 0.075, 400.0))], steps=True)


@dataclass(frozen=True)
class Case:
    """A fault, and the code that has to tell of it; None: the value has to be right, "unavailable": none is given."""

    name: str
    scenario: Scenario
    code: str | None = None
    gpus: int = 1


def _gpu(name: str, code: str | None = None, *, trace: Trace = GPU, device: str = "cuda:0", **faults: str) -> Case:
    gpus = int(device.partition(":")[2]) + 1  # GPU i of the double draws i + 1 times the script's power
    return Case(f"NVML: {name}", Scenario(trace, BLOCK_S, ENTER_S, device=device, faults=faults), code, gpus)


def _cpu(name: str, code: str | None = None, **faults: float) -> Case:
    scenario = Scenario(CPU, BLOCK_S, ENTER_S, "power_rapl", "cpu", powercap=faults)
    return Case(f"RAPL: {name}", scenario, code)


CASES = (
    _gpu("100 ms ticks"),
    _gpu("20 ms ticks", TICK_S="0.02"),
    _gpu("1 s ticks", "window_too_short", TICK_S="1"),
    _gpu("10 s ticks", "few_edges", TICK_S="10"),
    _gpu("1 s average beside the counter", AVERAGE_S="1", UNSUPPORTED="instant"),
    _gpu("1 s average, no counter", "averaged_power", AVERAGE_S="1", UNSUPPORTED="instant,energy"),
    _gpu("quarter duty cycle, steady work", DUTY="0.25"),
    _gpu("quarter duty cycle, pulses", "meter_disagreement", trace=PULSES, DUTY="0.25"),
    _gpu("quarter duty cycle, pulses, no counter", "part_time_sensor", trace=PULSES, DUTY="0.25", UNSUPPORTED="energy"),
    _gpu("counter reset", "counter_reset", RESET_S="4"),
    _gpu("counter reset, no readings", "counter_reset", RESET_S="4", UNSUPPORTED="power,instant"),
    _gpu("counter frozen", "counter_frozen", FREEZE_S="5"),
    _gpu("counter counts 1.2 J a joule", "meter_disagreement", SCALE="1.2"),
    _gpu("GPU lost in the block", "gpu_lost", LOST_S="4"),
    _gpu("GPU lost before", "unavailable", LOST_S="-1"),
    _gpu("no counter", "no_energy_counter", UNSUPPORTED="energy"),
    _gpu("no power reading", UNSUPPORTED="power,instant"),
    _gpu("neither", "unavailable", UNSUPPORTED="energy,power,instant"),
    _gpu("second of two GPUs", device="cuda:1", GPUS="2"),
    _gpu("throttled", "throttled", THROTTLE="0x44"),
    _cpu("1 ms ticks"),
    _cpu("wrap-around in the block", before_wrap_J=400.0),
    _cpu("reset in the block", "counter_reset", reset_s=4.0),
    _cpu("frozen to the end", "counter_frozen", frozen_s=5.0),
    _cpu("frozen for a second", "counter_frozen", frozen_s=4.0, thawed_s=5.0),
    _cpu("files gone in the block", "window_too_short", gone_s=4.0),
)


@dataclass(frozen=True)
class Result:
    """What a probe made of a case. `known_J` and `found_J` are None where it gave no value."""

    case: Case
    known_J: float | None
    found_J: float | None
    from_counter: bool
    codes: frozenset[str]

    @property
    def error(self) -> float | None:
        """Relative error of the block's energy."""
        return None if self.found_J is None or self.known_J is None else self.found_J / self.known_J - 1

    @property
    def target(self) -> float:
        """What it may be off by without a warning."""
        return COUNTER_TARGET if self.from_counter else INTEGRAL_TARGET

    @property
    def silent(self) -> bool:
        """A value that is wrong, and nothing says so."""
        return self.error is not None and abs(self.error) > self.target and not self.codes

    @property
    def as_expected(self) -> bool:
        """The fault is told by its own code; a healthy meter is right, or its probe says that it came late."""
        if self.case.code is None:
            return (
                self.codes <= LATE and self.error is not None and (abs(self.error) <= self.target or bool(self.codes))
            )
        return self.case.code in self.codes


def result(case: Case, answer: Mapping[str, Any]) -> Result:
    """The outcome of one child."""
    if answer["unavailable"] is not None:
        return Result(case, None, None, False, frozenset({"unavailable"}))
    codes = frozenset(answer["warnings"])
    if "avg_power_W" not in answer["readings"]:
        return Result(case, None, None, False, codes)
    known_J, found_J = doubles.block_joules(case.scenario, answer)
    return Result(case, case.gpus * known_J, found_J, answer["counter"] is not None, codes)


def measured(repetitions: int) -> list[Result]:
    """Every case, `repetitions` times, a few at once."""
    todo, found = [case for case in CASES for _ in range(repetitions)], []
    with tempfile.TemporaryDirectory() as folder:
        library = doubles.build(Path(folder))
        for first in range(0, len(todo), AT_ONCE):
            batch = todo[first : first + AT_ONCE]
            children = [
                each.scenario.start(library, Path(folder, f"{first + place}.txt")) for place, each in enumerate(batch)
            ]
            found += [result(case, doubles.finish(child)) for case, child in zip(batch, children, strict=True)]
    return found


def prove(quick: bool) -> Outcome:
    """Measure every case, print each, and count the values that are silently wrong."""
    results = measured(1 if quick else 5)
    rows = [
        [
            each.case.name,
            "—" if each.known_J is None else f"{each.known_J:.1f}",
            "—" if each.found_J is None else f"{each.found_J:.1f}",
            "—" if each.error is None else f"{each.error:+.2%}",
            ", ".join(sorted(each.codes)) or "none",
        ]
        for each in results
    ]
    table(["fault", "true J", "found J", "error", "warning"], rows)
    unwarned = [abs(each.error) for each in results if each.error is not None and not each.codes]
    astray = sorted({each.case.name for each in results if not each.as_expected})
    healthy = [each for each in results if each.case.code is None]
    undoubted = sum(not each.codes for each in healthy)
    print(f"worst error without a warning: {max(unwarned, default=0.0):.2%}, over {len(unwarned)} values")
    print(f"healthy meters that were not doubted: {undoubted} of {len(healthy)}")
    print(f"not told as they should be: {', '.join(astray) or 'none'}")
    silent = sum(each.silent for each in results)
    return Outcome(
        proof="meter_faults",
        figure=silent,
        unit="silent wrong values",
        n=len(results),
        target="0: at most 1 % by counter, 2 % by integration, or a warning; each fault by its own code",
        holds=silent == 0 and not astray and 2 * undoubted >= len(healthy),
    )


if __name__ == "__main__":
    main(prove, __doc__)
