"""Whether devices have the memory to train a model: all of its weights, or adapters beside frozen ones."""

from typing import Literal

from reports.projection.answers import Candidate, Fit
from reports.projection.memory import DEFAULT, Setting, device_memory, engine_memory, stored
from reports.projection.memory.engine_memory import feed_forward
from reports.projection.models import Model

Method = Literal["full", "lora", "qlora"]

#: B a trained weight: itself and its gradient in 16 bits, and in 32 bits AdamW's two moments and the copy that is
#: updated (Rajbhandari et al., 2020, ZeRO, section 3.1).
TRAINED_B = 16.0
FROZEN_B = 2.0
#: NF4 with its constants in 8 bits: 4 bits, and 0.127 for the constants (Dettmers et al., 2023, QLoRA, section 3).
NF4_BITS = 4.127
#: What is not converted is kept in 32 bits (`prepare_model_for_kbit_training` of Hugging Face's PEFT).
UNCONVERTED_B = 4.0
#: Values of 16 bits a token that a layer keeps for backward without checkpointing: of the width of the stream (inputs
#: of norms and products, queries, keys, values before and after rotation, attention's output), and of the feed-forward
#: (gate, its SiLU, up, their product). It gives 7.9 and 12.1 GB for a sequence of 1304 tokens of Llama 2 7B and 13B,
#: where litgpt's tables of LoRA (tutorials/resource-tables.md) leave 7.8 and 12.1 beside the weights.
STREAMS, INNER = 11, 4
#: B a logit: itself in 16 bits, and in 32 bits for the loss, with a gradient.
LOGIT_B = 10.0
#: How far activations and what is set aside may be off: kernels and frameworks differ in what they keep.
WORK_DOUBT, ASIDE_DOUBT, WEIGHTS_DOUBT = 0.4, 0.5, 0.02


def fit(
    model: Model,
    candidate: Candidate,
    method: Method,
    batch: int,
    tokens: int,
    *,
    checkpointing: bool = False,
    rank: int = 8,
    setting: Setting = DEFAULT,
) -> Fit:
    """Whether a step with `batch` sequences of `tokens` on each device fits; `most_batch` is the largest that does.

    `full` trains every weight with AdamW in mixed precision, `lora` adapters of `rank` at every product of a layer
    beside weights in 16 bits, `qlora` beside weights in NF4. With the split `data` every device holds
    everything, else what stays is shared out (ZeRO-3, FSDP). `checkpointing` keeps a layer's input alone.
    """
    one = device_memory.offered_B(candidate.device, setting.headless)
    devices = candidate.devices
    holders = devices if candidate.split == "data" else 1
    parts = _parts(model, method, rank, devices, holders)
    work = tokens * _kept_B(model, checkpointing) * devices
    have = (one or 0.0) * devices
    stays = sum(parts.values())
    parts["activations"] = batch * work
    need = sum(parts.values())
    if one is None:
        return Fit(False, need, 0.0, parts, 0, f"How much memory {candidate.device.name} has is not known.")
    most = max(int((have - stays) / work), 0)
    return Fit(need <= have, need, have, parts, most, f"{abs(have - need) / 1e9:.1f} GB {_word(need <= have)}.")


def doubt_B(found: Fit) -> float:
    """How far `need_B` may be from the truth, in bytes."""
    parts = found.parts_B
    stays = sum(parts.values()) - parts["activations"] - parts["context and libraries"]
    return WORK_DOUBT * parts["activations"] + ASIDE_DOUBT * parts["context and libraries"] + WEIGHTS_DOUBT * stays


def _parts(model: Model, method: Method, rank: int, devices: int, holders: int) -> dict[str, float]:
    aside = engine_memory.PYTORCH.set_aside_B + (engine_memory.PYTORCH.link_B if devices > 1 else 0.0)
    found = {"context and libraries": aside * devices}
    if method == "full":
        found["weights"] = FROZEN_B * model.parameters * holders
        found["gradients and optimizer state"] = (TRAINED_B - FROZEN_B) * model.parameters * holders
    else:
        frozen = FROZEN_B * model.parameters
        if method == "qlora":
            plain = stored.weights(model, "bf16")
            frozen = plain.layers_B / 16 * NF4_BITS + (plain.table_B + plain.head_B) / FROZEN_B * UNCONVERTED_B
        found["weights"] = frozen * holders
        found["adapters and their optimizer state"] = TRAINED_B * _adapters(model, rank) * holders
    if devices > holders:  # the weights of one layer are put together on every device while it is computed
        found["gathered layer"] = devices * stored.weights(model, "bf16").layers_B / model.layers
    return found


def _adapters(model: Model, rank: int) -> float:
    keys = model.kv_values / model.layers / 2
    attention = 4 * model.hidden + 2 * model.attention_width + 2 * keys
    return rank * model.layers * (attention + 3 * (model.hidden + feed_forward(model)))


def _kept_B(model: Model, checkpointing: bool) -> float:
    """Bytes that a token keeps for backward."""
    layer = 2.0 * (STREAMS * model.hidden + INNER * feed_forward(model))
    layers = model.layers * 2.0 * model.hidden + layer if checkpointing else model.layers * layer
    return layers + LOGIT_B * model.vocabulary


def _word(fits: bool) -> str:
    return "to spare" if fits else "too little"
