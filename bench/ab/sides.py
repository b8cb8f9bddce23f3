"""An environment for a side: a commit, checked out and installed apart from all else, or an interpreter as it is.

A commit is installed without its dependencies into an environment that also sees the packages of the interpreter given,
so that the two sides differ in the commit and in nothing else; two interpreters differ in what is installed there.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from bench.ab import git
from bench.errors import UserError
from bench.executors.forking import Launch
from bench.executors.local import cache_folder

#: Environments that are kept for the next time: the base of one change is often that of the next. One that was asked
#: for in the last hours is kept beside them: another measurement, or the search for a commit, may be using it.
_KEPT, _IN_USE_S = 12, 3 * 3600
_BUILD_LIMIT_S = 1800
_LOG_LINES = 15
_UNBUILT = "Mend it, or use its files as they lie, without installing them: --install none."
#: Stands in the folder of an environment that was built to its end.
_COMPLETE = "complete"
#: What another environment must not inherit from ours.
_OURS = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")

_LOOK = """
import json, sys
from importlib.metadata import distributions
found = {each.metadata["Name"]: each.version for each in distributions() if each.metadata["Name"]}
print(json.dumps({"python": sys.version.split()[0], "packages": found, "path": sys.path}))
"""


@dataclass(frozen=True)
class Environment:
    """Where a side's processes run. `packages` are the versions of what is installed there, by name."""

    label: str
    launch: Launch
    commit: str | None = None
    branch: str | None = None
    python: str = ""
    packages: Mapping[str, str] = field(default_factory=dict)


def environment(
    text: str, folder: Path, python: str = sys.executable, install: str = "auto", *, with_ours: bool = False
) -> Environment:
    """The environment of a side: `text` is a revision of the repository that `folder` is in, `.` for its working tree
    as it is, or the path of an interpreter.

    `install` is `auto` (by pip, where the commit can be installed), `pip`, or `none` (its files are found as they lie);
    `python` is whose packages the side shares; `with_ours` adds the pinchpoint that runs. Raises `UserError`, with the
    end of the log where it does not build.
    """
    if _is_interpreter(text):
        launch = Launch(str(Path(text).absolute()), _environ(), folder)
        return _looked_at(text, launch)
    repository = git.top(folder)
    commit = git.commit(repository, text)
    place = folder.resolve().relative_to(repository.resolve())
    built = _built(repository, commit, python, install, with_ours)
    launch = Launch(str(built / "venv" / "bin" / "python"), _environ(built / "venv"), built / "tree" / place)
    label = "working tree" if text == git.WORKING_TREE else text
    if not (built / "tree" / place).is_dir():
        raise UserError(
            f"The side '{label}' has no folder {place}.", "Change into a folder that git knows on both sides."
        )
    return _looked_at(label, launch, commit, git.branch(repository, text))


def _is_interpreter(text: str) -> bool:
    path = Path(text)
    return path.is_file() and os.access(path, os.X_OK)


def _environ(venv: Path | None = None) -> dict[str, str]:
    """Our variables without those that name our own environment."""
    kept = {name: value for name, value in os.environ.items() if name not in _OURS}
    if venv is not None:
        kept["VIRTUAL_ENV"] = str(venv)
        kept["PATH"] = f"{venv / 'bin'}{os.pathsep}{kept.get('PATH', '')}"
    return kept


def _looked_at(label: str, launch: Launch, commit: str | None = None, branch: str | None = None) -> Environment:
    found = _look(launch, label)
    return Environment(label, launch, commit, branch, found["python"], found["packages"])


def _look(launch: Launch, label: str) -> dict[str, Any]:
    try:
        done = subprocess.run(
            [launch.python, "-c", _LOOK],
            env=launch.environment,
            cwd=launch.folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if done.returncode:
            raise OSError((done.stderr.strip().splitlines() or ["it said nothing"])[-1])
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except (OSError, ValueError, IndexError, subprocess.TimeoutExpired) as error:
        raise UserError(f"The Python of '{label}' does not run: {error}.", f"Try it: {launch.python} -V") from error
    return found


def _built(repository: Path, commit: str, python: str, install: str, with_ours: bool) -> Path:
    """A folder with the commit in `tree` and its environment in `venv`: a kept one, or one made now.

    Its name has the same length for every side, since the length of a path moves the stack (Mytkowicz 2009).
    """
    from filelock import FileLock

    # What is in it: a commit of the working tree has a new id each time.
    files = git.run(repository, "rev-parse", f"{commit}^{{tree}}")
    key = sha256("\0".join((str(repository), files, python, install, str(with_ours))).encode()).hexdigest()[:16]
    kept = cache_folder() / "sides"
    place = kept / key
    try:
        kept.mkdir(parents=True, exist_ok=True)
        with FileLock(kept / f"{key}.lock"):
            if not (place / _COMPLETE).exists():
                shutil.rmtree(place, ignore_errors=True)  # a build that was killed
                place.mkdir()
                git.copy(repository, commit, place / "tree")
                _make(place, python, install, commit, with_ours)
                (place / _COMPLETE).touch()
            os.utime(place)
    except OSError as error:
        raise UserError(
            f"No environment can be made in {kept}: {error.strerror or error}.",
            "Free some space, or let XDG_CACHE_HOME name a folder that can be written.",
        ) from error
    _forget_old(kept)
    return place


def _make(place: Path, python: str, install: str, commit: str, with_ours: bool) -> None:
    """An environment in `place/venv` in which what is in `place/tree` is installed, or found as it lies there."""
    tree, venv = place / "tree", place / "venv"
    shared = [str(path) for path in _packages_of(python, with_ours)]
    _logged([python, "-m", "venv", "--without-pip", str(venv)], tree, commit)
    packages = next(venv.glob("lib/python*/site-packages"))
    (packages / "pinchpoint-shares.pth").write_text("".join(line + "\n" for line in shared))
    if install == "pip" or (install == "auto" and _installable(tree)):
        command = [python, "-m", "pip", "--python", str(venv / "bin" / "python"), "install", "--no-deps"]
        _logged([*command, "--disable-pip-version-check", str(tree)], tree, commit)
    else:
        own = "".join(f"{folder}\n" for folder in (tree, tree / "src"))
        (packages / "pinchpoint-has.pth").write_text(own)  # its name sorts before that of what is shared


def _installable(tree: Path) -> bool:
    import tomllib

    if (tree / "setup.py").is_file():
        return True
    try:
        told = tomllib.loads((tree / "pyproject.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool({"project", "build-system"} & told.keys())


def _packages_of(python: str, with_ours: bool) -> list[Path]:
    """The folders of packages that the interpreter sees, and `with_ours` that of pinchpoint, if it is in none of them.

    What an editable install adds there is not seen: it would bring another state of the project that is compared.
    """
    found = _look(Launch(python, _environ()), python)
    packages = [Path(path) for path in found["path"] if Path(path).name in ("site-packages", "dist-packages")]
    ours = Path(__file__).resolve().parent.parent.parent
    return [*packages, *([ours] if with_ours and ours not in packages else [])]


def _logged(command: list[str], folder: Path, commit: str) -> None:
    """Run a step of a build. Raises `UserError` with the end of its log where it fails."""
    try:
        code, log = _run_alone(command, folder)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UserError(f"Commit {commit[:12]} does not build: {error}.", _UNBUILT) from error
    if code:
        end = "\n".join(f"    {line}" for line in log.splitlines()[-_LOG_LINES:])
        raise UserError(f"Commit {commit[:12]} does not build. The log of {_named(command)} ends:\n{end}", _UNBUILT)


def _run_alone(command: list[str], folder: Path) -> tuple[int, str]:
    """Its exit code and what it printed. Where it is stopped, so is all that it started: pip starts compilers."""
    with subprocess.Popen(
        command,
        env=_environ(),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            log, _ = process.communicate(timeout=_BUILD_LIMIT_S)
        except BaseException:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
    return process.returncode, log


def _named(command: list[str]) -> str:
    return " ".join(("python", *command[1:3]))


def _forget_old(kept: Path) -> None:
    """Remove all but the environments used last."""
    used = {each: each.stat().st_mtime for each in kept.iterdir() if (each / "venv").is_dir()}
    for each in sorted(used, key=lambda each: -used[each])[_KEPT:]:
        if time.time() - used[each] > _IN_USE_S:
            shutil.rmtree(each, ignore_errors=True)
