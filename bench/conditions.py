"""What a block runs under, carried out in this process: threads, cores and extra operators, undone when it is over."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from bench import autocasting, products_alone
from bench.interventions import Conditions, Product
from bench.stopwatch import Step


def read(raw: Mapping[str, Any] | None) -> Conditions:
    """Conditions from a request; none are the usual ones."""
    given = dict(raw or {})
    if given.get("cores") is not None:
        given["cores"] = tuple(given["cores"])
    given["products"] = tuple(Product(**each) for each in given.get("products", ()))
    return Conditions(**given)


@contextmanager
def machine(conditions: Conditions) -> Iterator[None]:
    """torch's threads and the cores of all threads of this process as `conditions` say, and afterwards as before."""
    threads = torch.get_num_threads()
    before = _cores() if conditions.cores is not None else set()
    try:
        if conditions.cores is not None:
            _bind(set(conditions.cores) & before or before)
        if conditions.threads is not None:
            torch.set_num_threads(conditions.threads)
        yield
    finally:
        torch.set_num_threads(threads)
        if before:
            _bind(before)


def _cores() -> set[int]:
    return os.sched_getaffinity(0)


def _bind(cores: set[int]) -> None:
    """Those that are started later take it from the thread that starts them."""
    for task in Path("/proc/self/task").iterdir():
        try:
            os.sched_setaffinity(int(task.name), cores)
        except OSError:  # it has ended since
            continue


def changed(step: Step, wanted: Conditions, device: torch.device) -> Step:
    """What runs in place of `step`: its products alone, or itself with empty operators after it.

    The empty ones are those of the ceiling `dispatch_empty_s`.
    """
    if wanted.products:
        return products_alone.step(wanted.products, device)
    if not wanted.extra_dispatches:
        return step
    call = empty_operator(device)

    def longer() -> None:
        step()
        for _ in range(wanted.extra_dispatches):
            call()

    return longer


def empty_operator(device: torch.device) -> Step:
    """A call that does nothing but pass through torch's dispatcher: the sum of no elements, in place."""
    nothing = torch.empty(0, device=device)  # it takes no gradient, so autograd has no part in it
    return lambda: nothing.add_(nothing)


class _Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    calls = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self.calls += 1
        given = kwargs or {}
        with autocasting.kept((*args, *given.values())):
            return func(*args, **given)


def dispatches(step: Step) -> int:
    """Operators that one iteration of `step` calls, as torch's dispatcher sees them below autograd."""
    counter = _Counter()  # type: ignore[no-untyped-call]
    with counter:
        step()
    return int(counter.calls)
