"""The files of other tools that the importers are tested on, and copies with something changed."""

import copy
import json
from pathlib import Path

FOLDER = Path(__file__).parent / "imported"
FILES = sorted(path.name for path in FOLDER.iterdir() if path.name != "README.md")

_TOOLS = {"aiperf": "aiperf", "llama": "llama-bench", "optimum": "optimum-benchmark", "vllm": "vllm-bench"}


def tool(name):
    """The format of a file, as the command line calls it."""
    return next(each for word, each in _TOOLS.items() if name.startswith(word))


def content(name):
    """The JSON that a file holds."""
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


def changed(name, *path, value):
    """The JSON of a file with another value at a place; a `value` of `...` takes it out."""
    whole = copy.deepcopy(content(name))
    inner = whole
    for part in path[:-1]:
        inner = inner[part]
    if value is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return whole
