"""The matrix products of an iteration alone, each by the fastest routine here, in place of the library's choice.

What their operators take beyond that is lost by the kernels and not by the machine: the very same shapes were
multiplied in less time by the same threads. The rest of an iteration counts as it was observed. It is an upper bound of
what other kernels give, since what a recurrent layer does between its products is not repeated.
"""

from bench.interventions import Change, Conditions, Product, Setting
from bench.observation import Observation, Operator
from bench.operator_kinds import is_lstm

LABEL = "its products by the fastest routines"
#: Number formats that several routines multiply; in int8 there is one, which is no match for that of a quantized layer.
FORMATS = ("fp32", "bf16", "fp16")
#: Operators that take less of an iteration are left as they are.
LEAST_SHARE = 0.02
#: Products that take less of an iteration, all together, are no wall.
LEAST_TOGETHER = 0.25


def unavailable(setting: Setting) -> str | None:
    """It takes products whose shapes are known and that matter."""
    if setting.observation is None:
        return "What an iteration consists of was not observed."
    together = _share(_replaced(setting.observation), setting.observation)
    if together < LEAST_TOGETHER:
        return f"Products of known shape take {together:.0%} of an iteration: faster ones change little."
    return None


def change(setting: Setting) -> Change:
    """Every product that matters, as often as an iteration calls it."""
    assert setting.observation is not None
    replaced = _replaced(setting.observation)
    products = tuple(product for each in replaced for product in _products(each))
    return Change(Conditions(products=products), left_out=1.0 - _share(replaced, setting.observation))


def _replaced(observation: Observation) -> list[Operator]:
    return [each for each in observation.operators if _known(each) and _share([each], observation) >= LEAST_SHARE]


def _known(operator: Operator) -> bool:
    """Whether its work is that of one product of its shape, or of more, in a format that others multiply too."""
    return operator.is_matmul and operator.dtype in FORMATS and _passes(operator) >= 0.5


def _passes(operator: Operator) -> float:
    """How many products of its shape make up its work."""
    m, n, k = operator.shape
    return (operator.flops or 0.0) / (2.0 * max(m * n * k, 1))


def _products(operator: Operator) -> list[Product]:
    """The products of an operator; of an LSTM only those of its state are made step by step, all others in one."""
    m, n, k = operator.shape
    calls = max(round(operator.calls), 1)
    passes = max(round(_passes(operator) / calls), 1)

    def product(m: int, n: int, k: int, in_a_row: int = 1) -> Product:
        return Product(m, n, k, operator.dtype, calls, in_a_row)

    if not is_lstm(operator.name):
        return [product(m, n, k, passes)]
    hidden, inputs = n // 4, k - n // 4
    if "backward" not in operator.name:
        return [product(m, n, hidden, passes), product(m * passes, n, inputs)]
    steps = max(passes // 2, 1)  # gradients of rows and of weights are as much work each
    return [product(m, hidden, n, steps), product(m * steps, inputs, n), product(n, k, m * steps)]


def _share(operators: list[Operator], observation: Observation) -> float:
    """Share of the iteration; as profiled they may seem to take longer than all of it."""
    profiled = sum(each.seconds for each in observation.operators)
    return sum(each.seconds for each in operators) / max(observation.iteration_s, profiled)
