"""What a run reads beside its points and its corpus. A spec cannot name them: it can do nothing but choose points."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Inputs:
    """Files that some architectures need; absolute paths as text, empty where there is none.

    `labels` is a TSV of labelled texts with `classes` labels (without one, a classifier reads the default texts);
    `model` is the folder of a model of transformers, whose own code runs only with `trust_remote_code`.
    """

    labels: str = ""
    classes: int | None = None
    model: str = ""
    trust_remote_code: bool = False


#: The default texts, and no model of transformers.
NOTHING = Inputs()
