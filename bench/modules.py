"""Which module of a model is running: told by hooks that are there for a moment."""

from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from torch import nn
from torch.profiler import record_function
from torch.utils.hooks import RemovableHandle

#: Begins the name of a range in a profile that is a module.
PREFIX = "pinchpoint module: "
#: What the model itself is called; modules in it have the names of `named_modules`.
WHOLE = "model"


class Modules:
    """While entered, a profile of `model` has a range for each call of a module, and `current` is the running one.

    Without a model nothing is hooked. A compiled module ignores hooks that it was not compiled with.
    """

    def __init__(self, model: nn.Module | None) -> None:
        self._model = model
        self._handles: list[RemovableHandle] = []
        self._running: list[tuple[str, record_function]] = []

    @property
    def current(self) -> str:
        """Name of the innermost module that is running; empty outside of them."""
        return self._running[-1][0] if self._running else ""

    def __enter__(self) -> Self:
        """Add the hooks."""
        for name, module in () if self._model is None else self._model.named_modules():
            self._handles.append(module.register_forward_pre_hook(self._begin(name or WHOLE)))
            self._handles.append(module.register_forward_hook(self._end, always_call=True))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove them."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        while self._running:
            self._end()

    def _begin(self, name: str) -> Callable[..., None]:
        def begin(*_: Any) -> None:
            section = record_function(PREFIX + name)
            section.__enter__()  # type: ignore[no-untyped-call]
            self._running.append((name, section))

        return begin

    def _end(self, *_: Any) -> None:
        if self._running:
            self._running.pop()[1].__exit__(None, None, None)
