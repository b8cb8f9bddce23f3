"""Other gates on commits of `tests.gated_repository`, used as their manuals say: pytest-benchmark's and asv's.

Each gives whether it raised an alarm and by how much the new commit was slower in its own figures. That the commits
differ by just the known work is verified by what their loops count.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.ab.sides import environment
from bench.executors.local import cache_folder
from tests.gated_repository import LOAD, Repository

FIELDS = ("mean", "median", "min")
ASV, FACTOR = "0.6.6", 1.05
#: The loader that pytest measures too, out of the commit that asv has checked out.
ASV_BENCHMARK = """
import os
import sys

sys.path.insert(0, os.path.join(os.environ["ASV_ENV_DIR"], "project", "benchmarks"))
sys.path += {packages}
import test_load

told = set()


class Work:
    def time_load(self):
        test_load.load()

    def teardown(self):
        lines = test_load.COUNTS["lines"]
        if lines not in told:
            told.add(lines)
            with open({counted}, "a") as file:
                print(os.environ["ASV_COMMIT"], lines, file=file)
"""


def pytest_benchmark(repository: Repository, new: str, lines: Mapping[str, int]) -> dict[str, Any]:
    """Base and new measured one after the other; one comparison names each rule that failed."""
    seconds = 0.0
    with tempfile.TemporaryDirectory() as folder:
        # one option with all rules: of several options the last alone would count
        compare = ["--benchmark-compare=0001", "--benchmark-compare-fail", *(f"{field}:5%" for field in FIELDS)]
        for tag, options in (("base", []), (new, compare)):
            launch = environment(tag, repository.folder).launch
            command = [launch.python, "-m", "pytest", LOAD, "-q", "-p", "no:cacheprovider"]
            command += [f"--benchmark-storage=file://{folder}", f"--benchmark-save={tag}", *options]
            began = time.monotonic()
            done = _run(command, launch.folder, launch.environment)
            seconds += time.monotonic() - began
        # the last is that of the new commit
        alarms = {field: f"Field '{field}' has failed PercentageRegressionCheck" in done.stderr for field in FIELDS}
        if (done.returncode != 0) != any(alarms.values()):
            raise RuntimeError(done.stdout + done.stderr)
        base, measured = (_saved(Path(folder), tag) for tag in ("base", new))
    assert [each["extra_info"]["lines"] for each in (base, measured)] == [lines["base"], lines[new]]
    latencies_s = [{field: each["stats"][field] for field in FIELDS} for each in (base, measured)]
    found = {field: rise(*(each[field] for each in latencies_s)) for field in FIELDS}
    assert alarms == {field: found[field] > 5 for field in FIELDS}, (alarms, found)  # it said what its figures say
    return {"alarms": alarms, "rises": found, "latencies_s": latencies_s, "seconds": round(seconds, 2)}


def rise(base_s: float, new_s: float) -> float:
    """By how many percent the new one is slower, as pytest-benchmark computes it."""
    return new_s / base_s * 100 - 100


def _saved(folder: Path, tag: str) -> dict[str, Any]:
    [path] = folder.rglob(f"*_{tag}.json")
    [benchmark] = json.loads(path.read_text())["benchmarks"]
    return dict(benchmark)


class Asv:
    """asv in a virtual environment of its own, in the cache; its configuration and results are in `folder`."""

    def __init__(self, repository: Repository, folder: Path) -> None:
        self._repository, self._folder, self._counted = repository, folder, folder / "counted"
        venv = cache_folder() / "proofs" / f"asv-{ASV}"
        self._asv = venv / "bin" / "asv"
        ours = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
        path = f"{venv / 'bin'}{os.pathsep}{ours.get('PATH', '')}"
        self._environment = ours | {"PATH": path, "HOME": str(folder)}  # asv writes about the machine into HOME
        if not self._asv.exists():
            self._checked([sys.executable, "-m", "venv", str(venv)])
            self._checked([str(venv / "bin/pip"), "install", "--quiet", f"asv=={ASV}", "virtualenv"])
        self._configure()

    def _configure(self) -> None:
        """Commits are neither built nor installed: their files are used as they lie, with the packages of this Python.

        Raises RuntimeError where asv cannot make its environment or run there.
        """
        told = {
            "version": 1,
            "project": "work",
            "repo": str(self._repository.folder),
            "branches": ["main"],
            "environment_type": "virtualenv",
            "pythons": [f"{sys.version_info.major}.{sys.version_info.minor}"],
            "benchmark_dir": "measured",
            **{f"{what}_command": [] for what in ("build", "install", "uninstall")},
        }
        (self._folder / "measured").mkdir()
        (self._folder / "asv.conf.json").write_text(json.dumps(told))
        (self._folder / "measured/__init__.py").touch()
        packages = [path for path in sys.path if Path(path).name == "site-packages"]
        text = ASV_BENCHMARK.format(packages=packages, counted=repr(str(self._counted)))
        (self._folder / "measured/load.py").write_text(text)
        self._checked([str(self._asv), "machine", "--yes"])
        base = self._repository.commits["base"]
        self._checked([str(self._asv), "run", "--quick", f"{base}^!"])  # makes its environment, and shows that it works

    def one(self, new: str, lines: Mapping[str, int]) -> dict[str, Any]:
        """One `asv continuous`, which takes base and new in turns, two processes of each."""
        self._counted.unlink(missing_ok=True)
        began = time.monotonic()
        done = _run(
            [str(self._asv), "continuous", "--factor", str(FACTOR), "base", new], self._folder, self._environment
        )
        seconds = time.monotonic() - began
        alarm = "PERFORMANCE DECREASED" in done.stdout
        unchanged = "NOT SIGNIFICANTLY CHANGED" in done.stdout or "PERFORMANCE INCREASED" in done.stdout
        if alarm == unchanged or done.returncode != alarm:
            raise RuntimeError(done.stdout + done.stderr)
        commits = self._repository.commits
        counted = {tuple(line.split()) for line in self._counted.read_text().splitlines()}
        assert counted == {(commits[tag], str(lines[tag])) for tag in ("base", new)}, counted
        base_s, new_s = (self._latency_s(commits[tag]) for tag in ("base", new))
        return {"alarms": {"asv": alarm}, "rises": {"asv": rise(base_s, new_s)}, "seconds": round(seconds, 2)}

    def _latency_s(self, commit: str) -> float:
        [path] = self._folder.glob(f"results/*/{commit[:8]}-*.json")
        told = json.loads(path.read_text())
        place = told["result_columns"].index("result")
        return float(told["results"]["load.Work.time_load"][place][0])

    def _checked(self, command: list[str]) -> None:
        done = _run(command, self._folder, self._environment)
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines() or ["nothing"]
            raise RuntimeError(f"{Path(command[0]).name} ended with code {done.returncode} and said: {said[-1]}")


@contextlib.contextmanager
def asv(repository: Repository) -> Iterator[Asv | str]:
    """asv ready to run, or why it cannot."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            ready: Asv | str = Asv(repository, Path(folder))
        except (OSError, RuntimeError) as error:
            ready = str(error)
        yield ready


def _run(
    command: list[str], folder: Path | None, variables: Mapping[str, str] | None
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
