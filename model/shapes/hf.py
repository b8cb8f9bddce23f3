"""Models of transformers: where they lie, and what those cost whose config.json names a shape that we know."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.errors import Unsupported, UserError
from model.shapes import Costs, Work, transformer
from model.shapes._dimensions import check_flags

#: Every model brings its own dimensions.
PRESETS: dict[str, "Config"] = {}

#: Of each file of weights, so much at either end counts for `identity`: its header and first tensors, and its last.
ENDS_B = 1 << 20


@dataclass(frozen=True)
class Config:
    """A folder with config.json and safetensors, or a name on the hub. Raises `UserError` for an empty path.

    `trust_remote_code` lets the code that comes with the weights run; without it, only what transformers itself knows.
    """

    path: str
    trust_remote_code: bool = False

    def __post_init__(self) -> None:
        check_flags(self, ("trust_remote_code",))
        if not self.path or not isinstance(self.path, str):
            raise UserError(
                "No model is named.", "Give a folder, or a name on the hub such as 'openai-community/gpt2'."
            )

    @property
    def vocabulary(self) -> int:
        """Rows of the model's embedding. Raises `UserError` where config.json is not there or does not say."""
        return _number(self, read(self), "vocab_size")


def read(config: Config) -> dict[str, Any]:
    """The model's config.json. Raises `UserError` where there is none in the folder, or it is damaged."""
    file = Path(config.path) / "config.json"
    try:
        raw = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(
            f"'{config.path}' is no folder with a config.json.",
            "Give a folder that transformers' save_pretrained wrote.",
        ) from error
    except ValueError as error:
        raise UserError(f"'{file}' is not JSON: {error}.", "Save the model again.") from error
    if not isinstance(raw, dict):
        raise UserError(f"'{file}' is no configuration.", "Save the model again.")
    return raw


def _number(config: Config, raw: dict[str, Any], name: str) -> int:
    value = raw.get(name)
    if type(value) is not int or value < 1:
        raise UserError(f"The config.json of '{config.path}' has no usable '{name}'.", "Save the model again.")
    return value


def identity(config: Config) -> str:
    """SHA-256 of config.json and, of each file of weights, of its name, its size and the MiB at either end.

    That takes milliseconds whatever the size, and tells two trainings of one shape apart. Raises `UserError` where
    config.json is not there.
    """
    digest = hashlib.sha256(json.dumps(read(config), sort_keys=True).encode())
    for file in _weights(config):
        size = file.stat().st_size
        with file.open("rb") as opened:
            first = opened.read(ENDS_B)
            opened.seek(max(size - ENDS_B, 0))
            last = opened.read(ENDS_B)
        for part in (f"{file.name} {size}\n".encode(), first, last):
            digest.update(part)
    return digest.hexdigest()


def weights_B(config: Config) -> int:
    """Bytes of the files of weights: the least that the model takes, where no arithmetic tells more."""
    return sum(file.stat().st_size for file in _weights(config))


def _weights(config: Config) -> list[Path]:
    return sorted(Path(config.path).glob("*.safetensors"))


def tokens(config: Config, work: Work) -> int:
    """Tokens of one iteration, counted as `model.shapes.transformer` does, or `seq2seq` where there is an encoder.

    Raises `Unsupported` where GPT-2's learned positions do not reach so far.
    """
    raw = read(config)
    length = work.sequence_length + (0 if work.phase == "prefill" else work.generated_length)
    if raw.get("model_type") == "gpt2" and length - 1 > _number(config, raw, "n_positions"):
        raise Unsupported(f"The model has {raw['n_positions']:,} positions; {length - 1:,} are asked for.")
    if work.phase == "decode":
        return work.batch_size * work.generated_length
    # a decoder alone leaves the last token unread: generation begins with it, or it is only predicted
    return work.batch_size * (length if raw.get("is_encoder_decoder") else length - 1)


def costs(config: Config, work: Work) -> Costs:
    """Counts for one iteration of `work`, as of `model.shapes.transformer`, where this is one of its shapes.

    Parameters and FLOPs are exact. Bytes are those of our own implementation of the same shape; transformers' moves
    more, since it copies its cache at every step. Raises `Unsupported` for other shapes, of which no arithmetic is
    known, and as `tokens` does.
    """
    tokens(config, work)  # refuses what is too long
    return transformer.costs(dimensions(config), work)


def dimensions(config: Config) -> transformer.Config:
    """The model as a shape of ours: GPT-2, Llama or Mistral. Raises `Unsupported` for any other."""
    raw = read(config)
    kind = raw.get("model_type")
    if kind == "gpt2":
        return _gpt2(config, raw)
    if kind in ("llama", "mistral"):
        return _llama(config, raw)
    raise Unsupported(f"What a model of type '{kind}' costs is not known by arithmetic.")


def _gpt2(config: Config, raw: dict[str, Any]) -> transformer.Config:
    return transformer.Config(
        vocabulary=_number(config, raw, "vocab_size"),
        hidden=_number(config, raw, "n_embd"),
        layers=_number(config, raw, "n_layer"),
        heads=_number(config, raw, "n_head"),
        feed_forward=raw.get("n_inner"),
        positions="learned",
        context=_number(config, raw, "n_positions"),
        activation="gelu",
        norm="layer",
        tied=raw.get("tie_word_embeddings", True),
        bias=True,
    )


def _llama(config: Config, raw: dict[str, Any]) -> transformer.Config:
    hidden, heads = _number(config, raw, "hidden_size"), _number(config, raw, "num_attention_heads")
    odd = [name for name in ("attention_bias", "mlp_bias", "sliding_window") if raw.get(name)]
    if raw.get("head_dim") not in (None, hidden // heads):
        odd.append("head_dim")
    if odd:
        raise Unsupported(f"A Llama with its own '{odd[0]}' is no shape of ours.")
    return transformer.Config(
        vocabulary=_number(config, raw, "vocab_size"),
        hidden=hidden,
        layers=_number(config, raw, "num_hidden_layers"),
        heads=heads,
        kv_heads=raw.get("num_key_value_heads"),
        feed_forward=_number(config, raw, "intermediate_size"),
        tied=raw.get("tie_word_embeddings", False),
    )
