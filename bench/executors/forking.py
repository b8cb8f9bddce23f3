"""Processes forked from one that has imported what they need already: the parent's side."""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from bench.record import Value

#: Importing torch and all of ours takes 2 to 4 s; on a machine that swaps, longer.
_START_S = 120.0


class Forked:
    """A forked worker, with what `subprocess.Popen` offers and `Child` uses of it."""

    def __init__(self, nursery: "ForkServer", pid: int, stdin: IO[bytes], stdout: IO[bytes]) -> None:
        self.pid, self.stdin, self.stdout = pid, stdin, stdout
        self._nursery = nursery
        # The nursery does not reap it before it is asked to, so the number is still its own.
        self._ended = os.pidfd_open(pid)
        self._code: int | None = None

    def poll(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs."""
        return self._wait(0)

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, once it has ended. Raises `subprocess.TimeoutExpired` where it has not by then."""
        code = self._wait(timeout)
        if code is None:
            raise subprocess.TimeoutExpired("bench.worker", timeout or 0.0)
        return code

    def _wait(self, timeout: float | None) -> int | None:
        if self._code is None and select.select([self._ended], [], [], timeout)[0]:
            with contextlib.suppress(ProcessLookupError):  # what it has started and left behind, while it is not reaped
                os.killpg(self.pid, signal.SIGKILL)
            self._code = self._nursery.reap(self.pid)
            os.close(self._ended)
        return self._code


@dataclass(frozen=True)
class Launch:
    """How a process is started: by which interpreter, with which environment (None: ours) and in which folder.

    `prefix` is a command that runs the interpreter in its turn.
    """

    python: str = sys.executable
    environment: Mapping[str, str] | None = field(default=None, repr=False)  # it may hold secrets
    folder: Path | None = None
    prefix: tuple[str, ...] = ()

    def start(self, arguments: Sequence[str], **pipes: Any) -> "subprocess.Popen[bytes]":
        """The interpreter with these arguments, in a session of its own: Ctrl-C reaches the parent alone."""
        return subprocess.Popen(
            [*self.prefix, self.python, *arguments],
            env=self.environment,
            cwd=self.folder,
            start_new_session=True,
            **pipes,
        )


HERE = Launch()


class ForkServer:
    """A process that forks others on request. Close it when no more are wanted; it dies with its parent, and they
    with it.

    `arguments` are those of the interpreter; the number of its end of the socket takes the place of `SOCKET`. It may
    take `limit_s` to answer, and never less than importing does.
    """

    SOCKET = "SOCKET"

    def __init__(self, launch: Launch, arguments: Sequence[str], limit_s: float = _START_S) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._channel.settimeout(max(limit_s, _START_S))
        with theirs:
            number = str(theirs.fileno())
            self._server = launch.start(
                [number if each == self.SOCKET else each for each in arguments],
                stdin=subprocess.DEVNULL,
                stdout=self._errors,
                stderr=self._errors,
                pass_fds=[theirs.fileno()],
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def fork(self, request: dict[str, Any], errors: int) -> Forked:
        """Fork a process that writes its errors to the descriptor. Raises OSError where that cannot be done."""
        their_in, our_in = os.pipe()
        our_out, their_out = os.pipe()
        try:
            answer = self.ask(request, [their_in, their_out, errors])
            if "pid" not in answer:
                raise OSError(answer["error"])
        except BaseException:
            os.close(our_in)
            os.close(our_out)
            raise
        finally:
            os.close(their_in)
            os.close(their_out)
        return Forked(self, answer["pid"], os.fdopen(our_in, "wb", 0), os.fdopen(our_out, "rb", 0))

    def reap(self, pid: int) -> int:
        """The exit code of an ended worker; that of SIGKILL where the server died and took it along."""
        if pid == self._server.pid:  # it has become the worker itself
            return self._server.wait()
        try:
            return int(self.ask({"do": "reap", "pid": pid})["code"])
        except OSError:
            return -9

    def close(self) -> None:
        """End the server, and with it whatever worker is left."""
        self._channel.close()
        self._server.kill()
        self._server.wait()
        self._errors.close()

    def ask(self, request: dict[str, Any], descriptors: list[int] | None = None) -> dict[str, Any]:
        """The answer to a request. Raises OSError, with the server's last words, where it is gone."""
        message = json.dumps(request).encode()
        try:
            socket.send_fds(self._channel, [message], descriptors or [])
            answer = self._channel.recv(1 << 16)
        except OSError as error:
            raise OSError(f"{error}{self.last_words()}") from error
        if not answer:
            raise OSError(f"it has ended{self.last_words()}")
        found: dict[str, Any] = json.loads(answer)
        return found

    def last_words(self) -> str:
        """The last line that it wrote before it ended; empty where it wrote none."""
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").strip().splitlines()[-1:]
        return f"; its last words: {said[0][:300]}" if said else ""


class Nursery(ForkServer):
    """Forks workers (`bench.nursery`): torch is imported there once."""

    def __init__(self, launch: Launch = HERE) -> None:
        super().__init__(launch, ["-P", "-m", "bench.nursery", self.SOCKET])

    def read(self, axes: dict[str, Value], settings: dict[str, Any]) -> None:
        """Let it read the point's text, so that none of the point's workers has to."""
        with contextlib.suppress(OSError):  # where it is gone, workers are started afresh and read it themselves
            self.ask({"do": "read", "axes": axes, "settings": settings})

    def start(self, errors: int) -> Forked:
        """Fork a worker that writes its errors to the descriptor. Raises OSError where that cannot be done."""
        return self.fork({"do": "fork"}, errors)
