"""The largest batch of a point that fits into a limit of memory: predicted first, then tried in children.

Once its libraries are loaded, a child may not take more than is free (on Linux by RLIMIT_DATA, on a GPU by torch's
allocator), so a batch that is too large ends in an orderly refusal and the kernel's out-of-memory killer never acts.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
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
_BLOCKS = 2


@dataclass(frozen=True)
class Trial:
    """One batch size, tried in a child: predicted and measured peak in bytes, and why it did not fit."""

    batch_size: int
    predicted_B: int
    peak_B: int | None
    reason: str | None

    @property
    def fits(self) -> bool:
        """Whether it ran within the limit."""
        return self.reason is None


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

    def try_(self, batch_size: int) -> Trial:
        """Run the batch in a child of its own. Raises `Unsupported` where it cannot be run for another reason."""
        predicted = self.predicted_B(batch_size)
        limit_s = float(SETTING_DEFAULTS["time_limit"])
        child = Child()
        try:
            child.ask(None, limit_s)
            peak = self._peak(child, self.with_batch(batch_size), limit_s)
        except ChildFailed as failed:
            if failed.status == "unsupported":
                raise Unsupported(failed.reason) from failed
            if failed.status != "oom":
                raise UserError(
                    f"A batch of {batch_size} failed: {failed.reason}.", "Try it by itself: pinchpoint run."
                ) from failed
            return Trial(batch_size, predicted, None, failed.reason)
        finally:
            child.kill()
        return Trial(batch_size, predicted, peak, None if peak <= self.limit_B else "it took more than the limit")

    def _peak(self, child: Child, point: Point, limit_s: float) -> int:
        settings: dict[str, Any] = SETTING_DEFAULTS | {
            "warmup_limit": 0.1,
            "corpus": self.corpus,
            "cache": str(cache_folder()),
            "inputs": asdict(self.inputs),
            "memory_limit_B": self.limit_B,
        }
        facts = child.ask({"do": "build", "axes": point.axes, "settings": settings}, limit_s)["built"]["facts"]
        request = {"do": "block", "kind": "timed", "process": 0}
        blocks = [child.ask(request | {"round": round_}, limit_s)["block"]["readings"] for round_ in range(_BLOCKS)]
        if str(facts["device"]).startswith("cuda"):
            return int(max(block["max_reserved_B"] for block in blocks))
        before = (facts.get(f"max_ram_{phase}_B", 0) for phase in ("build", "warmup"))
        return int(max(*before, *(block["max_ram_B"] for block in blocks)))

    def find(self, told: Callable[[int], None] = lambda batch_size: None) -> tuple[int, list[Trial]]:
        """The largest batch that fits, 0 where none does, and every trial. `told` hears of each before it begins."""
        trials: list[Trial] = []

        def fits(batch_size: int) -> bool:
            told(batch_size)
            trials.append(self.try_(batch_size))
            return trials[-1].fits

        largest, _ = search(fits, self.guess())
        return largest, trials
