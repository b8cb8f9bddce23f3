"""The largest batch of a point that fits into a limit of memory: predicted first, then tried in children.

Once its libraries are loaded, a child may not take more than is free (on Linux by RLIMIT_DATA, on a GPU by torch's
allocator), so a batch that is too large ends in an orderly refusal and the kernel's out-of-memory killer never acts.

A batch fits where it can be relied upon to. On the CPU glibc's heap takes as much as it happens to: more from iteration
to iteration at first, and not the same in two processes of the same work. So a batch runs for many iterations, in
several processes where it comes near the limit, and each of them must leave a margin.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from math import ceil, log2
from typing import Any

from bench import planning, points
from bench.errors import Unsupported, UserError
from bench.executors.local import Child, ChildFailed, cache_folder
from bench.inputs import NOTHING, Inputs
from bench.points import Point
from bench.spec import SETTING_DEFAULTS

#: The largest batch that the axis takes.
MOST = 65_536
#: The first step away from the prediction, as a share of it: most predictions are nearer than that.
FIRST_STEP = 1 / 32
#: A batch is the largest to within this share of it (exactly below 200).
RESOLUTION = 0.01
#: A child runs so many iterations, or for so long. Of training on the CPU the first took 5 to 20 % less than the peak
#: at which 48 ended, eight at most 5 % less, 12 seldom more than 1 % (at batches that fill 0.5 to 1.2 GiB).
ITERATIONS, TRIAL_S = 12, 20.0
#: The answer must fit in so many children, unless it takes less than that share of the limit in one, and each of them
#: must leave the margin: peaks of the same work differ by about a per cent from child to child.
PROCESSES, NEAR, MARGIN = 3, 0.95, 0.01


@dataclass(frozen=True)
class Trial:
    """One batch size, tried in so many children: predicted and largest measured peak in bytes, and why it did not fit.

    The peak is None where memory was refused before it could be read.
    """

    batch_size: int
    predicted_B: int
    peak_B: int | None
    reason: str | None
    processes: int = 1

    @property
    def fits(self) -> bool:
        """Whether it kept the limit, and the margin, in each child."""
        return self.reason is None

    def after(self, earlier: "Trial | None") -> "Trial":
        """This trial and an earlier one of the same size, which fitted, as one."""
        if earlier is None:
            return self
        peak = max(self.peak_B or 0, earlier.peak_B or 0)
        return replace(self, peak_B=peak, processes=earlier.processes + self.processes)


def most_trials(most: int = MOST) -> int:
    """No search takes more trials: growing steps may take as many as halving, which then takes the rest."""
    return 2 * ceil(log2(most + 1)) + 1


def search(fits: Callable[[int], bool], guess: int, most: int = MOST) -> tuple[int, int]:
    """The largest size that fits and the smallest that was seen not to: (0, 1) where none fits, (most, most + 1) where
    all do.

    `fits` must be true up to some size and false above. It is asked near `guess` first, in growing steps, and at most
    `most_trials(most)` times. The two sizes differ by 1 or by `RESOLUTION`, whichever is more.
    """
    low, high = 0, most + 1
    at, step, asked = min(max(guess, 1), most), max(round(guess * FIRST_STEP), 1), 0
    while True:
        fitted = fits(at)
        low, high = (at, high) if fitted else (low, at)
        asked += 1
        if high - low <= max(1, int(low * RESOLUTION)):
            return low, high
        at = low + step if fitted else high - step
        bracketed = low > 0 and high <= most
        out_of_turns = asked + 1 + ceil(log2(high - low)) > most_trials(most)
        if bracketed or out_of_turns or not low < at < high:
            at = (low + high) // 2
        step *= 2


class OutOfMemory(Exception):  # noqa: N818 - an outcome: the batch does not fit
    """A child was refused memory."""


@dataclass(frozen=True)
class Finder:
    """Tries batch sizes of `point` within `limit_B` bytes: of the process, on a GPU of torch's allocator."""

    point: Point
    limit_B: int
    on_gpu: bool
    corpus: str | None = None
    inputs: Inputs = NOTHING

    def with_batch(self, batch_size: int) -> Point:
        """The point at another batch size."""
        return points.point(self.point.axes | {"batch_size": batch_size})

    def predicted_B(self, batch_size: int) -> int:
        """What the batch is predicted to take. Decoding begins with reading the prompts, which often takes more."""
        predict = planning.on_device_B if self.on_gpu else planning.memory_B
        point = self.with_batch(batch_size)
        predicted = predict(point, self.inputs)
        if point.axes["workload"] != "decode":
            return predicted
        return max(predicted, predict(points.point(point.axes | {"workload": "prefill"}), self.inputs))

    def guess(self) -> int:
        """The largest batch that is predicted to fit, at least 1."""
        low, high = 1, MOST + 1
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.predicted_B(middle) <= self.limit_B else (low, middle)
        return low

    def try_(self, batch_size: int, processes: int = 1) -> Trial:
        """Whether the batch fits in so many children, up to the first in which it does not.

        Raises `Unsupported` where it cannot be run for another reason.
        """
        predicted, largest = self.predicted_B(batch_size), 0
        most_B = self.limit_B if self.on_gpu else int(self.limit_B * (1 - MARGIN))
        for ran in range(1, processes + 1):
            try:
                largest = max(largest, self.peak_B(batch_size))
            except OutOfMemory as refused:
                return Trial(batch_size, predicted, largest or None, str(refused), ran)
            if largest > most_B:
                told = "it took more than the limit" if largest > self.limit_B else "it came too near to the limit"
                return Trial(batch_size, predicted, largest, told, ran)
        return Trial(batch_size, predicted, largest, None, processes)

    def peak_B(self, batch_size: int) -> int:
        """The most that a child of its own takes, of which it stops as soon as that is more than the limit.

        Raises `OutOfMemory` where it is refused memory, `Unsupported` where it cannot run for another reason.
        """
        limit_s = float(SETTING_DEFAULTS["time_limit"])
        child = Child()
        try:
            child.ask(None, limit_s)
            return self._peak(child, self.with_batch(batch_size), limit_s)
        except ChildFailed as failed:
            if failed.status == "oom":
                raise OutOfMemory(failed.reason) from failed
            if failed.status == "unsupported":
                raise Unsupported(failed.reason) from failed
            raise UserError(
                f"A batch of {batch_size} failed: {failed.reason}.", "Try it by itself: pinchpoint run."
            ) from failed
        finally:
            child.kill()

    def _peak(self, child: Child, point: Point, limit_s: float) -> int:
        settings: dict[str, Any] = SETTING_DEFAULTS | {
            "warmup_limit": 0.1,
            "corpus": self.corpus,
            "cache": str(cache_folder()),
            "inputs": asdict(self.inputs),
            "memory_limit_B": self.limit_B,
        }
        facts = child.ask({"do": "build", "axes": point.axes, "settings": settings}, limit_s)["built"]["facts"]
        on_gpu = str(facts["device"]).startswith("cuda")
        peak = 0 if on_gpu else max(int(facts.get(f"max_ram_{phase}_B", 0)) for phase in ("build", "warmup"))
        ran, ends = 0, time.monotonic() + TRIAL_S
        while not ran or (ran < ITERATIONS and peak <= self.limit_B and time.monotonic() < ends):
            request = {"do": "block", "kind": "timed", "process": 0, "round": ran}
            readings = child.ask(request, limit_s)["block"]["readings"]
            peak = max(peak, int(readings["max_reserved_B" if on_gpu else "max_ram_B"]))
            ran += int(facts["iterations_per_block"])
        return peak

    def find(self, told: Callable[[int], None] = lambda batch_size: None) -> tuple[int, list[Trial]]:
        """The largest batch that can be relied upon to fit, 0 where none can, and every trial.

        `told` hears of each before it begins. The search asks one child a size; what it finds is then confirmed, and
        where that fails smaller batches are, in growing steps.
        """
        trials: dict[int, Trial] = {}

        def fits(batch_size: int, processes: int = 1) -> bool:
            told(batch_size)
            trials[batch_size] = self.try_(batch_size, processes).after(trials.get(batch_size))
            return trials[batch_size].fits

        largest, _ = search(fits, self.guess())
        step = max(1, int(largest * RESOLUTION))
        while largest and (lacking := self._lacking(trials.get(largest))) and not fits(largest, lacking):
            largest, step = max(largest - step, 0), 2 * step
        return largest, list(trials.values())

    def _lacking(self, trial: Trial | None) -> int:
        """In how many more children the size must fit. On a GPU one tells: torch's allocator does the same in each."""
        if trial is None:
            return 1 if self.on_gpu else PROCESSES
        sure = self.on_gpu or (trial.peak_B or 0) < NEAR * self.limit_B
        return 0 if sure else max(PROCESSES - trial.processes, 0)
