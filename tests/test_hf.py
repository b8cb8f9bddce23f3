import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model import shapes
from model.architectures import LanguageModel, build
from model.errors import Unsupported, UserError
from model.shapes.hf import Config, costs
from model.text import pad
from model.train import TrainingStep, optimizer
from tests.small_models import counted, random_codes, stepped

transformers = pytest.importorskip("transformers", reason="the extra `hf` is not installed")


def _gpt2() -> Any:
    return transformers.GPT2LMHeadModel(
        transformers.GPT2Config(vocab_size=50, n_embd=32, n_layer=2, n_head=4, n_positions=64)
    )


def _llama() -> Any:
    return transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            vocab_size=50,
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            intermediate_size=40,
            max_position_embeddings=64,
        )
    )


def _t5() -> Any:
    return transformers.T5ForConditionalGeneration(
        transformers.T5Config(
            vocab_size=50, d_model=32, d_kv=8, d_ff=40, num_layers=2, num_heads=4, decoder_start_token_id=2
        )
    )


MODELS = {"gpt2": _gpt2, "llama": _llama, "t5": _t5}
every = pytest.mark.parametrize("kind", MODELS)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made = {}
    for name, make in MODELS.items():
        torch.manual_seed(0)
        model = make()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.1 * torch.randn(parameter.shape))
        made[name] = tmp_path_factory.mktemp(name)
        model.save_pretrained(made[name])
    return made


@pytest.fixture
def model(folders: dict[str, Path], kind: str) -> LanguageModel:
    return build("hf", Config(str(folders[kind])))


@every
def test_steps_give_the_logits_of_the_full_pass(model: LanguageModel):
    source, target = random_codes(3, 7), random_codes(3, 5)
    torch.testing.assert_close(stepped(model, source, target), model(source, target), atol=1e-5, rtol=0)
    assert stepped(model, source[:, :1], target).shape == (3, 5, 50)


@every
def test_a_state_can_be_started_from_anew(model: LanguageModel):
    source, target = random_codes(3, 4), random_codes(3, 2)
    tokens, state = model.first(source), model.prefill(source)
    logits, further = model.step(tokens, state)
    model.step(target[:, 0], further)
    assert torch.equal(model.step(tokens, state)[0], logits)


@every
def test_a_later_token_leaves_earlier_logits_unchanged(model: LanguageModel):
    source, target = random_codes(3, 7), random_codes(3, 5)
    other = target.clone()
    other[:, 2] = (target[:, 2] + 1) % 50
    before, after = model(source, target), model(source, other)
    torch.testing.assert_close(before[:, :3], after[:, :3], atol=1e-6, rtol=0)
    assert not torch.allclose(before[:, 3:], after[:, 3:])


@every
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sources=st.lists(st.lists(st.integers(4, 19), min_size=1, max_size=6), min_size=1, max_size=4))
def test_padding_changes_nothing(model: LanguageModel, sources: list[list[int]]):
    codes, lengths, _ = pad(sources)
    target = random_codes(len(sources), 3)
    alone = torch.cat([model(torch.tensor([s]), target[i : i + 1]) for i, s in enumerate(sources)])
    torch.testing.assert_close(model(codes, target, lengths), alone, atol=1e-5, rtol=0)
    torch.testing.assert_close(stepped(model, codes, target, lengths), alone, atol=1e-5, rtol=0)


@every
def test_it_gives_the_logits_that_transformers_gives(model: LanguageModel, folders: dict[str, Path], kind: str):
    source, target = random_codes(2, 6), random_codes(2, 3)
    found = model(source, target)
    if kind == "t5":
        peer = transformers.AutoModelForSeq2SeqLM.from_pretrained(folders[kind]).eval()
        before = torch.cat([torch.full((2, 1), 2), target[:, :-1]], dim=1)
        expected = peer(source, decoder_input_ids=before).logits
    else:
        peer = transformers.AutoModelForCausalLM.from_pretrained(folders[kind]).eval()
        expected = peer(torch.cat([source, target], dim=1)).logits[:, 5:-1]
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


@every
def test_it_can_be_trained(model: LanguageModel):
    step = TrainingStep(model, optimizer(model, "adamw", 1e-2))
    source, target = random_codes(2, 5), random_codes(2, 3)
    losses = [float(step(source, target)) for _ in range(5)]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_a_known_shape_has_exact_costs(model: LanguageModel, folders: dict[str, Path], kind: str):
    config = Config(str(folders[kind]))
    source, target = random_codes(2, 5), random_codes(2, 3)
    train = costs(config, shapes.Work("train", 2, 5, 3))
    assert config.vocabulary == 50
    assert train.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert counted(lambda: model(source, target).sum().backward()) == train.flops
    with torch.no_grad():
        assert counted(lambda: model.prefill(source)) == costs(config, shapes.Work("prefill", 2, 5, 3)).flops


def test_another_shape_has_no_costs_by_arithmetic(folders: dict[str, Path]):
    with pytest.raises(Unsupported, match="'t5'"):
        costs(Config(str(folders["t5"])), shapes.Work("train", 1, 1, 1))


def test_an_unreachable_hub_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # the port where nothing listens
    with pytest.raises(UserError, match="the hub did not give it") as told:
        build("hf", Config("someone/no-such-model"))
    assert "Check the name and the network" in told.value.remedy


def test_a_pickle_is_not_opened(folders: dict[str, Path], tmp_path: Path):
    (tmp_path / "config.json").write_text((folders["gpt2"] / "config.json").read_text())
    torch.save(_gpt2().state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(UserError, match="cannot be loaded"):
        build("hf", Config(str(tmp_path)))


def test_code_that_comes_with_a_model_does_not_run(tmp_path: Path):
    mark = tmp_path / "it_ran"
    code = f"from pathlib import Path\nPath({str(mark)!r}).touch()\n"
    (tmp_path / "evil.py").write_text(code)
    auto = {"AutoConfig": "evil.C", "AutoModelForCausalLM": "evil.M"}
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "evil", "auto_map": auto}))
    with pytest.raises(UserError, match="cannot be loaded"):
        build("hf", Config(str(tmp_path)))
    assert not mark.exists()


@pytest.mark.parametrize(
    ("text", "said"), [(None, "is no folder with a config.json"), ("{", "is not JSON"), ("[]", "is no configuration")]
)
def test_a_folder_without_a_good_configuration_is_one_sentence(tmp_path: Path, text: str | None, said: str):
    if text is not None:
        (tmp_path / "config.json").write_text(text)
    with pytest.raises(UserError, match=said):
        costs(Config(str(tmp_path)), shapes.Work("train", 1, 1, 1))


def test_a_model_needs_a_name():
    with pytest.raises(UserError, match="No model is named"):
        Config("")
