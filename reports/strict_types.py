"""Types of the keys in catalogues: nothing is converted, nothing is empty, and an unknown key is an error."""

from typing import Annotated

from pydantic import ConfigDict, Field, Strict

Figure = Annotated[float, Strict(), Field(gt=0, allow_inf_nan=False)]
Bytes = Annotated[int, Strict(), Field(gt=0)]
Text = Annotated[str, Strict(), Field(min_length=1)]
Keys = Annotated[tuple[Text, ...], Field(min_length=1)]

#: A misspelt key is an error, and no figure that was left out in silence.
KNOWN_KEYS_ONLY = ConfigDict(extra="forbid")
