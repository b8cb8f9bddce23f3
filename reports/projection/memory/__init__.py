"""Whether a model fits devices, by how much, and with how many sequences: bytes by part, over all devices.

How many bytes the weights take says `stored`, what an engine holds beside them `engine_memory`, what there is
`device_memory`; `training` asks the same of a training step.

Devices that split a replica are alike, so what the fullest of them needs decides; `need_B` is that, times the devices.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from reports.projection import formats
from reports.projection.answers import Candidate, Fit
from reports.projection.memory import device_memory, engine_memory, stored
from reports.projection.memory.engine_memory import Engine
from reports.projection.models import Model

WEIGHTS, CACHE, WORK = "weights", "KV cache", "work space"
ASIDE, RESERVE, UNEVEN = "context and libraries", "left alone by the engine", "layers that do not divide evenly"
#: No search looks for more sequences than these.
MOST_BATCH = 2**20
#: How far the size of a file may be from `stored`: GGUF by the mix of formats, others by the size of groups.
PLAIN_DOUBT, GGUF_DOUBT, GROUP_DOUBT = 0.002, 0.01, 0.03


@dataclass(frozen=True)
class Setting:
    """How an engine is run; None stands for its default.

    `chunk` tokens of prompts are read at once, `reserve` is the share of a device that it leaves alone (1 -
    `gpu_memory_utilization` of vLLM), `flash`: attention is fused, `headless`: no display hangs on a consumer card.
    """

    chunk: int | None = None
    reserve: float | None = None
    flash: bool = True
    headless: bool = False


DEFAULT = Setting()


def fit(
    model: Model,
    weights_format: str,
    kv_format: str,
    candidate: Candidate,
    prompt_tokens: int,
    output_tokens: int,
    batch: int,
    engine: str | None = None,
    setting: Setting = DEFAULT,
) -> Fit:
    """What `batch` sequences of so many tokens need and what there is. Formats as in `formats.FORMATS`.

    A cache in pages or one that is allocated beforehand takes the same, since all sequences reach their length. Where
    the size of the device's memory is not known it does not fit, and `have_B` is 0; `reason` says so.
    """
    plan = _plan(model, weights_format, kv_format, candidate, prompt_tokens, output_tokens, engine, setting)
    parts = plan.parts(batch)
    need, have = sum(parts.values()), plan.have_B
    refusal = plan.refusal()
    bound = min(int(have / max(plan.cache_B, 1.0)), MOST_BATCH)
    most = 0 if refusal else _most(lambda size: plan.need_B(size) <= have, bound)
    fits = not refusal and need <= have
    found = Fit(fits, need, have, parts, most)
    reasons = [refusal or _compared(found, doubt_B(found, weights_format, candidate, engine)), *plan.remarks()]
    return Fit(fits, need, have, parts, most, " ".join(reasons))


def doubt_B(found: Fit, weights_format: str, candidate: Candidate, engine: str | None = None) -> float:
    """How far `need_B` may be from the truth, in bytes: a verdict with less to spare is too close to tell."""
    work, aside = engine_memory.named(engine, candidate.device.vendor).doubts
    of_weights = GGUF_DOUBT if weights_format in stored.GGUF_BITS else PLAIN_DOUBT
    if formats.FORMATS[weights_format].bits < 16 and weights_format not in stored.GGUF_BITS:
        of_weights = GROUP_DOUBT
    parts = found.parts_B
    return of_weights * parts[WEIGHTS] + work * parts[WORK] + aside * parts[ASIDE]


@dataclass(frozen=True)
class _Plan:
    """One job on one candidate, whatever its batch. `offered_B` is of one device, `cache_B` of one sequence."""

    model: Model
    candidate: Candidate
    engine: Engine
    llama: bool
    prompt: int
    context: int
    chunk: int
    reserve: float
    flash: bool
    offered_B: float | None
    layers_B: float
    table_B: float
    head_B: float
    norms_B: float
    cache_B: float
    cache_copies: float

    @property
    def have_B(self) -> float:
        """Bytes that all devices offer; 0 where that is not known."""
        return (self.offered_B or 0.0) * self.candidate.devices

    @property
    def copies(self) -> int:
        """How many devices hold the whole model."""
        return self.candidate.devices if self.candidate.split in ("none", "data") else 1

    def parts(self, batch: int) -> dict[str, float]:
        """Bytes by part over all devices."""
        devices = self.candidate.devices
        on_each = math.ceil(batch / self.copies)
        weights = (self.layers_B + self.table_B + self.head_B) * self.copies + self.norms_B
        cache = self.cache_B * self.cache_copies * on_each * self.copies
        return {
            WEIGHTS: weights,
            CACHE: cache,
            WORK: self._work_B(on_each) * devices,
            ASIDE: (self.engine.set_aside_B + (self.engine.link_B if devices > self.copies else 0.0)) * devices,
            RESERVE: self.reserve * self.have_B,
            UNEVEN: self._fullest_B(cache) * devices - weights - cache if self.candidate.split == "pipeline" else 0.0,
        }

    def need_B(self, batch: int) -> float:
        """Bytes over all devices."""
        return sum(self.parts(batch).values())

    def refusal(self) -> str:
        """Why nothing fits, whatever the sizes; empty where sizes decide."""
        device, devices, heads = self.candidate.device, self.candidate.devices, self.model.heads
        if self.offered_B is None:
            return f"How much memory {device.name} has is not known: give it in a TOML file of your own (--catalogue)."
        if self.candidate.split == "tensor" and heads and heads % devices:
            return f"{heads} heads of attention cannot be split evenly over {devices} devices."
        if self.candidate.split == "pipeline" and devices > self.model.layers:
            return f"{self.model.layers} layers cannot be split over {devices} devices."
        return ""

    def remarks(self) -> list[str]:
        """What else is to be known."""
        found = []
        if self.cache_copies > 1:
            found.append(f"Its {self.model.kv_heads} heads of keys and values are held {self.cache_copies:g} times.")
        if self.model.context and self.context > self.model.context:
            found.append(f"It was made for at most {self.model.context} tokens.")
        if device_memory.is_put_in(self.candidate.device):
            found.append(f"Its memory is what is put in; {device_memory.PUT_IN_B / 2**40:g} TiB is assumed.")
        return found

    def _work_B(self, batch: int) -> float:
        if self.llama:
            return engine_memory.llama_work_B(
                self.model,
                batch=batch,
                context=self.context,
                chunk=self.chunk,
                devices=self.candidate.devices,
                flash=self.flash,
            )
        return engine_memory.work_B(
            self.model,
            batch=batch,
            prompt=self.prompt,
            context=self.context,
            chunk=self.chunk,
            together=self.candidate.devices if self.candidate.split == "tensor" else 1,
            flash=self.flash,
        )

    def _fullest_B(self, cache_B: float) -> float:
        """Weights and cache on the fullest device of a pipeline, the projection counting as one more layer.

        Unit i of n lies on device floor(i * devices / n), as llama.cpp does it; the first has the table, the last the
        projection.
        """
        devices, units = self.candidate.devices, self.model.layers + 1
        layer = (self.layers_B + cache_B) / self.model.layers
        most = math.ceil(units / devices)
        last = units - math.ceil((devices - 1) * units / devices) - 1
        return max(most * layer + self.table_B, last * layer + self.head_B)


def _plan(
    model: Model,
    weights_format: str,
    kv_format: str,
    candidate: Candidate,
    prompt: int,
    output: int,
    engine: str | None,
    setting: Setting,
) -> _Plan:
    chosen = engine_memory.named(engine, candidate.device.vendor)
    weights = stored.weights(model, weights_format)
    tensor, devices = candidate.split == "tensor", candidate.devices
    return _Plan(
        model=model,
        candidate=candidate,
        engine=chosen,
        llama=not chosen.table_on_device,
        prompt=prompt,
        context=prompt + output,
        chunk=setting.chunk or chosen.chunk,
        reserve=chosen.reserve if setting.reserve is None else setting.reserve,
        flash=setting.flash,
        offered_B=device_memory.offered_B(candidate.device, setting.headless),
        layers_B=weights.layers_B,
        table_B=weights.table_B if chosen.table_on_device else 0.0,
        head_B=weights.head_B,
        # two norms a layer and the last one are whole on every device, in 16 bits
        norms_B=(devices - 1) * (2 * model.layers + 1) * model.hidden * 2.0 if tensor else 0.0,
        cache_B=model.kv_values * formats.FORMATS[kv_format].bytes * (prompt + output),
        cache_copies=max(devices / (model.kv_heads or devices), 1.0) if tensor else 1.0,
    )


def _most(fits: Callable[[int], bool], most: int) -> int:
    """The largest number up to `most` that fits, where all smaller ones do; 0 where 1 does not."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def _compared(found: Fit, doubt: float) -> str:
    spare = found.have_B - found.need_B
    told = f"{_gigabytes(abs(spare))} {'to spare' if spare >= 0 else 'too little'}"
    return (
        f"{told}, and that may be off by {_gigabytes(doubt)}: too close to tell." if abs(spare) < doubt else f"{told}."
    )


def _gigabytes(size_B: float) -> str:
    return f"{size_B / 1e9:.1f} GB"
