"""A repository whose commits differ by known work: the counts of their loops tell by how much, and no clock."""

import subprocess
from dataclasses import dataclass, field
from pathlib import Path

#: A step of a small network, of 1 to 2 ms.
_STEP = '''
"""A benchmark whose work is counted."""

import torch

from work import EXTRA_BYTES, FAILS, STEPS

torch.set_num_threads(1)  # two programs whose threads wait for each other tell how busy the machine is, and no more
#: Touched in full, so that it is resident.
BUFFER = bytearray(b"x" * (2**26 + EXTRA_BYTES))
COUNTS = {"steps": 0}


def step(x, weights):
    done = 0
    for _ in range(STEPS):
        x = torch.tanh(x @ weights)
        done += 1
    COUNTS["steps"] = done
    return x


def inputs():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(32, 96, generator=generator), torch.randn(96, 96, generator=generator) / 10


def test_step(benchmark):
    assert benchmark(step, *inputs()).shape == (32, 96)
    assert not FAILS
    benchmark.extra_info |= {"steps": COUNTS["steps"], "buffer_bytes": len(BUFFER)}
'''
#: A loader of text in plain Python, of 1 to 2 ms: two starts of such a program differ most.
_LOAD = '''
"""A benchmark whose work is counted."""

import re

from work import FAILS, LINES

TEXT = [f"the {n % 10} quick brown foxes jump over {n % 9} lazy dogs, again and again." for n in range(LINES)]
TOKEN = re.compile(r"\\w+|[^\\w\\s]")
COUNTS = {"lines": 0}


def load():
    tokens = {}
    done = 0
    for line in TEXT:
        for token in TOKEN.findall(line):
            tokens[token] = tokens.get(token, 0) + 1
        done += 1
    COUNTS["lines"] = done
    return tokens


def test_load(benchmark):
    assert benchmark(load)["the"] == LINES
    assert not FAILS
    benchmark.extra_info["lines"] = COUNTS["lines"]
'''
_WORK = "STEPS = {steps}\nLINES = {lines}\nEXTRA_BYTES = {extra_bytes}\nFAILS = {fails}\n# {remark}\n"
_CONFTEST = "import sys\nfrom pathlib import Path\n\nsys.path.insert(0, str(Path(__file__).parent))\n"
FILES = {"benchmarks/test_step.py": _STEP, "benchmarks/test_load.py": _LOAD}
STEP, LOAD = (f"{file}::{Path(file).stem}" for file in FILES)


@dataclass(frozen=True)
class Work:
    """How much a commit does. `remark` is a comment, for commits that differ in nothing that runs."""

    steps: int = 100
    lines: int = 600
    extra_bytes: int = 0
    fails: bool = False
    remark: str = ""


@dataclass
class Repository:
    """A git repository in `folder`, empty at first."""

    folder: Path
    commits: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (self.folder / "benchmarks").mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")
        for file, text in FILES.items():
            (self.folder / file).write_text(text)
        (self.folder / "benchmarks/conftest.py").write_text(_CONFTEST)

    def git(self, *arguments: str) -> str:
        """What git says."""
        identity = ["-c", "user.name=A Developer", "-c", "user.email=developer@example.com"]
        command = ["git", "-C", str(self.folder), *identity, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    def write(self, work: Work) -> None:
        """Let the working tree do this."""
        told = _WORK.format(
            steps=work.steps, lines=work.lines, extra_bytes=work.extra_bytes, fails=work.fails, remark=work.remark
        )
        (self.folder / "benchmarks/work.py").write_text(told)

    def commit(self, tag: str, work: Work) -> str:
        """A commit under a tag; its id."""
        self.write(work)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", f"{tag}: {work.steps} steps, {work.lines} lines")
        self.git("tag", "--force", tag)
        self.commits[tag] = self.git("rev-parse", "HEAD")
        return self.commits[tag]
