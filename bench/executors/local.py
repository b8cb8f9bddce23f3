"""Fresh child processes on this machine. The parent sleeps on the pipe: it never spins and never imports torch."""

import contextlib
import json
import os
import select
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import IO, Any

from bench import control_group
from bench.errors import UserError
from bench.executors.forking import HERE, Forked, Launch, Nursery
from bench.memory_parts import UNTRACKED
from bench.record import Status

#: A child that was asked to end gets this long before it is killed.
_GRACE_S = 5.0

#: A child that has ended may have left the pipe to one of its own, and then no end of file tells: it is looked for.
_LOOK_S = 1.0

#: The tracker runs one iteration of at most a second, some twenty times as slowly.
_TRACK_S = 60.0


class ChildFailed(Exception):  # noqa: N818 - an outcome: it becomes the point's record
    """The child cannot go on: how it ended, and why, in words."""

    def __init__(self, status: Status, reason: str) -> None:
        super().__init__(f"{status}: {reason}")
        self.status = status
        self.reason = reason


class Conversation:
    """A process with pipes. `ask` sends a request and waits for the answer; whatever goes wrong raises `ChildFailed`.

    `errors` is the file that it writes its last words to; both are closed by `kill`.
    """

    def __init__(self, process: "subprocess.Popen[bytes] | Forked", errors: IO[bytes]) -> None:
        self._process = process
        self._errors = errors
        self._group = control_group.memory_group(process.pid)
        self._kills = self._oom_kills()
        self._received = b""

    @property
    def pid(self) -> int:
        """Process id of the child."""
        return self._process.pid

    def ask(self, request: dict[str, Any] | None, limit_s: float) -> dict[str, Any]:
        """Send `request` (None: only listen) and return the answer. Past `limit_s` seconds the child is killed."""
        # One that has ended may have said so: whoever only listens hears that first.
        if request is not None and self._process.poll() is not None:
            raise self._death()
        self._kills = self._oom_kills()
        if request is not None:
            try:
                os.write(self._stdin, json.dumps(request).encode() + b"\n")
            except BrokenPipeError:
                raise self._death() from None
        answer: dict[str, Any] = json.loads(self._line(limit_s))
        if "error" in answer:
            raise UserError(answer["error"]["message"], answer["error"]["remedy"])
        if "failed" in answer:
            raise ChildFailed(answer["failed"]["status"], answer["failed"]["reason"])
        return answer

    def _line(self, limit_s: float) -> bytes:
        ends = time.monotonic() + limit_s
        while b"\n" not in self._received:
            left_s = max(ends - time.monotonic(), 0)
            if not self._readable(min(left_s, _LOOK_S)):
                if self._process.poll() is not None and not self._readable(0):
                    raise self._death()
                if left_s > _LOOK_S:
                    continue
                self.kill()
                raise ChildFailed("timeout", f"it gave no answer within {limit_s:.3g} s")
            piece = os.read(self._stdout, 1 << 16)
            if not piece:
                raise self._death()
            self._received += piece
        line, _, self._received = self._received.partition(b"\n")
        return line

    def _readable(self, within_s: float) -> bool:
        return bool(select.select([self._stdout], [], [], within_s)[0])

    @property
    def _stdin(self) -> int:
        assert self._process.stdin is not None
        return self._process.stdin.fileno()

    @property
    def _stdout(self) -> int:
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    def _oom_kills(self) -> int | None:
        return self._group.oom_kills() if self._group else None

    def _death(self) -> ChildFailed:
        """Why the child is gone: by the kernel's out-of-memory killer only where its counter rose."""
        code = self._process.wait()
        self._errors.seek(0)
        last = self._errors.read().decode(errors="replace").strip().splitlines()[-1:]
        said = f"; its last words: {last[0][:300]}" if last else ""
        if code >= 0:
            return ChildFailed("crashed", f"it ended with exit code {code}{said}")
        name = signal.Signals(-code).name
        kills = self._oom_kills()
        if name == "SIGKILL" and self._kills is not None and kills is not None and kills > self._kills:
            return ChildFailed("oom", "the kernel killed it because its control group ran out of memory")
        return ChildFailed("crashed", f"it was ended by {name}{said}")

    def ask_to_finish(self) -> None:
        """Ask the child to end, without waiting for it: several can then end at the same time."""
        with contextlib.suppress(OSError, ValueError):  # it may be gone already, which is what is asked
            os.write(self._stdin, b'{"do": "finish"}\n')

    def finish(self) -> None:
        """Give the child a moment to end, and see to it that it has."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_GRACE_S)
        self.kill()

    def kill(self) -> None:
        """End the child at once, with whatever it started, and let go of its pipes."""
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):  # it has ended since
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._errors.close()


class Child(Conversation):
    """A worker process. With a nursery it is forked there, which saves it the imports; `forked` says whether it was."""

    def __init__(self, nursery: Nursery | None = None, launch: Launch = HERE) -> None:
        errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by kill()
        forked = None
        if nursery is not None:
            with contextlib.suppress(OSError):  # no room for another fork, or the nursery is gone: start one afresh
                forked = nursery.start(errors.fileno())
        self.forked = forked is not None
        process = forked or launch.start(
            ["-P", "-m", "bench.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, bufsize=0
        )
        super().__init__(process, errors)

    def look_closer(self, limit_s: float) -> dict[str, Any]:
        """What an iteration of the child's point consists of (`observation`, or `unobserved`: why that is not known),
        and `facts` on what its memory is made of, or why that is not known.

        It comes after all blocks and fails nothing: a child that dies of it, or takes too long, has measured its point.
        """
        try:
            found = self.ask({"do": "observe"}, limit_s)
        except (ChildFailed, UserError) as failed:
            found = {"observation": None, "unobserved": str(failed)}
        try:
            facts = self.ask({"do": "track"}, min(limit_s, _TRACK_S))["tracked"]
        except (ChildFailed, UserError) as failed:
            facts = {UNTRACKED: failed.reason if isinstance(failed, ChildFailed) else str(failed)}
        return found | {"facts": facts}


def inspect(limit_s: float = 600.0) -> dict[str, Any]:
    """What a child finds that can be run and read on this machine (see `bench.capabilities`)."""
    try:
        found: dict[str, Any] = _ask_once({"do": "inspect"}, limit_s)["found"]
    except ChildFailed as failed:
        raise UserError(
            f"The child that looks at this machine failed: {failed.reason}.", "Reinstall torch."
        ) from failed
    return found


def fetch(model: str, *, trust_remote_code: bool, limit_s: float = 24 * 3600.0) -> str:
    """The folder of the model of transformers that is called `model` on the hub, downloaded where it is not kept yet.

    A day is enough for the largest over a slow line. Raises `UserError` where it cannot be had.
    """
    try:
        answer = _ask_once({"do": "fetch", "model": model, "trust_remote_code": trust_remote_code}, limit_s)
    except ChildFailed as failed:
        remedy = "Install it, or give --model a folder that transformers' save_pretrained wrote."
        raise UserError(f"The model '{model}' cannot be fetched: {failed.reason.rstrip('.')}.", remedy) from failed
    return str(answer["folder"])


def _ask_once(request: dict[str, Any], limit_s: float) -> dict[str, Any]:
    """The answer of a child of its own to the one request. Raises `ChildFailed` where it gives none."""
    child = Child()
    try:
        child.ask(None, limit_s)
        answer = child.ask(request, limit_s)
        child.ask_to_finish()
        child.finish()
    finally:
        child.kill()
    return answer


def cache_folder() -> Path:
    """Where what can be made again is kept between runs (the tokens of a corpus)."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("pinchpoint"))
