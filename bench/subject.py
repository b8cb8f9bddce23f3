"""What a point runs on: its model, built and shaped, and its text, in this process."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from bench import devices, points, workloads
from bench.errors import Unsupported, UserError
from bench.inputs import Inputs
from bench.record import Value, Warn
from model import (
    architectures,
    checkpoint,
    compiled,
    compress,
    labelled,
    parents,
    precision,
    quantize,
    shapes,
    text,
    train,
)


def make(
    axes: Mapping[str, Value], settings: Mapping[str, Any], device: torch.device
) -> tuple[workloads.Subject, dict[str, Value]]:
    """The model of `axes` on its device, with batches of text, and what there is to tell about it."""
    if not points.tokens(axes, inputs(settings)):
        raise Unsupported("A prompt of one token leaves a decoder-only model nothing to prefill.")
    _check_workload(axes)
    architecture, training = str(axes["architecture"]), axes["workload"] == "train"
    config, asked = points.config(axes, inputs(settings)), compression(axes)
    labels = shapes.labels_texts(architecture)
    read = labelled_texts(axes, settings) if labels else corpus(axes, settings)
    built = architectures.build_any(architecture, config)
    trained = trained_weights(settings)
    if trained is not None:
        built.load_state_dict(trained)
    parameters = sum(parameter.numel() for parameter in built.parameters())
    to_tune = read if isinstance(read, text.Text) else None
    made = compress.apply(
        built, architecture, config, asked, device, training=training, text=to_tune, plan=tuning(axes)
    )
    if architecture == "hf" and asked.factorize != "none":
        _check_factored(made.model, device)
    placed = [(source.to(device), target.to(device)) for source, target in _batches(read, axes)]
    subject = workloads.Subject(made.model, placed, asked.precision, float(axes["learning_rate"]), device)
    facts: dict[str, Value] = {
        "parameters": parameters,
        "stored_weights_B": made.stored_B,
        "sparsity": made.sparsity,
        "compression": "; then ".join(made.steps),
        "corpus": read.description,
        "corpus_sha256": read.sha256,
    }
    if isinstance(read, labelled.Labelled):
        facts["labels"] = ", ".join(read.labels)
    if architecture == "hf":
        facts["codes"] = "words of the corpus by frequency, numbered up to the model's vocabulary: not its own tokens"
    if training:
        facts["optimizer_state_B"] = train.state_bytes(made.model, str(axes["optimizer"]))
    return subject, facts


def _batches(read: text.Text | labelled.Labelled, axes: Mapping[str, Value]) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """What the iterations read, on the CPU. Raises `Unsupported` for lengths that this text has not."""
    batch_size, length, seed = int(axes["batch_size"]), int(axes["sequence_length"]), int(axes["seed"])
    try:
        if isinstance(read, labelled.Labelled):
            return labelled.batches(read, batch_size, length, workloads.BATCHES, seed=seed)
        lengths = (length, int(axes["generated_length"]))
        return text.batches(read.train, batch_size, *lengths, count=workloads.BATCHES, seed=seed)
    except UserError as error:  # too long for this text: so is this point, and others need not be
        raise Unsupported(str(error)) from error


def inputs(settings: Mapping[str, Any]) -> Inputs:
    """The files that the run reads beside its corpus."""
    return Inputs(**settings.get("inputs", {}))


def corpus(axes: Mapping[str, Value], settings: Mapping[str, Any]) -> text.Text:
    """The text that the point's model reads, with the same share held out whether or not anything is graded."""
    vocabulary = points.config(axes, inputs(settings)).vocabulary
    return _corpus(settings.get("corpus"), settings.get("cache"), vocabulary)


@cache
def _corpus(given: str | None, kept: str | None, vocabulary: int) -> text.Text:
    """Read once a process: the rehearsal reads the same text as the point."""
    read = text.load(Path(given) if given else None, vocabulary, cache=Path(kept) if kept else None)
    return parents.hold_out(read, parents.HELD_OUT_SHARE)


def labelled_texts(axes: Mapping[str, Value], settings: Mapping[str, Any]) -> labelled.Labelled:
    """The labelled texts that the point's classifier reads.

    Raises `UserError` where they have another number of labels than the run began with.
    """
    given = inputs(settings)
    config = points.config(axes, given)
    read = labelled.load(Path(given.labels) if given.labels else None, config.vocabulary)
    if len(read.labels) != config.classes:
        raise UserError(
            f"There are {len(read.labels)} labels now; there were {config.classes} when the run began.",
            "Restore the file of labels, or start a new run.",
        )
    return read


def trained_weights(settings: Mapping[str, Any]) -> dict[str, torch.Tensor] | None:
    """What the model of the point was trained to, by name; None where it is to have fresh weights."""
    if not settings.get("parent"):
        return None
    return checkpoint.load(Path(settings["parent"])).model.state_dict()


def compression(axes: Mapping[str, Value]) -> compress.Compression:
    """What the point does to its model. Raises `Unsupported` for what makes no sense together."""
    return compress.Compression(
        prune=float(axes["prune"]),
        prune_scheme=str(axes["prune_scheme"]),
        prune_rounds=int(axes["prune_rounds"]),
        tuning_steps=int(axes["tuning_steps"]),
        factorize=str(axes["factorize"]),
        precision=str(axes["precision"]),
        quantize=str(axes["quantize"]),
    )


def refusal(axes: Mapping[str, Value], settings: Mapping[str, Any]) -> str | None:
    """Why no point of these axes can be run on this machine, as far as is known without building it; None otherwise."""
    try:
        asked, device = compression(axes), devices.resolve(str(axes["device"]))
        _check_workload(axes)
        points.tokens(axes, inputs(settings))
        if axes["workload"] == "train":
            asked.check_training()
        layer = precision.apply(
            nn.Linear(64, 64).to(device), asked.precision, device, training=axes["workload"] == "train"
        )
        quantize.quantize(layer, asked.quantize)
        if axes["compile"] == "compiled":
            compiled.check(device)
    except (Unsupported, UserError, RuntimeError) as error:
        return " ".join(str(error).split())[:200]
    return None


def tuning(axes: Mapping[str, Value]) -> train.Plan:
    """How a pruned model is trained on: as its parent was, whatever optimizer is being measured."""
    return train.Plan(seed=int(axes["seed"]))


@torch.inference_mode()
def _check_factored(model: nn.Module, device: torch.device) -> None:
    """Raise `Unsupported` where code of transformers looks at the matrix that two factors have replaced."""
    codes = torch.full((1, 2), text.EOS, device=device)
    try:
        model(codes, codes)
    except AttributeError as error:
        raise Unsupported(f"The model's own code looks at weights that factorization has replaced: {error}.") from error


def _check_workload(axes: Mapping[str, Value]) -> None:
    if axes["workload"] == "train":
        return
    if int(axes["accumulation"]) > 1:
        raise Unsupported(f"{axes['workload']} has no gradients that could be accumulated.")
    if axes["checkpointing"] == "on":
        raise Unsupported(f"{axes['workload']} keeps no activations for a backward pass that could be forgotten.")


def cautions(axes: Mapping[str, Value]) -> list[Warn]:
    """What a reader must know of a model that was shaped so."""
    found = []
    if float(axes["prune"]) and axes["prune_scheme"] != "structured":
        found.append(
            Warn(
                "masked_only",
                "Pruned weights are stored as zeros and multiplied like any other: no sparse kernel ran.",
                "Expect no gain in speed or memory from them; --prune-scheme structured removes whole units instead.",
            )
        )
    if int(axes["tuning_steps"]):
        found.append(
            Warn(
                "trained_beyond_parent",
                "Tuning trains a variant further than the model that it is graded against: it may come out the better.",
                "Compare it with a parent that had its fill of training: a larger --train-budget.",
            )
        )
    return found
