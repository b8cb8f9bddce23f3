"""What the memory of one iteration is made of: living tensors by their part, and the work space that is none of them.

The iteration really runs, so that oneDNN's and cuDNN's work space is seen too; under fake tensors, as
`torch.distributed._tools.mem_tracker` is made for, it is not. It takes several times as long as an iteration alone.
"""

import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_post_hook
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from bench.memory_parts import Tracked
from bench.record import Value

#: Operators that hand out what their library wants to see again in backward: which of their results that is.
_WORK_SPACE = {"aten::mkldnn_rnn_layer": 3, "aten::_cudnn_rnn": 4, "aten::miopen_rnn": 4}

#: By workload, the method of a language model that hands on a state, and where in its result that is.
_STATE: dict[str, tuple[str, Callable[[Any], object]]] = {
    "prefill": ("prefill", lambda state: state),
    "decode": ("step", lambda result: result[1]),
}

#: Where torch keeps the kernels of operators that only call others.
_COMPOSITE = torch._C.DispatchKey.CompositeImplicitAutograd

#: Makes the context in which torch chooses the format of each operator.
Autocast = Callable[[], AbstractContextManager[object]]


#: Work whose iterations are longer is not tracked: the tracker makes an iteration of many small operators up to twenty
#: times as long.
_TRACKED_BELOW_S = 1.0


def refusal(axes: Mapping[str, Value], iteration_s: float) -> str | None:
    """Why no tracker could see what the memory of a point with these axes is made of; None where it can."""
    if axes["compile"] == "compiled":
        return "compiled code takes memory past the operators that a tracker sees"
    if axes["optimizer"] == "adamw-8bit" and axes["workload"] == "train":
        return "torchao compiles its optimizer, so that it takes memory past the operators that a tracker sees"
    if axes["quantize"] != "none":
        return "quantized weights lie in formats that a tracker cannot look into"
    if iteration_s > _TRACKED_BELOW_S:
        return f"an iteration takes longer than {_TRACKED_BELOW_S:g} s, and much longer under a tracker"
    return None


def track(
    run: Callable[[], object], model: nn.Module, workload: str, device: torch.device, autocast: Autocast
) -> Tracked:
    """Run one iteration of `workload` by `run`, which uses `model` on `device` under `autocast`; see what lives then.

    Weights are the model's parameters and buffers; gradients and optimizer state are those of its parameters. The
    decoding state is what a prefill or a step returns, and in `decode` what there was before the iteration.
    Activations are every other tensor: kept for backward, there for a moment, or (a batch, a table of angles) read by
    the iteration. Work space is what a library keeps for itself, and how much higher torch's allocator rose than all
    tensors did, which is what operators take while they run. Drops the gradients that the model has.
    """
    for parameter in model.parameters():
        parameter.grad = None  # an iteration would drop them, but the profiler does not see older blocks go
    live = _Live("state" if workload == "decode" else "activations", autocast)
    live.assign([*model.parameters(), *model.buffers()], "weights")
    with ExitStack() as stack:
        stack.enter_context(_optimizer_states(live))
        if workload in _STATE:
            stack.enter_context(_states(live, model, workload))
        allocator = stack.enter_context(_allocator(device))
        stack.enter_context(live)
        run()
    live.assign([parameter.grad for parameter in model.parameters() if parameter.grad is not None], "gradients")
    # What older blocks gave back is missing there; taking all of it off never calls more work space than there was.
    return live.seen(allocator.rise_B - (live.older_freed_B() if allocator.misses_older else 0))


@dataclass(eq=False)
class _Held:
    """A storage that lives: its bytes, and the part that it belongs to, which may turn out later."""

    size_B: int
    part: str


class _Live(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch leaves its hooks untyped
    """Follows every storage that an operator reads or makes, from when it is made to when it is freed.

    A storage that is first seen as an operator's argument was there before: it counts from the beginning.
    """

    def __init__(self, read: str, autocast: Autocast) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._read = read  # the part of what was there before and is nothing else
        self._autocast = autocast
        self._held: dict[int, _Held] = {}
        self._before: list[_Held] = []
        self._log: list[tuple[_Held, int]] = []  # +1 where it came, -1 where it went

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run the operator, and see what it read and what it made."""
        kwargs = kwargs or {}
        if torch.is_inference_mode_enabled() and _is_made_of_others(func):
            # In inference mode such an operator arrives whole, with autocast switched off, which was to choose the
            # formats of its parts. `func.decompose` would prefer what Python has in place of torch's own kernels.
            with self._autocast(), self:
                return func._op_dk(_COMPOSITE, *args, **kwargs)
        for tensor in _tensors((args, kwargs)):
            self._find(tensor, self._read, self._before.append)
        result = func(*args, **kwargs)
        work_space = _WORK_SPACE.get(func.name())
        for place, each in enumerate(result if isinstance(result, (tuple, list)) else (result,)):
            part = "workspace" if place == work_space else "activations"
            for tensor in _tensors(each):
                self._find(tensor, part, lambda held: self._log.append((held, 1)))
        return result

    def assign(self, tensors: list[Tensor], part: str) -> None:
        """Count `tensors` to `part`, whatever they were taken for; those that were never seen were there before."""
        for tensor in tensors:
            self._find(tensor, part, self._before.append).part = part

    def _find(self, tensor: Tensor, part: str, come: Callable[[_Held], None]) -> _Held:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key not in self._held:
            held = self._held[key] = _Held(storage.nbytes(), part)
            come(held)
            weakref.finalize(storage, self._gone, key).atexit = False
        return self._held[key]

    def _gone(self, key: int) -> None:
        self._log.append((self._held.pop(key), -1))

    def older_freed_B(self) -> int:
        """Bytes that were there before the first operator and have gone since."""
        older = set(map(id, self._before))
        return sum(held.size_B for held, sign in self._log if sign < 0 and id(held) in older)

    def seen(self, rise_B: int) -> Tracked:
        """Bytes by part, where torch's allocator rose by `rise_B` above what it held before."""
        live: dict[str, int] = {}
        for held in self._before:
            live[held.part] = live.get(held.part, 0) + held.size_B
        before_B = sum(live.values())
        most, at_peak, peak_B = dict(live), dict(live), before_B
        for held, sign in self._log:
            live[held.part] = live.get(held.part, 0) + sign * held.size_B
            most[held.part] = max(most.get(held.part, 0), live[held.part])
            if (total := sum(live.values())) > peak_B:
                at_peak, peak_B = dict(live), total
        inside_B = max(rise_B - (peak_B - before_B), 0)
        for found in (at_peak, most):
            found["workspace"] = found.get("workspace", 0) + inside_B
        return Tracked(at_peak, most)


def _is_made_of_others(func: Any) -> bool:
    return bool(torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), _COMPOSITE))


def _tensors(values: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor)]


@contextmanager
def _optimizer_states(live: _Live) -> Iterator[None]:
    """Count what any optimizer that steps meanwhile keeps of its parameters to the optimizer's state."""

    def stepped(optimizer: torch.optim.Optimizer, *_: Any) -> None:
        live.assign(list(_inside(list(optimizer.state.values()))), "optimizer")

    hook = register_optimizer_step_post_hook(stepped)
    try:
        yield
    finally:
        hook.remove()


@contextmanager
def _states(live: _Live, model: Any, workload: str) -> Iterator[None]:
    """Count what the model hands on from step to step to the decoding state."""
    name, state_of = _STATE[workload]
    plain = getattr(model, name)

    def watched(*args: Any, **kwargs: Any) -> Any:
        result = plain(*args, **kwargs)
        live.assign(list(_inside(state_of(result))), "state")
        return result

    setattr(model, name, watched)
    try:
        yield
    finally:
        delattr(model, name)  # the class' own shows again


def _inside(value: Any, known: set[int] | None = None) -> Iterator[Tensor]:
    """Every tensor that `value` holds, however deep: only an architecture knows what its state looks like."""
    known = set() if known is None else known
    if id(value) in known or isinstance(value, nn.Module):
        return
    known.add(id(value))
    if isinstance(value, Tensor):
        yield value
        return
    within = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    for each in (*within, *getattr(value, "__dict__", {}).values()):
        yield from _inside(each, known)


@dataclass
class _Allocator:
    """How far torch's allocator rose above what it held at first, in bytes; known when its context ends.

    `misses_older` says that blocks which are older than the context were not seen to go.
    """

    misses_older: bool
    rise_B: int = field(default=0, init=False)


@contextmanager
def _allocator(device: torch.device) -> Iterator[_Allocator]:
    """On CUDA the allocator counts for itself; on the CPU torch's profiler logs each block that comes and goes."""
    found = _Allocator(misses_older=device.type != "cuda")
    if device.type == "cuda":
        held = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        yield found
        found.rise_B = torch.cuda.max_memory_allocated(device) - held
        return
    with torch.autograd.profiler.profile(profile_memory=True) as profile:
        yield found
    events: list[Any] = [event for event in profile.kineto_results.events() if event.name() == "[memory]"]
    now_B = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        now_B += event.nbytes()
        found.rise_B = max(found.rise_B, now_B)
