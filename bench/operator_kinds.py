"""What an operator does, told by the name that torch gives it. No torch here."""

from bench.observation import Kind

#: Names, without namespace and trailing underscore, of what multiplies matrices.
_PRODUCTS = frozenset(
    {
        "mm", "addmm", "bmm", "baddbmm", "addbmm", "mv", "addmv", "dot", "vdot", "inner", "outer", "ger",
        "addr", "matmul", "linear", "bilinear", "einsum", "tensordot", "_int_mm", "_scaled_mm", "_grouped_mm",
        "_scaled_grouped_mm", "_weight_int8pack_mm", "_weight_int4pack_mm", "_weight_int4pack_mm_for_cpu",
        "lstm", "gru", "rnn_tanh", "rnn_relu", "quantized_lstm", "quantized_gru", "linear_dynamic",
        "linear_dynamic_fp16", "linear_relu_dynamic", "_linear_pointwise", "_cudnn_rnn", "_cudnn_rnn_backward",
        "miopen_rnn", "cdist", "chain_matmul",
    }
)  # fmt: skip
_PRODUCT_PARTS = ("conv", "mkldnn_rnn", "mkldnn_linear", "_sparse_mm", "_cslt_sparse_mm")
_LSTM = ("mkldnn_rnn_layer", "quantized_lstm")
_GATHERS = frozenset(
    {
        "embedding", "embedding_bag", "_embedding_bag", "_embedding_bag_forward_only",
        "embedding_dense_backward", "index_select", "index", "_unsafe_index", "gather", "take",
        "take_along_dim", "index_add", "index_put", "_index_put_impl", "index_copy", "scatter", "scatter_add",
        "put", "embedding_renorm",
    }
)  # fmt: skip
#: They read in an order that their data decide, or more than once, so bytes over bandwidth say nothing of them.
_OTHERS = frozenset(
    {
        "sort", "argsort", "topk", "kthvalue", "unique", "_unique2", "nonzero", "multinomial", "msort", "mode",
        "searchsorted",
    }
)  # fmt: skip
_COMMUNICATES = ("gloo:", "nccl:", "mpi:", "ucc:", "c10d::", "_c10d_functional::", "c10d_functional::")
#: torch's own name for fetching a batch, and the name that a workload gives to what it does for its input.
_INPUT, _INPUT_PARTS = "input", ("enumerate(DataLoader)", "DataLoader")


def base(name: str) -> str:
    """`aten::add_` as `add`: without namespace, and without the mark of an operator in place."""
    return name.rpartition("::")[2].removesuffix("_")


def is_lstm(name: str) -> bool:
    """Whether `name` is a whole layer of an LSTM, or its gradients: its shape is (batch, 4 hidden, input + hidden)."""
    return base(name).removesuffix("_backward") in _LSTM


def is_input(name: str) -> bool:
    """Whether the range `name` makes or fetches the next batch."""
    return name == _INPUT or any(part in name for part in _INPUT_PARTS)


def communicates(name: str) -> bool:
    """Whether `name` exchanges tensors with other ranks."""
    return name.startswith(_COMMUNICATES)


def kind_of(name: str) -> Kind:
    """The kind of an operator that reads or writes tensors; whether it moves them between devices, no name tells."""
    short = base(name)
    if is_input(name):
        return "input"
    if communicates(name):
        return "communication"
    if "attention" in short:
        return "attention"
    if short in _PRODUCTS or any(part in short for part in _PRODUCT_PARTS):
        return "product"
    if short in _GATHERS:
        return "gather"
    return "other" if short in _OTHERS else "elementwise"
