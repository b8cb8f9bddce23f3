"""Models to project: published shapes by name from `models.toml`, a folder with a config.json, or a shape of ours."""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field, Strict, TypeAdapter

from bench.errors import UserError
from bench.kinds import nearest
from model import shapes
from model.shapes import hf, transformer

SHIPPED = "models.toml"
Count = Annotated[int, Strict(), Field(gt=0)]


@dataclass(frozen=True)
class Model:
    """A decoder's shape.

    `parameters` counts all weights; a token passes `active_parameters` of them, fewer in a mixture of `experts`, of
    which each token takes `experts_per_token`. `table_parameters` are the embedding of tokens where no product reads it
    (0 where the projection shares it). `kv_values` is how many values of keys and values one token leaves in the cache
    over all layers, `attention_width` heads * head_dim, over which scores are computed in each layer. `heads` and
    `kv_heads` are None where they are not known; a compressed cache that heads share counts as one head. `shape` is an
    architecture of `model.shapes` with its Config where the model is no decoder-only Transformer: what it costs is
    then counted there, and the other fields serve for its memory.
    """

    name: str
    parameters: int
    active_parameters: int
    table_parameters: int
    layers: int
    hidden: int
    vocabulary: int
    kv_values: int
    attention_width: int
    experts: int = 1
    experts_per_token: int = 1
    context: int | None = None
    source: str = ""
    heads: int | None = None
    kv_heads: int | None = None
    shape: tuple[str, Any] | None = None

    @property
    def expert_parameters(self) -> float:
        """Weights that lie in experts: those that not every token passes are all but its share of them."""
        if self.experts <= self.experts_per_token:
            return 0.0
        return (self.parameters - self.active_parameters) / (1 - self.experts_per_token / self.experts)


@dataclass(frozen=True)
class _Published:
    name: str
    parameters: Count
    layers: Count
    hidden: Count
    heads: Count
    head_dim: Count
    vocabulary: Count
    source: str
    kv_heads: Count | None = None
    kv_values_per_token_layer: Count | None = None
    active_parameters: Count | None = None
    feed_forward: Count | None = None
    experts: Count = 1
    experts_per_token: Count = 1
    context: Count | None = None
    tied: bool = False
    note: str = ""
    __pydantic_config__ = ConfigDict(extra="forbid")

    def model(self) -> Model:
        """As projection reads it."""
        cached = self.kv_values_per_token_layer or 2 * (self.kv_heads or self.heads) * self.head_dim
        return Model(
            name=self.name,
            parameters=self.parameters,
            active_parameters=self.active_parameters or self.parameters,
            table_parameters=0 if self.tied else self.vocabulary * self.hidden,
            layers=self.layers,
            hidden=self.hidden,
            vocabulary=self.vocabulary,
            kv_values=self.layers * cached,
            attention_width=self.heads * self.head_dim,
            experts=self.experts,
            experts_per_token=self.experts_per_token,
            context=self.context,
            source=self.source,
            heads=self.heads,
            kv_heads=1 if self.kv_values_per_token_layer else self.kv_heads or self.heads,
        )


@cache
def published() -> dict[str, Model]:
    """The models that come with pinchpoint, by name."""
    raw = tomllib.loads((files("reports.projection") / SHIPPED).read_text(encoding="utf-8"))
    found = TypeAdapter(list[_Published]).validate_python(raw["model"])
    return {each.name: each.model() for each in found}


def named(text: str) -> Model:
    """A published model, one of our presets (`transformer/7b`, `lstm/tiny`), or a folder with a config.json.

    Raises `UserError` for a name that is none of these, with the nearest one.
    """
    by_letters = {_plain(name): model for name, model in published().items()}
    if _plain(text) in by_letters:
        return by_letters[_plain(text)]
    architecture, _, size = text.partition("/")
    if size and architecture in shapes.names() and shapes.load(architecture).PRESETS:
        return of_shape(architecture, shapes.configure(architecture, size), text)
    if (Path(text) / "config.json").is_file():
        return of_config(Path(text).resolve().name, hf.dimensions(hf.Config(text)))
    raise UserError(
        f"There is no model '{text}'.{nearest(text, published())}",
        "Name a folder with a config.json, transformer/7b, or one that `pinchpoint project --list-models` shows.",
    )


def of_shape(architecture: str, config: Any, name: str) -> Model:
    """A model of any architecture of ours that continues texts.

    A decoder-only Transformer, also one of transformers' (`hf`), is counted as published models are, so that what was
    learned from those holds for it. Of the others, `kv_values` is what a token leaves for later steps to read: keys and
    values in every layer (seq2seq, of the source and of the output alike), a state of the encoder and its key (lstm and
    rnn with attention), else nothing, since a recurrent state is as large after a thousand tokens as after one. Raises
    `UserError` for an architecture that is not known or labels texts, `Unsupported` for a model of transformers of
    which no arithmetic is known.
    """
    if architecture == "hf":
        return of_config(name, hf.dimensions(config))
    if architecture == "transformer":
        return of_config(name, config)
    if shapes.labels_texts(architecture):
        raise UserError(f"'{architecture}' labels texts and generates none.", "Name a model that continues texts.")
    work = shapes.Work("decode", 1, 1, 1)
    transformer_like = isinstance(config, transformer.Config)
    width = 2 * config.layers * config.key_value_width if transformer_like else 0
    looks_back = not transformer_like and getattr(config, "attention", False)
    tied = config.tied if hasattr(config, "tied") else config.embedding == config.hidden
    parameters = shapes.costs(architecture, config, work).parameters
    return Model(
        name=name,
        parameters=parameters,
        active_parameters=parameters,
        table_parameters=0 if tied else config.vocabulary * getattr(config, "embedding", config.hidden),
        layers=config.layers,
        hidden=config.hidden,
        vocabulary=config.vocabulary,
        kv_values=2 * config.hidden if looks_back else width,
        attention_width=config.heads * config.head_width if transformer_like else config.hidden if looks_back else 0,
        source="arithmetic over its shape",
        heads=config.heads if transformer_like else None,
        kv_heads=config.key_value_width // config.head_width if transformer_like else None,
        shape=(architecture, config),
    )


def of_config(name: str, config: transformer.Config) -> Model:
    """A Transformer of ours as a model to project."""
    parameters = shapes.costs("transformer", config, shapes.Work("decode", 1, 1, 1)).parameters
    return Model(
        name=name,
        parameters=parameters,
        active_parameters=parameters,
        table_parameters=0 if config.tied else config.vocabulary * config.hidden,
        layers=config.layers,
        hidden=config.hidden,
        vocabulary=config.vocabulary,
        kv_values=2 * config.layers * config.key_value_width,
        attention_width=config.heads * config.head_width,
        source="arithmetic over its shape",
        heads=config.heads,
        kv_heads=config.key_value_width // config.head_width,
    )


def _plain(name: Any) -> str:
    return "".join(letter for letter in str(name).casefold() if letter.isalnum() or letter == ".")
