from typing import get_args

import psutil
import pytest
import torch

from bench import points
from bench.errors import Unsupported
from bench.session import Session
from model import architectures, compiled, shapes
from model.architectures import LanguageModel
from tests.test_contracts import small

CPU = torch.device("cpu")
SETTINGS = {"block_seconds": 0.001, "warmup_limit": 0, "corpus": None, "cache": None}


@pytest.fixture(autouse=True)
def a_compiler():
    """What compiles is tested where something can be; elsewhere it is skipped with the reason."""
    try:
        compiled.check(CPU)
    except Unsupported as reason:
        pytest.skip(str(reason))
    torch.compiler.reset()
    compiled._counters().clear()
    yield
    torch.compiler.reset()


def stepped(model: LanguageModel, source: torch.Tensor, steps: int) -> torch.Tensor:
    tokens, state = model.first(source).clone(), model.prefill(source, steps=steps)
    logits = []
    for _ in range(steps):
        row, state = model.step(tokens, state)
        logits.append(row)
        tokens = row.argmax(dim=-1)
    return torch.stack(logits, dim=1)  # (B, G, V)


def test_a_generation_is_compiled_before_it_is_timed():
    variant = {"workload": "decode", "batch_size": 2, "compile": "compiled", "threads": 1}
    session = Session(points.point(small("lstm") | variant).axes, SETTINGS)
    facts = session.build()["facts"]
    assert facts["compile_s"] > 0
    assert "LSTM" in facts["compiled"]  # its library's kernel is left as it is, and that is told
    graphs = compiled._graphs()
    assert session.block("timed", 0, 0).samples_ns
    assert compiled._graphs() == graphs
    assert psutil.Process().children(recursive=True) == []  # none that could outlive the child


def test_a_growing_cache_is_compiled_a_few_times_and_gives_what_it_gave():
    config = points.config(points.point(small("transformer") | {"layers": 1}).axes)
    model = architectures.build("transformer", config, seed=0).eval()
    source = torch.tensor([[5, 6, 7], [8, 9, 4]])
    with torch.inference_mode():
        expected = stepped(model, source, 9)
        compiled.install(model, "decode")
        found = compiled.first_calls(lambda: stepped(model, source, 9))
        torch.testing.assert_close(stepped(model, source, 9), expected, atol=1e-5, rtol=0)
    assert 0 < found.graphs == compiled._graphs() <= 4
    assert found.breaks == ()


def test_what_every_phase_calls_is_there_to_be_compiled():
    assert set(compiled.METHODS) == set(get_args(shapes.Phase))
    assert all(callable(getattr(LanguageModel, method)) for method in compiled.METHODS.values())


def test_code_between_two_graphs_is_named_with_the_reason():
    def broken(x):
        y = x + 1
        torch._dynamo.graph_break()
        return y * 2

    run = torch.compile(broken, backend="eager")
    found = compiled.first_calls(lambda: run(torch.ones(2)))
    assert found.graphs == 2
    assert str(found) == f"2 graphs; left to eager mode: {found.breaks[0]}"
    assert "graph_break" in found.breaks[0]


def failing(error: Exception):
    def backend(graph, inputs):
        raise error

    return torch.compile(lambda x: x + 1, backend=backend)


def test_a_compiler_that_fails_is_unsupported_with_its_words():
    with pytest.raises(Unsupported, match=r"cannot compile this: .*no such kernel\.$"):
        compiled.first_calls(lambda: failing(RuntimeError("no such kernel"))(torch.ones(2)))


def test_memory_that_runs_out_in_the_compiler_is_not_called_unsupported():
    with pytest.raises(MemoryError):
        compiled.first_calls(lambda: failing(MemoryError())(torch.ones(2)))


def test_what_compiles_at_every_call_is_unsupported():
    sizes = iter(range(2, 100))
    run = torch.compile(lambda x: x + 1, backend="eager", dynamic=False)
    with pytest.raises(Unsupported, match="still compiles after 8 iterations"):
        compiled.first_calls(lambda: run(torch.ones(next(sizes))))


def test_torch_does_not_fall_back_to_eager_mode_without_a_word():
    run = torch.compile(lambda x: x + 1, backend="eager", dynamic=False)
    with pytest.raises(Unsupported, match="more often than its limit"):
        compiled.first_calls(lambda: [run(torch.ones(size)) for size in range(2, 20)])


def test_nothing_to_compile_is_unsupported():
    with pytest.raises(Unsupported, match="nothing here"):
        compiled.first_calls(lambda: None)
