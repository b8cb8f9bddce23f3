"""How well a classifier and its variants label held-out texts, found in a process of its own; see `bench.grading`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from bench import devices, points, subject
from bench.errors import Unsupported, UserError
from bench.record import Value
from model import classifier_parents, classify, compress, quality
from model.architectures import build_classifier

#: Passes over the texts after which training stops though the budget is not spent: a few hundred texts are learned by
#: heart soon.
EPOCHS = 8


class ClassifierGrader:
    """A trained classifier, and the grades of its variants."""

    def __init__(self, axes: Mapping[str, Value], settings: Mapping[str, Any]) -> None:
        """Train the model of `axes` within `train_budget` seconds, or take it from the cache.

        Raises `Unsupported` where that cannot be done, with the reason.
        """
        self._device = devices.resolve(str(axes["device"]))
        devices.set_threads("auto")
        self._data = subject.labelled_texts(axes, settings)
        self._config = points.config(axes, subject.inputs(settings))
        plan = classify.Plan(EPOCHS, seed=int(axes["seed"]))
        cache = settings.get("cache")
        try:
            self._parent = classifier_parents.parent(
                self._config,
                self._data,
                plan,
                float(settings["train_budget"]),
                Path(cache) if cache else None,
                device=self._device,
            )
        except UserError as error:  # a loss that is not finite: so is this model, others need not be
            raise Unsupported(f"The model could not be trained: {error}") from error
        if self._parent.path is None:
            raise Unsupported(f"The trained model could not be kept in {cache}.")

    def report(self) -> dict[str, Any]:
        """Where the trained model is kept, and what its training took."""
        made = self._parent
        facts = {"trained_steps": made.steps, "trained_s": made.seconds, "trained_loss": made.held_out_loss}
        return {"parent": str(made.path), "facts": facts}

    def grade(self, axes: Mapping[str, Value]) -> dict[str, Any]:
        """The figures of the variant of `axes` by name: value, no bounds, number of held-out texts.

        Raises `Unsupported` where the variant cannot be made here.
        """
        architecture, asked = str(axes["architecture"]), subject.compression(axes)
        copied = build_classifier(architecture, self._config)
        copied.load_state_dict(self._parent.model.state_dict())
        made = compress.apply(copied.eval(), architecture, self._config, asked, self._device)
        plan = classify.Plan(precision=asked.precision)
        predicted = classify.predict(made.model, self._data.held_out, plan)
        labels = torch.tensor([example.label for example in self._data.held_out])
        return figures(quality.classification(labels, predicted, self._data.labels))


def figures(found: quality.Classification) -> dict[str, list[float | None]]:
    """The scores by metric name: value, no bounds, and over how many texts; of a class, how many have its label."""
    n = found.examples
    told: dict[str, list[float | None]] = {
        "accuracy": [found.accuracy, None, None, n],
        "macro_precision": [found.macro_precision, None, None, n],
        "macro_recall": [found.macro_recall, None, None, n],
        "macro_f1": [found.macro_f1, None, None, n],
    }
    for each in found.classes:
        for kind, value in (("precision", each.precision), ("recall", each.recall), ("f1", each.f1)):
            told[f"{kind}/{each.name}"] = [value, None, None, each.support]
    return told
