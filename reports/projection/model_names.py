"""Published models by the names that other tools have for them."""

import re
from collections.abc import Iterable

from reports.projection import models
from reports.projection.models import Model

#: So far apart the parameters of one model may be told: with or without norms, biases or a tied projection.
SAME = 0.03
#: What llama.cpp calls `llama`, by the first letters of the models.
_LLAMAS = ("llama", "codellama", "mistral", "mixtral", "yi", "tinyllama", "smollm", "deepseekrdistillllama",
           "deepseekcoder")  # fmt: skip
#: Numbers in a name that are no part of which model it is: versions, dates, contexts and formats.
_ASIDE = re.compile(
    r"v\d+(\.\d+)*|\d{4,6}|\d+k|\d+bits?|(int|fp|bf|f|w|q|iq|uint|nf|mxfp|nvfp)\d+\w*|w\d+a\d+|[a-z]+|g\d+|i1"
)


def published(text: str, parameters: float | None = None) -> Model | None:
    """The published model that `text` names; with `parameters`, which then must agree within 3 %. None where none is.

    `text` is a name on a hub (`meta-llama/Llama-3.1-8B-Instruct`), whose owner, and words such as Instruct, do not
    matter; or llama.cpp's description of a file (`llama 8B`), whose parameters then tell which model it is.
    """
    name = text.rstrip("/").rpartition("/")[2]
    found = _by_words(name)
    if found is not None and (parameters is None or _agree(found, parameters)):
        return found
    return None if parameters is None else _by_parameters(name, parameters)


def _by_words(name: str) -> Model | None:
    """The model all of whose words are in the name, the one with the most; other words must not be numbers."""
    wanted = _words(name)
    best: Model | None = None
    for model in models.published().values():
        own = _words(model.name)
        if "".join(own) == "".join(wanted):
            return model
        others = [word for word in wanted if word not in own]
        apart = "distill" in others or not all(_ASIDE.fullmatch(word) for word in others)
        if set(own) <= set(wanted) and not apart and (best is None or len(own) > len(_words(best.name))):
            best = model
    return best


def _by_parameters(name: str, parameters: float) -> Model | None:
    """The model of the family with the nearest number of parameters."""
    family = _letters(name.strip().partition(" ")[0]).removesuffix("moe")  # of qwen3moe, say
    if not family:
        return None
    begin = _LLAMAS if family == "llama" else (family,)
    near = [model for model in _families(begin) if _agree(model, parameters)]
    return min(near, key=lambda model: abs(model.parameters - parameters), default=None)


def _families(begin: tuple[str, ...]) -> Iterable[Model]:
    return (model for model in models.published().values() if _letters(model.name).startswith(begin))


def _agree(model: Model, parameters: float) -> bool:
    return abs(model.parameters / parameters - 1) <= SAME


def _words(name: str) -> list[str]:
    return [word for word in re.split(r"[-_ :]+", name.casefold()) if word]


def _letters(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalpha())
