"""What a point runs on: its model, built and shaped, and its text, in this process."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from bench import points, workloads
from bench.errors import Unsupported, UserError
from bench.record import Value, Warn
from model import architectures, compress, text, train


def make(
    axes: Mapping[str, Value], settings: Mapping[str, Any], device: torch.device
) -> tuple[workloads.Subject, dict[str, Value]]:
    """The model of `axes` on its device, with batches of text, and what there is to tell about it."""
    config, work = points.config(axes), points.work(axes)
    if not points.costs(axes).tokens:
        raise Unsupported("A prompt of one token leaves a decoder-only model nothing to prefill.")
    _check_workload(axes)
    corpus, cache = settings.get("corpus"), settings.get("cache")
    read = text.load(Path(corpus) if corpus else None, config.vocabulary, cache=Path(cache) if cache else None)
    asked = compress.Compression(
        prune=float(axes["prune"]),
        prune_scheme=str(axes["prune_scheme"]),
        prune_rounds=int(axes["prune_rounds"]),
        tuning_steps=int(axes["tuning_steps"]),
        factorize=str(axes["factorize"]),
        precision=str(axes["precision"]),
        quantize=str(axes["quantize"]),
    )
    architecture, training = str(axes["architecture"]), axes["workload"] == "train"
    built = architectures.build(architecture, config)
    parameters = sum(parameter.numel() for parameter in built.parameters())
    plan = train.Plan(
        optimizer=str(axes["optimizer"]), learning_rate=float(axes["learning_rate"]), seed=int(axes["seed"])
    )
    made = compress.apply(built, architecture, config, asked, device, training=training, text=read, plan=plan)
    lengths = (work.sequence_length, work.generated_length)
    try:
        batches = text.batches(read.train, work.batch_size, *lengths, count=workloads.BATCHES, seed=int(axes["seed"]))
    except UserError as error:  # too long for this text: so is this point, and others need not be
        raise Unsupported(str(error)) from error
    placed = [(source.to(device), target.to(device)) for source, target in batches]
    subject = workloads.Subject(made.model, placed, asked.precision, float(axes["learning_rate"]), device)
    facts: dict[str, Value] = {
        "parameters": parameters,
        "stored_weights_B": made.stored_B,
        "sparsity": made.sparsity,
        "compression": "; then ".join(made.steps),
        "corpus": read.description,
        "corpus_sha256": read.sha256,
    }
    if training:
        facts["optimizer_state_B"] = train.state_bytes(made.model, work.optimizer)
    return subject, facts


def _check_workload(axes: Mapping[str, Value]) -> None:
    if axes["workload"] == "train":
        return
    if int(axes["accumulation"]) > 1:
        raise Unsupported(f"{axes['workload']} has no gradients that could be accumulated.")
    if axes["checkpointing"] == "on":
        raise Unsupported(f"{axes['workload']} keeps no activations for a backward pass that could be forgotten.")


def cautions(axes: Mapping[str, Value]) -> list[Warn]:
    """What a reader must know of a model that was shaped so."""
    if not float(axes["prune"]) or axes["prune_scheme"] == "structured":
        return []
    return [
        Warn(
            "masked_only",
            "Pruned weights are stored as zeros and multiplied like any other: no sparse kernel ran.",
            "Expect no gain in speed or memory from them; --prune-scheme structured removes whole units instead.",
        )
    ]
