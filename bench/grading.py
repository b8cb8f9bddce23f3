"""How much worse a variant answers than the model it was made from, found in a process of its own.

Nothing is timed here, and what training takes of memory and allocators stays out of the processes that are measured.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench import devices, points, subject
from bench.errors import Unsupported, UserError
from bench.grading_classifier import ClassifierGrader
from bench.record import Value
from model import compress, parents, quality, shapes
from model.architectures import build
from model.text import Windows
from model.train import Plan

#: Tokens of a source and of its continuation, in training as in grading.
LENGTH = 32
#: Passes over the text after which training stops though the budget is not spent: a small text is overfitted soon.
EPOCHS = 4
#: A variant is graded on at most so many windows, spread over what is held out: `tests.proofs.quality_error` shows that
#: these are enough, and a large corpus takes no longer.
MOST_WINDOWS = 1000
#: And for so many seconds: 16-bit floats on a processor without them take far longer than fp32.
LIMIT_S = 15.0


class Grader:
    """A trained model, and the grades of its variants."""

    def __init__(self, axes: Mapping[str, Value], settings: Mapping[str, Any]) -> None:
        """Train the model of `axes` within `train_budget` seconds, or take it from the cache.

        Raises `Unsupported` where that cannot be done, with the reason.
        """
        self._settings = settings
        self._device = devices.resolve(str(axes["device"]))
        devices.set_threads("auto")
        self._text = subject.corpus(axes, settings)
        plan = Plan(EPOCHS, sequence_length=LENGTH, generated_length=LENGTH, seed=int(axes["seed"]))
        recipe = parents.Recipe(
            str(axes["architecture"]), points.config(axes), plan, budget_s=float(settings["train_budget"])
        )
        cache = settings.get("cache")
        try:
            self._parent = parents.parent(recipe, self._text, Path(cache) if cache else None, device=self._device)
        except UserError as error:  # a loss that is not finite, a text too short: so is this model, others need not be
            raise Unsupported(f"The model could not be trained: {error}") from error
        if self._parent.path is None:
            raise Unsupported(f"The trained model could not be kept in {cache}.")
        self._model = self._parent.model.to(self._device)

    def report(self) -> dict[str, Any]:
        """Where the trained model is kept, and what its training took."""
        made = self._parent
        facts = {"trained_steps": made.steps, "trained_s": made.seconds, "trained_loss": made.held_out_loss}
        return {"parent": str(made.path), "facts": facts}

    def grade(self, axes: Mapping[str, Value]) -> dict[str, Any]:
        """The figures of the variant of `axes` by name: value, bounds of the 95 % interval, number of samples.

        Raises `Unsupported` where the variant cannot be made here.
        """
        config, asked = points.config(axes), subject.compression(axes)
        copied = build(str(axes["architecture"]), config)
        copied.load_state_dict(self._model.state_dict())
        made = compress.apply(
            copied.eval(),
            str(axes["architecture"]),
            config,
            asked,
            self._device,
            text=self._text,
            plan=subject.tuning(axes),
        )
        stride = max(LENGTH, (len(self._text.held_out) - 2 * LENGTH) // MOST_WINDOWS)
        windows = Windows(self._text.held_out, LENGTH, LENGTH, stride=stride)
        cached = getattr(config, "kv_cache", "auto") != "auto"
        found = quality.compare(
            self._model, made.model, windows, precision=asked.precision, cached=cached, limit_s=LIMIT_S
        )
        if found.delta_ln_perplexity is None:
            raise Unsupported(found.reason or "The variant's likelihood is not finite.")
        half = 1.96 * found.delta_ln_perplexity_se if found.delta_ln_perplexity_se is not None else None
        delta, tokens = found.delta_ln_perplexity, found.tokens
        bounds = [None, None] if half is None else [delta - half, delta + half]
        return {
            "perplexity": [found.perplexity, None, None, tokens],
            "parent_perplexity": [found.parent_perplexity, None, None, tokens],
            "delta_ln_perplexity": [delta, *bounds, found.sequences],
            "kl_mean": [found.kl_mean, None, None, tokens],
            "kl_p999": [found.kl_tail, None, None, tokens],
            "same_top_1": [found.same_top_1, None, None, tokens],
        }


AnyGrader = Grader | ClassifierGrader


def train(axes: Mapping[str, Value], settings: Mapping[str, Any]) -> AnyGrader:
    """A grader for `axes`, whether its model continues texts or labels them. Raises `Unsupported` as either does."""
    return (ClassifierGrader if shapes.labels_texts(str(axes["architecture"])) else Grader)(axes, settings)
