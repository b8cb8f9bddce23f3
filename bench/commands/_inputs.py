"""The flags for what a run reads beside its corpus, and what they mean for its points."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from bench import axes, points
from bench.commands._options import Decorated
from bench.errors import UserError
from bench.inputs import Inputs
from bench.points import Point
from bench.spec import Spec
from model.shapes import hf, labels_texts

labels = click.option(
    "--labels",
    type=click.Path(path_type=Path),
    default=None,
    metavar="FILE.tsv",
    help="texts for classifiers, a label, a tab and a text on each line, instead of chapters of Python's manual",
)


def options(function: Decorated) -> Decorated:
    """`--labels`, `--model` and `--trust-remote-code`."""
    model = click.option(
        "--model",
        "model_path",
        default=None,
        metavar="NAME_OR_FOLDER",
        help="model of transformers for -a hf: a folder, or a name on the hub",
    )
    trust = click.option("--trust-remote-code", is_flag=True, help="let code that comes with that model run")
    return labels(model(trust(function)))


def resolve(spec: Spec, flags: Mapping[str, Any]) -> tuple[Spec, Inputs]:
    """The spec with the model's identity in its points, and the files; what is wrong is told before anything starts.

    A model that is no folder is fetched from the hub. Raises `UserError` for a file that cannot be used, a model that
    cannot be had, and a flag whose architecture is not in the sweep, or lacks it.
    """
    chosen = {str(point.axes["architecture"]) for point in spec.points}
    path: str | None = flags["model_path"]
    if "hf" in chosen and path is None:
        raise UserError("The architecture 'hf' is a model that you bring.", "Name it: --model NAME_OR_FOLDER.")
    if "hf" not in chosen and (path is not None or flags["trust_remote_code"]):
        raise UserError("No point of this sweep runs a model of transformers.", "Add -a hf, or leave --model out.")
    if flags["labels"] is not None and not any(labels_texts(name) for name in chosen):
        raise UserError("No point of this sweep labels texts.", "Add -a classifier, or leave --labels out.")
    given, classes = read_labels(flags["labels"])
    if path is None:
        return spec, Inputs(given, classes)
    inputs = Inputs(given, classes, _folder(path, flags["trust_remote_code"]), flags["trust_remote_code"])
    return replace(spec, points=_named(spec, identity(path, inputs))), inputs


def read_labels(path: Path | None) -> tuple[str, int | None]:
    """The absolute path of the labelled texts, and how many labels they have; empty and None for the default texts."""
    if path is None:
        return "", None
    from model import tsv

    return str(path.resolve()), len(tsv.labels(path))


def _folder(path: str, trust_remote_code: bool) -> str:
    if Path(path).is_dir():
        return str(Path(path).resolve())
    from bench.executors import local

    return local.fetch(path, trust_remote_code=trust_remote_code)


def identity(path: str, inputs: Inputs) -> str:
    """The name, for people, and a hash of the files, which tells two models of one name apart."""
    config = hf.Config(inputs.model, inputs.trust_remote_code)
    _ = config.vocabulary  # a folder that is none of transformers is told now
    name = Path(inputs.model).name if Path(path).is_dir() else path
    return f"{'-'.join(name.split())}@{hf.identity(config)[:8]}"


def _named(spec: Spec, identity: str) -> tuple[Point, ...]:
    """The points, those of transformers with the model and its own size; those that are then equal count once."""
    found: dict[Point, None] = {}
    for point in spec.points:
        values = point.axes
        if values["architecture"] == "hf":
            values = values | {"model": identity, "size": axes.OWN_SIZE}
        found[points.point(values)] = None
    return tuple(found)
