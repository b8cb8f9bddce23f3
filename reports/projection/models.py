"""Models to project: their shapes, by name from `models.toml`, from a folder with a config.json, or of ours."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Model:
    """A decoder's shape. `parameters` counts all; a token passes `active_parameters` of them (fewer in mixtures).

    `table_parameters` are those of the embedding of tokens, of which a token reads one row. `kv_values` is how many
    values of keys and values one token leaves in the cache of all layers (2 * layers * kv_heads * head_dim; fewer with
    latent attention; 0 for a recurrent model). `attention_width` is heads * head_dim, over which scores are computed.
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
    context: int | None = None
    source: str = ""
