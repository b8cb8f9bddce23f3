"""What a job must compute, move and send at least.

A job is a batch of sequences that read their prompts together and then generate together. Attention counts half of the
rectangle of a prompt, as causal kernels do; activations are not counted, for fused kernels keep them in the caches.
Efficiencies (`reports.projection.efficiency`) are fitted to the very same counts, so what is left out here is in them.
"""

from dataclasses import dataclass
from typing import Any

from model import shapes
from reports.projection.models import Model

#: Architectures whose layers take the tokens of a prompt one after the other.
SEQUENTIAL = ("lstm", "rnn")


@dataclass(frozen=True)
class Counts:
    """FLOPs and bytes of the prompts and of the generation of one job, and what each is split into.

    `sent_B` is what several devices must add up among them. `step_cached_B` is the part of `step_B` that is cache.
    `layers` is how often a step calls a layer. A recurrent layer is called for each token of a prompt too: those calls
    are spread over the steps (over one, where there are none), so that layers times steps are all calls of the job.
    """

    prompt_flops: float
    prompt_B: float
    step_flops: float
    step_B: float
    steps: int
    batch: int
    prompt: int
    layers: int
    prompt_sent_B: float
    step_sent_B: float
    step_cached_B: float


def product(flops: float) -> Counts:
    """One large matrix product, as benchmarks of peaks time it: `layers` is 0."""
    return Counts(flops, 0.0, 0.0, 0.0, 0, 1, 1, 0, 0.0, 0.0, 0.0)


def read_B(model: Model, bytes_each: float, tokens: float) -> float:
    """Bytes of weights that a pass of `tokens` reads: all but the embedding's, and of experts those that it meets.

    Tokens choose experts as if at random: of E experts, n tokens that take k each meet E * (1 - (1 - k/E)^n).
    """
    shared = model.parameters - model.table_parameters - model.expert_parameters
    met = 1 - (1 - min(model.experts_per_token / model.experts, 1.0)) ** max(tokens, 1.0)
    return (shared + model.expert_parameters * (met if model.expert_parameters else 1.0)) * bytes_each


def job(
    model: Model,
    weight_bytes: float,
    kv_bytes: float,
    *,
    batch: int,
    prompt: int,
    output: int,
    depth: int = 0,
    logits: bool = True,
) -> Counts:
    """A batch that reads `prompt` tokens each (0: none) and generates `output` each (0: none), after `depth` tokens
    that are in its cache already.

    Only the last token of a prompt is projected to the vocabulary. The first generated token follows from the prompt,
    so `output` tokens take `output` steps where there is no prompt, and one less where there is. Without `logits` the
    prompt is read and nothing more: no token follows from it. A model with a `shape` is counted by `model.shapes`, its
    steps with their activations; an encoder-decoder takes a step of its decoder for the first token.
    """
    if model.shape is not None:
        made = _Shaped(*model.shape, batch, weight_bytes, kv_bytes)
        return made.job(model, prompt=prompt, output=output, depth=depth, first=int(logits and prompt > 0))
    head = model.vocabulary * model.hidden
    through = model.active_parameters - model.table_parameters - head  # weights of products in the layers
    prompt_flops = 0.0
    if prompt:
        attention = 2 * model.layers * model.attention_width * prompt * (prompt + 1 + 2 * depth)
        prompt_flops = batch * (2 * through * prompt + (2 * head if logits else 0) + attention)
    steps = output - (1 if prompt and output and logits else 0)
    seen = depth + prompt + (steps + 1) / 2  # keys that a step sees on average
    step_flops = batch * (2 * (through + head) + 4 * model.layers * model.attention_width * seen)
    cached = batch * model.kv_values * kv_bytes
    prompt_B = read_B(model, weight_bytes, batch * prompt) - (0.0 if logits else head * weight_bytes)
    return Counts(
        prompt_flops=prompt_flops,
        prompt_B=prompt_B + cached * (depth + prompt) if prompt else 0.0,
        step_flops=step_flops if steps else 0.0,
        step_B=read_B(model, weight_bytes, batch) + cached * seen if steps else 0.0,
        steps=steps,
        batch=batch,
        prompt=prompt,
        layers=model.layers,
        # tensor parallelism sums the output of attention and of feed-forward over the devices, in 16 bits
        prompt_sent_B=2.0 * model.layers * batch * prompt * model.hidden * 2,
        step_sent_B=2.0 * model.layers * batch * model.hidden * 2,
        step_cached_B=cached * seen if steps else 0.0,
    )


@dataclass(frozen=True)
class _Shaped:
    """Counts of an architecture of `model.shapes` for a batch.

    Activations have 32 bits where weights or cache have, else 16; so weights are never wider, and nothing is cast.
    """

    architecture: str
    config: Any
    batch: int
    weight_bytes: float
    kv_bytes: float

    def job(self, model: Model, *, prompt: int, output: int, depth: int, first: int) -> Counts:
        """See `counts.job`; `first` tokens are generated with the prompt."""
        seen = depth + prompt
        read_flops, read_B = self._read(prompt)
        begun = self._counted("decode", seen, first)
        steps = output - min(first, output)
        whole = self._counted("decode", seen, first + steps)
        flops, moved = ((total - part) / max(steps, 1) for total, part in zip(whole, begun, strict=True))
        cached = self.batch * model.kv_values * self.kv_bytes
        calls = steps + first + (prompt if self.architecture in SEQUENTIAL else min(prompt, 1))
        return Counts(
            prompt_flops=read_flops + begun[0],
            prompt_B=read_B + begun[1] + (cached * seen if prompt else 0.0),
            step_flops=flops,
            step_B=moved,
            steps=steps,
            batch=self.batch,
            prompt=prompt,
            layers=max(round(model.layers * calls / max(steps, 1)), 1),
            prompt_sent_B=2.0 * model.layers * self.batch * prompt * model.hidden * 2,
            step_sent_B=2.0 * model.layers * self.batch * model.hidden * 2,
            step_cached_B=cached * (seen + (steps + 1) / 2) if steps else 0.0,
        )

    def _read(self, prompt: int) -> tuple[float, float]:
        """FLOPs and bytes of a prompt without its cache.

        Activations are left out as everywhere here: one token of each sequence reads every weight that the prompt does.
        A recurrent layer reads its matrix again for each further token, which then lies in a cache; what these calls
        cost one after the other is what `layers` is for.
        """
        if not prompt:
            return 0.0, 0.0
        return self._counted("prefill", prompt, 1)[0], self._counted("prefill", 1, 1)[1]

    def _counted(self, phase: shapes.Phase, seen: int, generated: int) -> tuple[float, float]:
        """FLOPs and bytes. Bytes are linear in the width of a weight, which need not be whole."""
        if not generated:
            return 0.0, 0.0
        activation = 4 if max(self.weight_bytes, self.kv_bytes) >= 4 else 2
        one, two = (
            shapes.costs(
                self.architecture,
                self.config,
                shapes.Work(phase, self.batch, max(seen, 1), generated, width, activation),
            )
            for width in (1, 2)
        )
        return float(one.flops), one.bytes_moved + (self.weight_bytes - 1) * (two.bytes_moved - one.bytes_moved)
