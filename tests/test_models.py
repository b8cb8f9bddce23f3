"""Published shapes: their parameters by arithmetic, their names, and what else can be named as a model."""

import json
import tomllib
from importlib.resources import files

import pytest

from bench.errors import Unsupported, UserError
from reports.projection import models

RAW = tomllib.loads((files("reports.projection") / models.SHIPPED).read_text(encoding="utf-8"))["model"]
#: Latent attention with dense first layers, and linear attention in most layers: their arithmetic is another.
PLAIN = [entry for entry in RAW if entry["name"] not in ("DeepSeek-V3", "Qwen3.5-397B-A17B")]


def arithmetic(entry, experts):
    """Embedding and projection, and per layer attention, feed-forward of so many experts with a router, and norms."""
    hidden, kv_heads = entry["hidden"], entry.get("kv_heads", entry["heads"])
    tables = entry["vocabulary"] * hidden * (1 if entry.get("tied") else 2)
    attention = 2 * hidden * entry["head_dim"] * (entry["heads"] + kv_heads)
    matrices = 2 if "ungated" in entry.get("note", "") else 3
    router = hidden * entry["experts"] if "experts" in entry else 0
    feed_forward = experts * matrices * hidden * entry["feed_forward"] + router
    return tables + entry["layers"] * (attention + feed_forward + 2 * hidden) + hidden


@pytest.mark.parametrize("entry", PLAIN, ids=lambda entry: entry["name"])
def test_parameters_are_those_of_the_shape(entry):
    """Biases, learned positions and norms of queries are what is left."""
    assert entry["parameters"] == pytest.approx(arithmetic(entry, entry.get("experts", 1)), rel=0.01)
    if "experts" in entry:
        active = arithmetic(entry, entry["experts_per_token"])
        assert entry["active_parameters"] == pytest.approx(active, rel=0.01)


def test_names_are_unique_however_they_are_written():
    names = [models._plain(entry["name"]) for entry in RAW]
    assert len(set(names)) == len(names)


def test_what_a_token_leaves_in_the_cache_is_keys_and_values_of_every_layer():
    assert models.named("Llama-3-70B").kv_values == 80 * 2 * 8 * 128
    latent = models.named("DeepSeek-V3")
    assert latent.kv_values == 61 * (512 + 64)
    assert latent.kv_heads == 1


def test_only_an_embedding_of_its_own_is_left_out_of_what_is_read():
    assert models.named("Llama-3-8B").table_parameters == 128_256 * 4096
    assert models.named("Gemma-2B").table_parameters == 0


def test_a_name_is_found_however_it_is_written():
    assert models.named("llama 3.1 8b") is models.named("Llama-3.1-8B")


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(UserError, match="Did you mean 'Llama-3-8B'"):
        models.named("Llama-3-8C")


def test_a_preset_of_ours_is_the_published_model_of_its_shape():
    preset, published = models.named("transformer/7b"), models.named("Llama-2-7B")
    for name in ("parameters", "table_parameters", "layers", "hidden", "kv_values", "attention_width", "kv_heads"):
        assert getattr(preset, name) == getattr(published, name), name


def test_a_folder_with_a_config_is_a_model(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    shape = {
        "model_type": "llama", "vocab_size": 128_256, "hidden_size": 4096, "num_hidden_layers": 32,
        "num_attention_heads": 32, "num_key_value_heads": 8, "intermediate_size": 14_336,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(shape))
    found, published = models.named(str(folder)), models.named("Llama-3-8B")
    assert found.name == "mine"
    assert (found.parameters, found.kv_values) == (published.parameters, published.kv_values)


def test_a_folder_of_another_family_is_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "mamba"}')
    with pytest.raises((Unsupported, UserError), match="mamba"):
        models.named(str(tmp_path))
