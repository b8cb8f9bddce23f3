"""A process that lowers the clock or the power limit of a GPU while that is wanted, and restores it whatever happens.

It restores when that is asked, when the pipe closes because its parent has ended (by SIGKILL, too), and on SIGTERM and
SIGINT. What to restore stands in a file of the cache folder before anything is changed, so that what a guard leaves
that was itself killed is restored by the next one of that GPU. It reads a JSON request a line, and answers each so:

    {"lower": "clock", "share": 0.75} -> {"before": 1.41e9, "now": 1.065e9}   in Hz; for `power` in W
    {"restore": true}                 -> {}

or with {"refused": reason}. It sleeps on the pipe otherwise. A clock that somebody else had locked is free afterwards:
NVML does not tell of such a lock. All of this has met NVML's double only, through the real pynvml. No torch here.
"""

import json
import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from bench import files, nvml
from bench.errors import Unsupported, UserError
from bench.executors.companion import Companion
from bench.executors.local import cache_folder

#: A clock changes within some tens of milliseconds; nvbench pauses 50 ms for one to recover.
SETTLE_S = 0.1
#: A guard whose parent was killed restores within a second. One that holds the GPU for longer belongs to someone.
_WAIT_S = 5.0
_ANSWER_S = 30.0
_NAMES = {"clock": "clock", "power": "power limit"}


class ClockGuard:
    """The parent's side, for the GPU with this UUID. Close it when it is not needed any more.

    Raises `Unsupported` where the GPU does not let itself be changed, and `ChildFailed` where the guard is gone.
    """

    def __init__(self, uuid: str) -> None:
        # stderr stays ours: it tells what it could not restore after we are gone
        self._companion = Companion(
            "bench.clock_guard", [uuid], "restores the clock and the power limit", _ANSWER_S, mute=False
        )
        try:
            self._answer()
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._companion.pid

    @contextmanager
    def lowered(self, what: str, share: float) -> Iterator[float]:
        """Within, `what` is lowered to `share` of what it was, or as near as the GPU allows: yields to which share."""
        told = self._ask({"lower": what, "share": share})
        try:
            time.sleep(SETTLE_S)
            yield told["now"] / told["before"]
        finally:
            self._ask({"restore": True})
            time.sleep(SETTLE_S)

    def _ask(self, request: dict[str, Any]) -> dict[str, float]:
        self._companion.tell(json.dumps(request).encode() + b"\n")
        return self._answer()

    def _answer(self) -> dict[str, float]:
        answer: dict[str, Any] = json.loads(self._companion.answer())
        if "refused" in answer:
            raise Unsupported(answer["refused"])
        return answer

    def close(self) -> None:
        """Let it restore and end; it does so by itself where this is interrupted.

        It is killed where the driver does not answer: the file then says what is left to do.
        """
        self._companion.close(_ANSWER_S)


class _Guarded:
    """A GPU, and the file that says what of it is to be restored."""

    def __init__(self, gpu: nvml.Gpu, file: Path) -> None:
        self._gpu, self._file = gpu, file

    def lower(self, what: str, share: float) -> dict[str, float]:
        """What it was before, and is now: the clock in Hz, or the power limit in W. Raises `Unsupported`."""
        self.restore()
        before = self._gpu.usual_sm_clock_hertz() if what == "clock" else self._gpu.power_limit_watts()
        now = self._clock(share * before) if what == "clock" else self._limit(share * before)
        if now >= before:
            raise Unsupported(f"The GPU allows no lower {_NAMES[what]} than what is set.")
        files.write(self._file, json.dumps({"what": what, "before": before}))
        try:
            (self._gpu.lock_sm_clock if what == "clock" else self._gpu.set_power_limit)(now)
        except Unsupported as refused:
            self._file.unlink()
            raise Unsupported(f"{refused} Nothing was changed.") from refused
        return {"before": before, "now": now if what == "clock" else self._gpu.power_limit_watts()}

    def _clock(self, wanted_Hz: float) -> float:
        """The nearest that the GPU names, or just that clock where it names none."""
        named: list[float] = []
        with suppress(Unsupported):
            named = self._gpu.supported_sm_clocks_hertz()
        return min(named or [wanted_Hz], key=lambda each: abs(each - wanted_Hz))

    def _limit(self, wanted_W: float) -> float:
        return max(wanted_W, self._gpu.least_power_limit_watts())

    def restore(self) -> str | None:
        """Restore what the file names, and say what; None where there is none. Raises `Unsupported` with the remedy."""
        if not self._file.exists():
            return None
        left = json.loads(self._file.read_text(encoding="utf-8"))
        uuid, watts = self._file.stem, left["before"]
        clock = left["what"] == "clock"
        try:
            if clock:
                self._gpu.free_sm_clock()
            else:
                self._gpu.set_power_limit(watts)
                if self._gpu.power_limit_watts() != watts:
                    raise Unsupported(f"The limit is {self._gpu.power_limit_watts():g} W.")
        except (Unsupported, nvml.GpuLost) as reason:
            by_hand = "--reset-gpu-clocks" if clock else f"--power-limit={watts:g}"
            told = f"The {_NAMES[left['what']]} of {uuid} could not be restored. {reason}"
            raise Unsupported(f"{told} Run: sudo nvidia-smi --id={uuid} {by_hand}") from reason
        self._file.unlink()
        return f"the clock of {uuid} is free" if clock else f"the power limit of {uuid} is {watts:g} W"


def serve(guarded: _Guarded) -> None:
    """Answer until the pipe closes or a signal comes, then restore. No signal takes effect anywhere but in between."""
    ended, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, lambda *_: None)
    if left := guarded.restore():
        print(f"pinchpoint: an earlier diagnosis was killed; {left} again.", file=sys.stderr, flush=True)
    _say({})
    try:
        while select.select([0, ended], [], [])[0] == [0] and (line := os.read(0, select.PIPE_BUF)):
            _say(_done(guarded, json.loads(line)))
    finally:
        try:
            guarded.restore()
        except Unsupported as reason:  # there may be no parent to tell
            sys.exit(f"pinchpoint: {reason}")


def _done(guarded: _Guarded, request: dict[str, Any]) -> dict[str, Any]:
    try:
        if "lower" in request:
            return dict(guarded.lower(request["lower"], request["share"]))
        guarded.restore()
    except (Unsupported, nvml.GpuLost, UserError) as refused:
        return {"refused": str(refused)}
    return {}


def _say(answer: dict[str, Any]) -> None:
    with suppress(BrokenPipeError):  # the parent is gone, as the next look at the other pipe tells
        os.write(1, json.dumps(answer).encode() + b"\n")


def main() -> None:
    """Guard the GPU whose UUID is the argument; alone, as two would each restore what the other has set."""
    from filelock import FileLock, Timeout

    uuid, folder = sys.argv[1], cache_folder() / "clock_guard"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f"{uuid}.lock", timeout=_WAIT_S), nvml.gpus() as found:
            gpu = next((each for each in found if each.uuid() == uuid), None)
            if gpu is None:
                raise Unsupported(f"NVML knows no {uuid}.")
            serve(_Guarded(gpu, folder / f"{uuid}.json"))
    except Timeout:
        _say({"refused": "Another diagnosis has changed the clock or power limit of this GPU: wait for its end."})
    except (Unsupported, nvml.GpuLost, OSError) as reason:
        _say({"refused": str(reason)})


if __name__ == "__main__":
    main()
