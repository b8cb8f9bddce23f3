"""Energy through NVML against a known truth: the real probe and pynvml, around real work, over the scripted double.

Each window is 5 s of a scripted power, begun at a random time. The meter ticks every 100 ms and either tells the power
of the moment too (field 186), or, as older drivers do, an average over the last second alone. The known energy is
integrated here, from the script, over exactly the window that the probe reports.
"""

import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tests import doubles
from tests.doubles import Scenario, Trace
from tests.proofs.proof import Outcome, main, table

WINDOW_S = 5.0
#: Long enough for the latest entry, a window, and a child that a busy machine delays.
LENGTH_S = 60.0
#: Children that run at once: they sleep most of the time.
AT_ONCE = 4
COUNTER_TARGET, INTEGRAL_TARGET = 0.01, 0.02

METERS = {
    "of the moment": {"AVERAGE_S": "1"},
    "1 s average": {"AVERAGE_S": "1", "UNSUPPORTED": "instant"},
}


def _constant(chance: random.Random) -> Trace:
    return Trace([(0.0, chance.uniform(60, 400))])


def _steps(chance: random.Random) -> Trace:
    """Full load and idle in turn, 1 s each."""
    low, high = chance.uniform(60, 120), chance.uniform(250, 400)
    return Trace([(float(second), (low, high)[second % 2]) for second in range(int(LENGTH_S))], steps=True)


def _sawtooth(chance: random.Random) -> Trace:
    """Rises over 1.7 s and falls at once; 1.7 s has no simple ratio to a tick or to the window."""
    low, high = chance.uniform(60, 120), chance.uniform(250, 400)
    teeth = int(LENGTH_S / 1.7)
    return Trace([point for tooth in range(teeth) for point in ((tooth * 1.7, low), (tooth * 1.7 + 1.699, high))])


def _phases(chance: random.Random) -> Trace:
    """Phases of random length and power, as of prefill, decode and waiting."""
    points, now = [], 0.0
    while now < LENGTH_S:
        points.append((now, chance.uniform(80, 400)))
        now += chance.uniform(0.2, 1.5)
    return Trace(points, steps=True)


TRACES: dict[str, Callable[[random.Random], Trace]] = {
    "constant": _constant,
    "steps": _steps,
    "sawtooth": _sawtooth,
    "phases": _phases,
}


def scenarios(count: int) -> Iterator[tuple[str, str, Scenario]]:
    """`count` windows of every trace under every meter, begun at random times."""
    chance = random.Random(1)
    for trace, make in TRACES.items():
        for meter, faults in METERS.items():
            for _ in range(count):
                enter_s = chance.uniform(1.5, 4.5)
                yield trace, meter, Scenario(make(chance), WINDOW_S + 0.2, enter_s, faults=faults)


def prove(quick: bool) -> Outcome:
    """Run every window, a few at once, and print the worst error of each kind."""
    todo = list(scenarios(4 if quick else 12))
    errors: dict[tuple[str, str], list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        library = doubles.build(Path(folder))
        for first in range(0, len(todo), AT_ONCE):
            batch = todo[first : first + AT_ONCE]
            children = [each.start(library, Path(folder, f"{first + i}.txt")) for i, (_, _, each) in enumerate(batch)]
            for (trace, meter, scenario), child in zip(batch, children, strict=True):
                answer = doubles.finish(child)
                both = doubles.error(scenario, answer, "counter"), doubles.error(scenario, answer, "integrated")
                errors.setdefault((trace, meter), []).append(both)
    rows = [
        [trace, meter, str(len(both)), *(f"{max(abs(error[i]) for error in both):.2%}" for i in (0, 1))]
        for (trace, meter), both in errors.items()
    ]
    table(["trace", "power reading", "windows", "worst error of counter", "worst error of integral"], rows)
    counter, integral = (max(abs(pair[i]) for both in errors.values() for pair in both) for i in (0, 1))
    print(f"worst of all: counter {counter:.2%} (at most {COUNTER_TARGET:.0%}), integral {integral:.2%} (at most 2%)")
    return Outcome(
        proof="nvml_energy",
        figure=100 * counter,
        unit="%",
        n=len(todo),
        target="worst error at most 1 % by counter, 2 % by integration",
        holds=counter <= COUNTER_TARGET and integral <= INTEGRAL_TARGET,
    )


if __name__ == "__main__":
    main(prove, __doc__)
