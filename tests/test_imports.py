"""Who may import whom, read off the syntax trees; and what must stay light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted(path for package in ("model", "bench", "reports") for path in (ROOT / package).rglob("*.py"))
#: Standard library only, so that everyone may import them.
LIGHT = ("model.shapes", "model.errors", "model.plugins")
#: The parts of `bench` that touch a model.
TOUCHES_MODEL = (
    "bench.worker",
    "bench.session",
    "bench.subject",
    "bench.grading",
    "bench.grading_classifier",
    "bench.devices",
    "bench.capabilities",
    "bench.interventions",
    "bench.kernels",
    "bench.workloads",
    "bench.ceilings",
    "bench.suite",
    "bench.commands",
)
#: Whoever shows what was measured, and so may know what it means.
COMPOSES = ("bench.commands", "bench.suite")
REPORTS_MAY = (
    "bench.ab.pairs",
    "bench.ab.sequence",
    "bench.observation",
    "bench.record",
    "bench.gate",
    "bench.limits",
    "bench.rank_sum",
    "bench.store",
    "bench.axes",
    "bench.benchmark_json",
    "bench.kinds",
    "bench.memory_parts",
    "bench.points",
    "bench.profiles",
    "bench.units",
    "bench.errors",
    "bench.intervals",
    "bench.stopping",
)
#: A vendor's library is imported in one file alone.
VENDORS = {
    "amdsmi": "bench.probes.power_amd",
    "pynvml": "bench.nvml",
    "ray": "bench.executors.ray",
    "transformers": "model.architectures.hf",
    "torchao": "model.ao",
}


def name_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def is_module(name):
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").exists() or path.is_dir()


def imports(path, *, top_level_only=False):
    """Every module that a file imports, `from a import b` as `a.b` where b is a module."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if top_level_only else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import hides what it names"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if is_module(full) else node.module


def within(name, packages):
    return any(name == package or name.startswith(package + ".") for package in packages)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_follow_the_rules(path):
    me = name_of(path)
    for name in imports(path):
        top = name.partition(".")[0]
        if top not in {"model", "bench", "reports"}:
            if within(me, LIGHT):
                assert top in sys.stdlib_module_names, f"{me} must need the standard library alone, not {name}"
            if top in VENDORS:
                assert me == VENDORS[top], f"{name} is imported in {VENDORS[top]} alone"
            assert not (me.startswith("reports") and top == "torch"), "a report never imports torch"
        elif me.startswith("model"):
            assert top == "model", f"{me} imports {name}: a model knows nothing of benchmarks"
        elif me.startswith("reports"):
            assert within(name, ("reports", *REPORTS_MAY, *LIGHT)), f"{me} may not import {name}"
        elif me.startswith("bench"):
            if top == "reports":
                assert within(me, COMPOSES), f"{me} imports {name}: commands and the suite alone compose"
            if top == "model" and name != "model" and not within(name, LIGHT):
                assert within(me, TOUCHES_MODEL), f"{me} may not import {name}"


@pytest.mark.parametrize("path", [path for path in FILES if path.parent.name == "commands"], ids=name_of)
def test_commands_import_what_is_heavy_inside(path):
    heavy = {"torch", "pandas", "matplotlib", "scipy", "sqlalchemy", "pydantic", "rich", "nltk", "jinja2"}
    assert not heavy & {name.partition(".")[0] for name in imports(path, top_level_only=True)}


@pytest.mark.parametrize("arguments", [["--help"], ["sweep", "--help"], ["sweep", "--dry-run"]])
def test_the_parent_never_imports_torch(arguments):
    code = (
        f"import sys; from bench.cli import cli; cli({arguments}, standalone_mode=False); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


def test_no_file_of_ours_hides_one_of_the_standard_library():
    top_level = {path.stem for path in FILES}
    hidden = {"platform", "profile", "statistics", "html", "csv", "resource"}
    assert not top_level & hidden


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_nothing_is_evaluated_or_unpickled(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert not called & {"eval", "exec", "compile", "__import__"}
    assert not {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"} & set(imports(path))


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_file_stays_under_about_300_lines(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 320
