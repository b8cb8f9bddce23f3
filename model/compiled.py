"""torch.compile of what a workload calls: whether it works here, when it happens, and what came of it.

The code that torch's inductor makes is kept by torch itself, in its own cache (TORCHINDUCTOR_CACHE_DIR), so a second
process compiles faster; how much came from there is told. Everything is imported late: the compiler takes a second.
"""

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from model.architectures import LanguageModel
from model.errors import Unsupported
from model.shapes import Phase

#: What an iteration of each workload calls over and over.
METHODS: dict[Phase, str] = {"train": "forward", "prefill": "prefill", "decode": "step"}

#: A generation compiles for its first length, once more for any length, and for a cache that is just full; what still
#: compiles in so many iterations compiles forever.
MOST_CALLS = 8


@dataclass(frozen=True)
class Compilation:
    """What the first calls compiled: `seconds` of those that did, `graphs` of which `cached` came from torch's cache.

    `breaks` are the reasons for which code was left to eager mode between graphs, each once.
    """

    seconds: float
    graphs: int
    cached: int
    breaks: tuple[str, ...]

    def __str__(self) -> str:
        cached = f" ({self.cached} from torch's cache)" if self.cached else ""
        breaks = f"; left to eager mode: {', '.join(self.breaks)}" if self.breaks else ""
        return f"{self.graphs} {'graph' if self.graphs == 1 else 'graphs'}{cached}{breaks}"


def check(device: torch.device) -> None:
    """Compile the smallest of functions for `device`, which loads the compiler; `Unsupported` where that fails."""
    with _quiet():
        _set_up()
        if device.type == "cpu":
            _check_compiler()  # what torch's cache holds runs without one, until something new is compiled
        with _explained():
            torch.compile(lambda x: x + 1)(torch.zeros(8, device=device))


def install(model: nn.Module, phase: Phase) -> None:
    """Let `model` compile what `phase` calls of it when it is next called; forgets what this process has compiled.

    Shapes are fixed until they change, as is torch's default: of a generation, only the length becomes variable.
    """
    with _quiet():
        _set_up()
        torch.compiler.reset()
        _counters().clear()
    name = METHODS[phase] if isinstance(model, LanguageModel) else "forward"
    setattr(model, name, torch.compile(getattr(model, name)))


def first_calls(step: Callable[[], object]) -> Compilation:
    """Call `step` until a call compiles nothing more.

    Raises `Unsupported` where the compiler fails, finds nothing that it can compile, or never comes to an end.
    """
    seconds, graphs = 0.0, 0
    with _quiet(), _explained():
        for _ in range(MOST_CALLS):
            began = time.perf_counter()
            step()
            if _graphs() == graphs:
                break
            seconds, graphs = seconds + time.perf_counter() - began, _graphs()
        else:
            raise Unsupported(f"torch.compile still compiles after {MOST_CALLS} iterations.")
    if not graphs:
        raise Unsupported("torch.compile found nothing here that it can compile.")
    breaks = tuple(dict.fromkeys(reason.partition("\n")[0] for reason in _counters()["graph_break"]))
    return Compilation(seconds, graphs, int(_counters()["inductor"]["fxgraph_cache_hit"]), breaks)


def _graphs() -> int:
    return int(_counters()["stats"]["unique_graphs"])


def _counters() -> Any:
    from torch._dynamo.utils import counters

    return counters


def _set_up() -> None:
    import torch._dynamo.config
    import torch._inductor.config

    torch._inductor.config.compile_threads = 1  # in this process: none is started that could outlive it
    torch._dynamo.config.fail_on_recompile_limit_hit = True  # or it would fall back to eager mode without a word


def _check_compiler() -> None:
    from torch._inductor.cpp_builder import get_cpp_compiler
    from torch._inductor.exc import InvalidCxxCompiler

    try:
        get_cpp_compiler()
    except (InvalidCxxCompiler, OSError):  # none, or one that may not be run
        raise Unsupported("torch.compile needs a C++ compiler, and finds no g++ that runs (or CXX, if set).") from None


@contextmanager
def _explained() -> Iterator[None]:
    from torch._dynamo.exc import BackendCompilerFailed, FailOnRecompileLimitHit, TorchDynamoException

    try:
        yield
    except FailOnRecompileLimitHit as error:
        raise Unsupported("torch.compile gives up: a function changes its shapes more often than its limit.") from error
    except TorchDynamoException as error:
        cause = error.inner_exception if isinstance(error, BackendCompilerFailed) else error
        if isinstance(cause, (MemoryError, torch.OutOfMemoryError)):
            raise cause from error
        said = " ".join(str(cause).split()) or type(cause).__name__
        raise Unsupported(f"torch.compile cannot compile this: {said[:300].rstrip('.')}.") from error


@contextmanager
def _quiet() -> Iterator[None]:
    # torch warns of deprecated parts of its own that its compiler imports, and of what the cache cannot hold
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
