"""How a command is ended from outside, and that nothing of it is left then."""

import signal
import subprocess
import time

import psutil


def end(command, ending, needed):
    """Start `command`, send the signal `ending` once children run all that is `needed`; none may be left."""
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    ends, found = time.monotonic() + 90, []
    while time.monotonic() < ends and not _run(found, needed):
        found = psutil.Process(running.pid).children(recursive=True)
        time.sleep(0.05)
    assert _run(found, needed)
    running.send_signal(ending)
    running.communicate(timeout=60)
    assert running.returncode == (-signal.SIGKILL if ending == signal.SIGKILL else 130)
    _, alive = psutil.wait_procs(found, timeout=20)
    assert not [child for child in alive if child.status() != psutil.STATUS_ZOMBIE]


def _run(children, needed):
    said = " ".join(_words(child) for child in children)
    return all(name in said for name in needed)


def _words(process):
    try:
        return " ".join(process.cmdline())
    except psutil.Error:  # it has ended since
        return ""
