"""A process that has imported torch and forks workers, so that the many processes of a point cost no import each.

It never runs an operator of torch itself: a child forked after a parallel one deadlocks. It reads one JSON request at a
time on a socket whose messages keep their bounds:

    {"do": "read", "axes": {...}, "settings": {...}}            -> {}: children find the point's text already read
    {"do": "fork"}, with the child's stdin, stdout and stderr   -> {"pid": 123}
    {"do": "reap", "pid": 123}                                  -> {"code": 0}, once the child has ended

and ends with its parent. Linux only; never for CUDA, whose context does not survive a fork.
"""

import contextlib
import gc
import json
import os
import secrets
import socket
import sys
from collections.abc import Callable
from typing import Any

#: What a worker would import at its first step of an optimizer: seconds, and none of it runs an operator.
_LATER = "torch._dynamo"

#: Forks share their parent's layout of addresses, and with it the luck that a layout has. Each child takes a block of
#: the heap and one of whole pages first, of random size, so that what it allocates lies elsewhere.
_MOST_HEAP_B, _MOST_PAGES_B = 1 << 16, 1 << 22
_PAGES_FROM_B = 1 << 17  # glibc maps blocks of 128 KiB and more on pages of their own

_taken: list[bytearray] = []


def serve(channel: socket.socket) -> None:
    """Answer requests until the other end closes."""
    import importlib

    import torch

    from bench import probes, subject, worker

    importlib.import_module(_LATER)
    torch.set_num_threads(1)  # no operator is parallel then, so that none starts the threads that a fork would lose
    for name in probes.names():
        probes.load(name, "cpu")
    gc.collect()
    gc.freeze()  # a collection in a child would touch, and so copy, every page that holds an object
    while True:
        message, descriptors, _, _ = socket.recv_fds(channel, 1 << 16, 3)
        if not message:
            return
        request = json.loads(message)
        answer: dict[str, Any] = {}
        if request["do"] == "read":
            # What is wrong with the text, the child will find too, and tell.
            with contextlib.suppress(Exception):
                subject.corpus(request["axes"], request["settings"])
            gc.freeze()
        elif request["do"] == "reap":
            _, status = os.waitpid(request["pid"], 0)
            answer = {"code": os.waitstatus_to_exitcode(status)}
        else:
            try:
                pid = os.fork()
            except OSError as error:
                answer = {"error": str(error)}
            else:
                if pid == 0:
                    channel.close()
                    _become_worker(descriptors, worker.main)
                answer = {"pid": pid}
        for descriptor in descriptors:
            os.close(descriptor)
        channel.send(json.dumps(answer).encode())


def _become_worker(descriptors: list[int], work: Callable[[], None]) -> None:
    """In the child: take the three descriptors for stdin, stdout and stderr, work, and end without coming back."""
    code = 1
    try:
        os.setpgid(0, 0)
        for target, descriptor in enumerate(descriptors):
            os.dup2(descriptor, target)
            os.close(descriptor)
        for most, least in ((_MOST_HEAP_B, 16), (_MOST_PAGES_B, _PAGES_FROM_B)):
            _taken.append(bytearray(least + secrets.randbelow(most)))
        work()
        code = 0
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else 1
    except BaseException as error:  # noqa: BLE001 - its last words, as the interpreter would write them
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(code)


def main() -> None:
    """Serve on the socket whose descriptor is the one argument."""
    from bench.host import die_with_parent

    die_with_parent()
    # A child must not write what the nursery had buffered.
    sys.stdout.flush()
    with socket.socket(fileno=int(sys.argv[1])) as channel:
        serve(channel)


if __name__ == "__main__":
    main()
