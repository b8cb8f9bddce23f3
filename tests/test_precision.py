import pytest
import torch

from model import precision
from model.architectures import build
from model.errors import Unsupported, UserError
from model.shapes import transformer
from model.shapes.lstm import Config
from model.train import TrainingStep, optimizer

CPU = torch.device("cpu")
CONFIG = Config(vocabulary=20, embedding=8, hidden=8, layers=1)


@pytest.fixture(autouse=True)
def _restore_switches():
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    yield
    torch.set_float32_matmul_precision(before[0])
    torch.backends.cudnn.allow_tf32 = before[1]


@pytest.fixture
def on_a_gpu(monkeypatch: pytest.MonkeyPatch):
    """A device of the given compute capability, as far as the choice of a precision asks it."""

    def present(*capability: int) -> torch.device:
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
        return torch.device("cuda:0")

    return present


def test_fp32_switches_tf32_off_even_where_torch_had_it_on():
    torch.backends.cudnn.allow_tf32 = True
    torch.set_float32_matmul_precision("high")
    model = precision.apply(build("lstm", CONFIG), "fp32", CPU)
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32
    assert next(model.parameters()).dtype == torch.float32


def test_tf32_switches_both_libraries_on(on_a_gpu):
    precision.apply(build("lstm", CONFIG), "tf32", on_a_gpu(8, 0))
    assert torch.backends.cudnn.allow_tf32
    assert torch.backends.cuda.matmul.allow_tf32


@pytest.mark.parametrize("name", ["tf32", "bf16", "amp-bf16"])
def test_a_gpu_before_ampere_has_neither_tf32_nor_bf16(on_a_gpu, name: str):
    with pytest.raises(Unsupported, match=r"8\.0; this device has 7\.5"):
        precision.apply(build("lstm", CONFIG), name, on_a_gpu(7, 5))


def test_the_cpu_has_no_tf32():
    with pytest.raises(Unsupported, match="tf32"):
        precision.apply(build("lstm", CONFIG), "tf32", CPU)


def test_fp16_is_not_trained_on_the_cpu_but_scaled_on_a_gpu(on_a_gpu):
    with pytest.raises(Unsupported, match="fp16"):
        precision.scaler("amp-fp16", CPU)
    with pytest.raises(Unsupported, match="fp16"):
        precision.apply(build("lstm", CONFIG), "amp-fp16", CPU, training=True)
    precision.apply(build("lstm", CONFIG), "amp-fp16", on_a_gpu(7, 0), training=True)


@pytest.mark.parametrize("name", ["fp32", "tf32", "amp-bf16", "bf16"])
def test_no_other_precision_scales_its_loss(name: str):
    assert precision.scaler(name, CPU) is None


def test_an_unknown_precision_lists_what_there_is():
    with pytest.raises(UserError, match=r"'int3'.*fp32, tf32, amp-bf16, amp-fp16, bf16"):
        precision.apply(build("lstm", CONFIG), "int3", CPU)


@pytest.mark.parametrize(
    ("name", "weights", "logits"),
    [
        ("fp32", torch.float32, torch.float32),
        ("amp-bf16", torch.float32, torch.bfloat16),
        ("amp-fp16", torch.float32, torch.float16),
        ("bf16", torch.bfloat16, torch.bfloat16),
    ],
)
def test_a_precision_decides_the_format_of_weights_and_of_arithmetic(name, weights, logits):
    # not every processor has oneDNN's LSTM in fp16; matrices it multiplies on all of them
    config = transformer.Config(vocabulary=20, hidden=8, layers=1, heads=2)
    model = precision.apply(build("transformer", config), name, CPU)
    source = torch.randint(4, 20, (2, 5))
    with torch.inference_mode(), precision.autocast(name, CPU):
        found, _ = model.step(model.first(source), model.prefill(source))
    assert {parameter.dtype for parameter in model.parameters()} == {weights}
    assert found.dtype == logits


@pytest.mark.parametrize("name", ["fp32", "amp-bf16", "bf16"])
def test_a_precision_that_trains_lowers_the_loss(name: str):
    model = precision.apply(build("lstm", CONFIG, seed=0), name, CPU, training=True)
    step = TrainingStep(model, optimizer(model, "adamw", 1e-2), name)
    source, target = torch.randint(4, 20, (2, 2, 5), generator=torch.Generator().manual_seed(0))
    losses = [float(step(source, target)) for _ in range(30)]
    assert losses[-1] < 0.7 * losses[0]
