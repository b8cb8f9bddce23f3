"""An iteration as pieces that a change meets as one: products with their module, what works on tensors, and the host.

Read from an observation: operators, their seconds, shapes and modules. Operators of a module that holds products are
one piece with these, since its call is what would be replaced. Names of models and workloads are not looked at.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

from bench.kernels import Kernel
from bench.observation import Observation, Operator
from bench.operator_kinds import base, is_lstm
from bench.record import Value

#: Pieces of a smaller share are not timed; what a change does to them is told by their sizes.
LEAST_SHARE = 0.015

#: Bytes of an operator over all weights are a whole number of passes, but for biases and counters.
_ROUND = 0.05

_LSTM_CALL = ("lstm", "quantized_lstm")
_BACKWARD = "backward"
#: Products with respect to rows and to weights follow that of a forward pass, each as much work.
_WITH_GRADIENTS = 3


@dataclass(frozen=True)
class Part:
    """Seconds of an iteration in `calls` calls, of a kernel or (None) of nothing that a change could replace.

    `timed` says whether the kernel is worth timing. `host` marks time in which no operator ran.
    """

    seconds: float
    calls: float
    kernel: Kernel | None = None
    timed: bool = False
    host: bool = False


def trains(observation: Observation) -> bool:
    """Whether gradients are made."""
    return any(_BACKWARD in operator.name for operator in observation.operators)


def parts(observation: Observation, axes: Mapping[str, Value], parameters: int = 0) -> list[Part]:
    """The pieces of an iteration; their seconds add up to `observation.iteration_s`.

    `parameters` counts the weights, which tells what updates all of them from what works on a single matrix (0: not
    known).
    """
    made = _Made(observation, axes, parameters)
    modules: dict[str, list[Operator]] = defaultdict(list)
    for operator in observation.operators:
        modules[operator.module].append(operator)
    found: list[Part] = []
    for operators in modules.values():
        found += made.module(operators)
    return [*found, Part(observation.host_s, observation.calls, host=True)]


class _Made:
    def __init__(self, observation: Observation, axes: Mapping[str, Value], parameters: int) -> None:
        self._o, self._parameters = observation, parameters
        self._trains = trains(observation)
        self._usual = {
            "precision": str(axes["precision"]),
            "quantize": str(axes["quantize"]),
            "threads": observation.threads,
            "around_B": observation.working_set_B,
        }
        # what has the shape of a matrix, or of a table that rows are read from, is a weight
        products = [each.shape for each in observation.operators if each.kind == "product" and len(each.shape) == 3]
        tables = [each.shape for each in observation.operators if each.kind == "gather" and len(each.shape) == 2]
        recurrent = {each.shape for each in observation.operators if is_lstm(each.name) and len(each.shape) == 3}
        matrices = {shape[1:] for shape in products if shape not in recurrent} | set(tables)
        for _, gates, width in recurrent:  # a layer has two matrices, of its input and of its state
            matrices |= {(gates, gates // 4), (gates, width - gates // 4)}
        self._weights = {prod(matrix): matrix for matrix in sorted(matrices)}

    def module(self, operators: Sequence[Operator]) -> list[Part]:
        products = [each for each in operators if self._known(each)]
        if not products:
            return [part for each in operators for part in self._plain(each)]
        seconds = sum(each.seconds for each in operators)
        kernel = self._product(products, operators)
        return [Part(seconds, kernel.calls, kernel, self._matters(seconds))]

    @staticmethod
    def _known(operator: Operator) -> bool:
        """Whether a kernel is there for it."""
        return operator.is_matmul or (operator.kind == "attention" and len(operator.shape) == 3)

    def _matters(self, seconds: float) -> bool:
        return seconds >= LEAST_SHARE * self._o.iteration_s

    def _product(self, products: Sequence[Operator], operators: Sequence[Operator]) -> Kernel:
        largest = max(products, key=lambda each: each.flops or 0.0)
        if is_lstm(largest.name):
            return self._lstm(largest, operators)
        m, n, k = largest.shape
        if largest.kind == "attention":
            heads = (largest.flops or 0.0) / max(largest.calls * 4.0 * m * n * k, 1.0)
            return self._kernel("attention", (max(round(heads), 1), m, n, k), largest.calls)
        # of forward and both gradients, the forward product has the shape that the others are turned around from
        forward = next((each for each in products if base(each.name) in ("addmm", "linear")), None)
        m, n, k = forward.shape if forward is not None else largest.shape
        work = sum(each.flops or 0.0 for each in products)
        calls = work / (2.0 * m * n * k) / (_WITH_GRADIENTS if self._trains else 1)
        return self._kernel("linear", (m, n, k), calls)

    def _lstm(self, largest: Operator, operators: Sequence[Operator]) -> Kernel:
        batch, gates, width = largest.shape
        hidden = gates // 4
        forward = base(largest.name).replace(f"_{_BACKWARD}", "")
        layer_calls = sum(each.calls for each in operators if base(each.name) == forward)
        whole = sum(each.calls for each in operators if base(each.name) in _LSTM_CALL) or layer_calls
        layers = max(round(layer_calls / max(whole, 1.0)), 1)
        backward = 2.0 if _BACKWARD in largest.name else 1.0
        steps = (largest.flops or 0.0) / max(largest.calls * backward * 2.0 * batch * gates * width, 1.0)
        return self._kernel("lstm", (batch, max(round(steps), 1), width - hidden, hidden, layers), whole)

    def _kernel(self, kind: str, sizes: tuple[int, ...], calls: float) -> Kernel:
        return Kernel(kind, sizes, backward=self._trains, calls=max(round(calls), 1), **self._usual)  # type: ignore[arg-type]

    def _plain(self, operator: Operator) -> list[Part]:
        """Work on tensors in order, as large as its largest; views and calls of others cost their calls.

        So does a product without a kernel, but that is not timed: its time may follow its size, or not.
        """
        values = prod(operator.shape) if operator.shape else 0
        if operator.kind not in ("elementwise", "gather", "product", "attention") or not values:
            return [Part(operator.seconds, operator.calls)]
        columns = operator.shape[-1]
        if operator.kind in ("product", "attention"):
            made = self._elementwise(operator.seconds, operator.calls, (max(values // columns, 1), columns))
            return [replace(made, timed=False)]
        if operator.kind == "gather" and _BACKWARD not in operator.name:
            # rows of a table: as many values as are read and written, not the table's
            values = max(round((operator.bytes_moved or 0.0) / max(operator.calls, 1.0) / 8.0), 1)
        elif values in self._weights:
            return self._over_weights(operator, values)
        return [self._elementwise(operator.seconds, operator.calls, (max(values // max(columns, 1), 1), columns))]

    def _over_weights(self, operator: Operator, values: int) -> list[Part]:
        """What an update does to the largest matrix, and to all others: these may shrink unlike."""
        moved = (operator.bytes_moved or 0.0) / 4 / max(self._parameters, 1)
        whole = round(moved) > 0 and abs(moved / max(round(moved), 1) - 1) < _ROUND
        updates_all = whole and operator.kind != "gather" and self._parameters > values
        share = values / self._parameters if updates_all else 1.0
        calls = 1.0 if updates_all else operator.calls  # matrices of the largest size are few
        found = [self._elementwise(operator.seconds * share, calls, self._weights[values], "weights")]
        others = [matrix for size, matrix in self._weights.items() if size < values]
        if share < 1.0 and others:
            rest = max(others, key=prod)
            found.append(self._elementwise(operator.seconds * (1 - share), operator.calls - 1, rest, "weights"))
        elif share < 1.0:
            found.append(Part(operator.seconds * (1 - share), operator.calls))
        return found

    def _elementwise(self, seconds: float, calls: float, sizes: tuple[int, ...], over: str = "tokens") -> Part:
        made = replace(self._kernel("elementwise", sizes, 1), over=over, backward=False)  # type: ignore[arg-type]
        return Part(seconds, calls, made, self._matters(seconds))
