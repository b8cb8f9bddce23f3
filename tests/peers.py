"""transformers' GPT-2 and Llama with random weights, and the same weights in a Transformer of ours."""

from typing import Any

import torch
import transformers
from torch import Tensor

from model.architectures.transformer import Transformer
from model.shapes.transformer import Config

#: The models know no beginning and no end of a text; by default GPT-2's would lie outside so small a vocabulary.
NO_ENDS: dict[str, Any] = {"bos_token_id": None, "eos_token_id": None}
WIDTHS: dict[str, Any] = {"vocabulary": 50, "hidden": 32, "layers": 3, "heads": 4}


def _random(model: Any) -> Any:
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator) + float(parameter.dim() == 1))
    return model.eval()


def _filled(config: Config, tensors: dict[str, Tensor]) -> Transformer:
    model = Transformer(config).eval()
    if config.tied:
        tensors["projection.weight"] = tensors["embedding.tokens.weight"]
    model.load_state_dict(tensors)
    return model


def gpt2() -> tuple[Any, Transformer]:
    """transformers' GPT-2, and ours with its weights."""
    peer = _random(
        transformers.GPT2LMHeadModel(
            transformers.GPT2Config(vocab_size=50, n_embd=32, n_layer=3, n_head=4, n_positions=64, **NO_ENDS)
        )
    )
    names = {
        "ln_1": "attention_norm",
        "attn.c_attn": "attention.qkv",
        "attn.c_proj": "attention.out",
        "ln_2": "feed_forward_norm",
        "mlp.c_fc": "feed_forward.up",
        "mlp.c_proj": "feed_forward.down",
    }
    theirs = peer.state_dict()
    tensors = {
        "embedding.tokens.weight": theirs["transformer.wte.weight"],
        "embedding.positions.weight": theirs["transformer.wpe.weight"],
        "norm.weight": theirs["transformer.ln_f.weight"],
        "norm.bias": theirs["transformer.ln_f.bias"],
    }
    for i in range(3):
        for name, own in names.items():
            for part in ("weight", "bias"):
                tensor = theirs[f"transformer.h.{i}.{name}.{part}"]
                # GPT-2's matrices multiply from the right
                tensors[f"blocks.{i}.{own}.{part}"] = tensor.T if tensor.dim() == 2 else tensor
    config = Config(**WIDTHS, positions="learned", context=64, activation="gelu", norm="layer", bias=True)
    return peer, _filled(config, tensors)


def llama() -> tuple[Any, Transformer]:
    """transformers' Llama with grouped queries, and ours with its weights."""
    settings = transformers.LlamaConfig(
        vocab_size=50,
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=40,
        rms_norm_eps=1e-5,
        max_position_embeddings=64,
        **NO_ENDS,
    )
    peer = _random(transformers.LlamaForCausalLM(settings))
    theirs = peer.state_dict()
    tensors = {
        "embedding.tokens.weight": theirs["model.embed_tokens.weight"],
        "norm.weight": theirs["model.norm.weight"],
        "projection.weight": theirs["lm_head.weight"],
    }
    for i in range(3):
        old, new = f"model.layers.{i}", f"blocks.{i}"
        fused = {
            "attention.qkv": [f"self_attn.{part}_proj" for part in "qkv"],
            "attention.out": ["self_attn.o_proj"],
            "feed_forward.up": ["mlp.gate_proj", "mlp.up_proj"],
            "feed_forward.down": ["mlp.down_proj"],
            "attention_norm": ["input_layernorm"],
            "feed_forward_norm": ["post_attention_layernorm"],
        }
        for own, parts in fused.items():
            tensors[f"{new}.{own}.weight"] = torch.cat([theirs[f"{old}.{part}.weight"] for part in parts])
    return peer, _filled(Config(**WIDTHS, kv_heads=2, feed_forward=40, tied=False), tensors)


def difference(peer: Any, own: Transformer) -> float:
    """The largest difference of their logits over all positions of a batch of sequences."""
    codes = torch.randint(0, 50, (3, 20), generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        expected = peer(codes[:, :-1]).logits  # (B, 19, V)
        found = own(codes[:, :1], codes[:, 1:])  # (B, 19, V): the first token alone is the source
    return float((expected - found).abs().max())
