"""What a user asks for, from text: a demand, a time, and a mix of requests."""

import math
import re

from bench.errors import UserError
from bench.kinds import nearest
from bench.profiles import PROFILES
from reports.projection.answers import Use

_NUMBER = r"(\d+(?:\.\d*)?|\.\d+)(?:e([+-]?\d+))?"
_DEMAND = re.compile(_NUMBER + r"\s*([kM]?)\s*(tok|toks|token|tokens|req|reqs|request|requests)\s*/\s*(s|sec|min|h)")
_SECONDS = re.compile(_NUMBER + r"\s*(us|µs|ms|s|min)")
_LENGTHS = re.compile(r"(\d{1,9})x(\d{1,9})")
_PER_S = {"s": 1, "sec": 1, "min": 60, "h": 3600}
_SECOND = {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0}
_TIMES = {"": 1.0, "k": 1e3, "M": 1e6}
#: Generated tokens/s that may be asked for: to beyond what all people on Earth read.
_DEMANDS = (1e-6, 1e12)
#: Shares that add up to 1 within this are taken for rounded ones.
_ROUNDED = 0.01


def parse_demand(text: str, output: float | None = None) -> float:
    """Generated tokens/s from `5000tok/s`, `5k tok/s` or, with the mean length of an `output`, `100req/s`.

    Raises `UserError` for any other form, and for requests without a length.
    """
    found = _DEMAND.fullmatch(text.strip())
    if not found or not 0 < (value := _number(found[1], found[2])) < math.inf:
        raise UserError(f"The demand '{text}' is not understood.", "Give such as 5000tok/s, 5k tok/s or 100req/s.")
    rate = value * _TIMES[found[3]] / _PER_S[found[5]]
    if not found[4].startswith("tok"):
        if output is None:
            raise UserError(f"The demand '{text}' counts requests of no known length.", "Give --mix, or count tokens.")
        rate *= output
    least, most = _DEMANDS
    if not least <= rate <= most:
        raise UserError(
            f"The demand '{text}' is {rate:.3g} tokens/s.", f"Give one from {least:g} to {most:g} tokens/s."
        )
    return rate


def parse_seconds(text: str) -> float:
    """Seconds from `500ms`, `0.5 s`, `50us` or `2min`. Raises `UserError` for any other form."""
    found = _SECONDS.fullmatch(text.strip())
    if not found or not 0 < (value := _number(found[1], found[2])) < math.inf:
        raise UserError(f"The time '{text}' is not understood.", "Give it with its unit, such as 500ms or 0.5s.")
    return value * _SECOND[found[3]]


def parse_mix(text: str) -> tuple[Use, ...]:
    """Kinds of requests and their shares from `chat:0.7,summarize:0.3`, `translate`, or lengths as in `1024x256`.

    A name is a profile of `bench.profiles`; `1024x256` is a prompt of 1024 tokens and an output of 256. Raises
    `UserError` for an unknown name (with the nearest), a share that is none, and shares that do not add up to 1.
    """
    parts = [part.strip() for part in text.split(",")]
    if len(parts) == 1 and ":" not in parts[0]:
        parts = [f"{parts[0]}:1"]
    uses = [_use(part) for part in parts]
    names = [use.name for use in uses]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UserError(f"The mix '{text}' has {twice} more than once.", "Name each kind of request once.")
    total = math.fsum(use.share for use in uses)
    if abs(total - 1) > _ROUNDED:
        raise UserError(f"The shares of the mix '{text}' add up to {total:g}.", "Let them add up to 1.")
    return tuple(Use(use.name, use.share / total, use.prompt, use.output) for use in uses)


def _use(part: str) -> Use:
    name, colon, given = (side.strip() for side in part.partition(":"))
    number = re.fullmatch(_NUMBER + r"\s*(%?)", given)
    share = _number(number[1], number[2]) / (100 if number[3] else 1) if number else math.nan
    if not (colon and 0 < share < math.inf):
        raise UserError(f"'{part}' in the mix has no share.", "Give such as chat:0.7,summarize:0.3.")
    if lengths := _LENGTHS.fullmatch(name):
        prompt, output = int(lengths[1]), int(lengths[2])
        if not (prompt and output):
            raise UserError(f"'{name}' in the mix has no tokens.", "Give PROMPTxOUTPUT, each 1 or more.")
        return Use(name, share, prompt, output)
    if name not in PROFILES:
        raise UserError(
            f"There is no profile '{name}'.{nearest(name, PROFILES)}",
            f"Known are {', '.join(PROFILES)}; lengths are given as PROMPTxOUTPUT, such as 1024x256.",
        )
    profile = PROFILES[name]
    return Use(name, share, profile.prompt_tokens.value, profile.output_tokens.value)


def _number(digits: str, exponent: str | None) -> float:
    return float(f"{digits}e{exponent or 0}")
