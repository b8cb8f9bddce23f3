"""A trained model on disk: safetensors, with everything that is needed to use it again as JSON in its header.

Each parameter is stored once, under the first name that it has, so tied weights are tied again when they are loaded.
A hash over all of it stands beside: a file of which one bit has turned is refused, not loaded as another model.
"""

import contextlib
import hashlib
import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, get_type_hints

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from model import shapes
from model.architectures import Classifier, LanguageModel, build_any
from model.errors import UserError
from model.text import Vocabulary
from model.tokens import TokenOptions

#: Key of our entry in the header, and the version of what stands there.
ENTRY = "pinchpoint"
FORMAT = 1

#: Type of each option of the text.
KNOWN = get_type_hints(TokenOptions)


@dataclass(frozen=True)
class Checkpoint:
    """A trained model, and how its text was made: `text_options` are the keywords of `model.tokens.tokenize`.

    A classifier has a name for each of its `labels`. `training` tells what the training took and reached, for whoever
    reads the file later.
    """

    model: LanguageModel | Classifier
    architecture: str
    config: Any
    vocabulary: Vocabulary
    text_options: TokenOptions
    training: Mapping[str, float] = field(default_factory=dict)
    labels: tuple[str, ...] = ()


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Write `checkpoint`, whole or not at all. Raises `UserError` where the file cannot be written."""
    entry = {
        "format": FORMAT,
        "architecture": checkpoint.architecture,
        "config": asdict(checkpoint.config),
        "vocabulary": checkpoint.vocabulary.words,
        "text_options": dict(checkpoint.text_options),
        "training": dict(checkpoint.training),
        "labels": checkpoint.labels,
    }
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in _tensors(checkpoint.model).items()}
    entry["sha256"] = _digest(entry, tensors)
    raw = to_bytes(tensors, {ENTRY: json.dumps(entry, ensure_ascii=False)})
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name, delete=False) as file:
            temporary = Path(file.name)
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        temporary.write_bytes(raw)
        temporary.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _unwritable(path: Path, error: OSError) -> UserError:
    return UserError(f"'{path}' cannot be written: {error.strerror}.", "Choose another path for the checkpoint.")


def load(path: Path) -> Checkpoint:
    """Read a checkpoint: the model in fp32, on the CPU, in evaluation mode. Nothing in the file is executed.

    Raises `UserError` for what is missing, damaged, not a checkpoint of ours, or does not fit its own architecture.
    What comes back is what was saved, to the bit.
    """
    try:
        with safe_open(path, framework="pt") as file:
            entry = _entry(path, file.metadata())
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    except FileNotFoundError as error:
        raise UserError(f"There is no checkpoint '{path}'.", "Make one with `pinchpoint train`.") from error
    except OSError as error:
        raise UserError(f"'{path}' cannot be read: {error.strerror or error}.", "Give a .safetensors file.") from error
    except SafetensorError as error:
        raise UserError(
            f"'{path}' is not a whole safetensors file ({error}).", "Make it again with `pinchpoint train`."
        ) from error
    architecture, vocabulary = entry["architecture"], Vocabulary(tuple(entry["vocabulary"]))
    config = _config(path, architecture, entry["config"])
    if len(vocabulary) > config.vocabulary:
        raise UserError(
            f"'{path}' has {len(vocabulary):,} words for {config.vocabulary:,} rows.",
            "Make it again with `pinchpoint train`.",
        )
    labels = tuple(entry.get("labels", ()))  # a file from before there were classifiers has none
    if len(labels) != getattr(config, "classes", 0):
        raise UserError(
            f"'{path}' names {len(labels)} labels for {getattr(config, 'classes', 0)} classes.",
            "Make it again with `pinchpoint train`.",
        )
    with torch.device("meta"):  # takes no memory, whatever dimensions the file names
        _fit(path, _tensors(build_any(architecture, config)), tensors)
    if entry["sha256"] != _digest(entry, tensors):
        raise UserError(
            f"'{path}' is damaged: its content is not what was saved.", "Make it again with `pinchpoint train`."
        )
    model = build_any(architecture, config)
    with torch.no_grad():
        for name, parameter in _tensors(model).items():
            parameter.copy_(tensors[name])
    return Checkpoint(model.eval(), architecture, config, vocabulary, entry["text_options"], entry["training"], labels)


def _digest(entry: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    """Hash of the description (without the hash itself) and of each tensor's name, format, shape and bytes."""
    described = {name: value for name, value in entry.items() if name != "sha256"}
    digest = hashlib.sha256(json.dumps(described, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(repr((name, str(tensor.dtype), tuple(tensor.shape))).encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)  # reshape: a scalar has no bytes to view
    return digest.hexdigest()


def _tensors(model: LanguageModel | Classifier) -> dict[str, Tensor]:
    return dict(model.named_parameters()) | dict(model.named_buffers())


def _entry(path: Path, metadata: Mapping[str, str] | None) -> dict[str, Any]:
    foreign = UserError(
        f"'{path}' carries no description of a model of ours.", "Give a file that `pinchpoint train` wrote."
    )
    try:
        entry: dict[str, Any] = json.loads((metadata or {})[ENTRY])
        words, options, training = entry["vocabulary"], entry["text_options"], entry["training"]
        version, _, _, _ = entry["format"], entry["architecture"], entry["config"], entry["sha256"]
        strings = all(type(word) is str for word in [*words, *entry.get("labels", ())])
        known = all(type(value) is KNOWN.get(name) for name, value in options.items())
        numbers = all(type(value) in (int, float) for value in training.values())
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise foreign from error
    if version != FORMAT:
        raise UserError(f"'{path}' has format {version}; this pinchpoint reads {FORMAT}.", "Upgrade pinchpoint.")
    if not (strings and known and numbers):
        raise foreign
    return entry


def _config(path: Path, architecture: object, dimensions: object) -> Any:
    if architecture == "hf":  # its Config names a folder or a repository, whose code would run
        raise UserError(
            f"'{path}' names a model of transformers.", "Give the folder of that model to `pinchpoint run`."
        )
    if architecture not in shapes.names():
        raise UserError(
            f"'{path}' holds a model of the unknown architecture '{architecture}'.",
            f"This pinchpoint has: {', '.join(shapes.names())}.",
        )
    try:
        return shapes.load(str(architecture)).Config(**dimensions)  # type: ignore[arg-type]  # checked just here
    except TypeError as error:
        raise UserError(
            f"'{path}' names dimensions that '{architecture}' does not have.", "Make it again with `pinchpoint train`."
        ) from error


def _fit(path: Path, expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    missing, extra = sorted(expected.keys() - found.keys()), sorted(found.keys() - expected.keys())
    misshapen = [name for name in expected if name in found and expected[name].shape != found[name].shape]
    defects = {"lacks": missing, "has beyond its architecture": extra, "has in another shape": misshapen}
    told = "; ".join(f"{what} {', '.join(names)}" for what, names in defects.items() if names)
    if told:
        raise UserError(f"'{path}' {told}.", "Make it again with `pinchpoint train`.")
