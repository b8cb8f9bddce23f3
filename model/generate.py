"""Generation: one token at a time, the likeliest or a drawn one."""

import torch
from torch import Tensor

from model.architectures import LanguageModel
from model.errors import UserError
from model.text import BOS, EOS, PAD


@torch.inference_mode()
def generate(
    model: LanguageModel,
    source: Tensor,
    length: int,
    *,
    lengths: Tensor | None = None,
    temperature: float = 0.0,
    top_k: int | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Continue `source` (B, S; true `lengths` (B,) where padded) by codes (B, at most `length`).

    A sequence ends with its first <eos>, <pad> follows, and generation stops when all have ended; <pad> and <bos> are
    never generated. Temperature 0 takes the likeliest token (greedy); above, tokens are drawn by `generator` from the
    softmax of logits/temperature, of the `top_k` likeliest where given (Fan et al., 2018). Leaves the model in
    evaluation mode. Raises `UserError` for a length or `top_k` below 1, or a temperature below 0.
    """
    _check(length, temperature, top_k)
    model.eval()
    state, tokens = model.prefill(source, lengths, length), model.first(source, lengths)
    ended = torch.zeros_like(tokens, dtype=torch.bool)  # (B,)
    generated = []
    for _ in range(length):
        logits, state = model.step(tokens, state)  # (B, V)
        tokens = _choose(logits.float(), temperature, top_k, generator).masked_fill(ended, PAD)  # (B,)
        generated.append(tokens)
        ended |= tokens == EOS
        if ended.all():
            break
    return torch.stack(generated, dim=1)


def _choose(logits: Tensor, temperature: float, top_k: int | None, generator: torch.Generator | None) -> Tensor:
    logits[:, [PAD, BOS]] = -torch.inf
    if temperature == 0:
        return logits.argmax(dim=-1)
    if top_k is not None:
        least = logits.topk(min(top_k, logits.shape[-1])).values[:, -1:]  # (B, 1): the smallest that may be drawn
        logits = logits.masked_fill(logits < least, -torch.inf)
    return torch.multinomial((logits / temperature).softmax(dim=-1), 1, generator=generator).squeeze(1)


def _check(length: int, temperature: float, top_k: int | None) -> None:
    if length < 1:
        raise UserError(f"The length limit is {length}.", "Ask for one token or more.")
    if not 0 <= temperature < float("inf"):
        raise UserError(f"The temperature is {temperature}.", "Give 0 (greedy) or more; 1 draws as the model believes.")
    if top_k is not None and top_k < 1:
        raise UserError(f"top_k is {top_k}.", "Give 1 or more, or leave it out to draw from all tokens.")
