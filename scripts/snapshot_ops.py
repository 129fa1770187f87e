"""Writes ``src/syft/core/ops.txt``, the snapshot of the op table, from the torch that is installed.

Run it after a torch upgrade, read the diff line by line, and keep only what fits the rules at the top of
``syft/core/ops.py``::

    python scripts/snapshot_ops.py            # write
    python scripts/snapshot_ops.py --check    # exit 1 if the file would change
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import torch.overrides

from syft.core.ops import DENIED, KERNEL

TARGET = Path(__file__).parents[1] / "src" / "syft" / "core" / "ops.txt"

# Earlier roots win: an object that has several names (``torch.conv2d is F.conv2d``) is listed under the first one.
ROOTS: tuple[tuple[str, Any], ...] = (
    ("torch", torch),
    ("torch.linalg", torch.linalg),
    ("torch.fft", torch.fft),
    ("torch.special", torch.special),
    ("torch.nn.functional", torch.nn.functional),
    ("torch.nn.init", torch.nn.init),
    ("torch.sparse", torch.sparse),
    ("torch.autograd", torch.autograd),
    ("torch._C._nn", torch._C._nn),
    ("torch._VF", torch._VF),
    ("Tensor", torch.Tensor),
)

# Back-end variants, quantized storage, symbolic shapes and other entries that user code does not reach.
UNLISTED = re.compile(
    r"cudnn_|miopen_|mkldnn_|fbgemm_|quantize|sym_|q_(per|scale|zero)|qscheme|fake_quant|choose_qparams|fused_moving|"
    r"batch_norm_(backward|elemt|gather|stats|update)|to_mkldnn|int_repr|dequantize|slice_inverse|as_subclass$|"
    r"(un)?flatten_dense|thnn_|slow_conv|conv_depthwise|is_vulkan_available|"
    r"to_padded|index$|reinforce|volatile|promote_types|can_cast|(ipu|xpu|mtia)$"
)

# Names with a leading underscore that torch's own modules and optimizers call.
PRIVATE = re.compile(
    r"_foreach_\w+|_fused_(adam|adamw|sgd|adagrad)_|_pack_padded_sequence|_pad_packed_sequence|_weight_norm|"
    r"_transformer_encoder_layer_fwd|_native_multi_head_attention|_threshold|_standard_gamma|_sample_dirichlet|"
    r"_dirichlet_grad|_aminmax|_safe_softmax|_version|_is_view|_nnz|_values|_indices|_shape_as_tensor|_is_all_true|"
    r"_is_any_true|_nested_tensor_from_mask_left_aligned"
)

CREATION = (
    "arange bartlett_window blackman_window empty empty_permuted empty_strided eye full hamming_window hann_window "
    "kaiser_window linspace logspace normal ones rand rand_like randint randint_like randn randn_like randperm range "
    "scalar_tensor tensor tril_indices triu_indices zeros empty_like ones_like zeros_like full_like"
).split()

SPARSE = {"addmm", "log_softmax", "mm", "sampled_addmm", "softmax"}

# Operators whose rule stands under another name.
OPERATORS = {
    "truediv": "div", "rtruediv": "rdiv", "itruediv": "div_", "div": "div", "rdiv": "rdiv", "idiv": "div_",
    "floordiv": "floor_divide", "rfloordiv": "rfloor_divide", "ifloordiv": "floor_divide_",
    "mod": "remainder", "rmod": "rremainder", "imod": "remainder_",
    "radd": "add", "rmul": "mul", "iadd": "add_", "isub": "sub_", "imul": "mul_", "ipow": "pow_",
    "and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor", "invert": "bitwise_not",
    "rand": "bitwise_and", "ror": "bitwise_or", "rxor": "bitwise_xor",
    "iand": "bitwise_and_", "ior": "bitwise_or_", "ixor": "bitwise_xor_",
    "lshift": "bitwise_left_shift", "rshift": "bitwise_right_shift",
    "rlshift": "rbitwise_left_shift", "rrshift": "rbitwise_right_shift",
    "ilshift": "bitwise_left_shift_", "irshift": "bitwise_right_shift_",
    "pos": "positive", "nonzero": "bool", "long": "int",
}  # fmt: skip
DUNDERS = set(
    "abs add and bool complex contains div eq float floordiv ge getitem gt iadd iand idiv ifloordiv ilshift imod imul "
    "index int invert ior ipow irshift isub itruediv ixor le len long lshift lt matmul mod mul ne neg nonzero or pos "
    "pow radd rand rdiv reversed rfloordiv rlshift rmatmul rmod rmul ror rpow rrshift rshift rsub rtruediv rxor "
    "setitem sub truediv xor".split()
)
# Conversions to Python numbers must not share a key with the casts, such as ``Tensor.bool`` and ``Tensor.int``.
NUMBERS = {"bool", "nonzero", "complex", "float", "int", "long", "index", "len", "contains"}

# Aliases of torch that take the same arguments.
SYNONYMS = {
    "absolute": "abs", "arccos": "acos", "arccosh": "acosh", "arcsin": "asin", "arcsinh": "asinh", "arctan": "atan",
    "arctan2": "atan2", "arctanh": "atanh", "clip": "clamp", "concat": "cat", "concatenate": "cat", "divide": "div",
    "fix": "trunc", "greater": "gt", "greater_equal": "ge", "less": "lt", "less_equal": "le", "moveaxis": "movedim",
    "multiply": "mul", "negative": "neg", "not_equal": "ne", "row_stack": "vstack", "subtract": "sub",
    "swapaxes": "transpose", "swapdims": "transpose", "trapz": "trapezoid", "true_divide": "div",
    "ndimension": "dim", "nelement": "numel",
}  # fmt: skip

# Low-level functions that take their arguments in another order than the function of that name in F.
NATIVE = {
    f"torch.{name}"
    for name in (
        "batch_norm instance_norm embedding embedding_bag kl_div ctc_loss cosine_embedding_loss hinge_embedding_loss "
        "margin_ranking_loss poisson_nll_loss triplet_margin_loss binary_cross_entropy_with_logits"
    ).split()
}


def key_of(name: str) -> str:
    """The group of spellings that ``name`` belongs to."""
    if name.endswith((".__get__", ".__set__", ".__delete__")):
        owner, accessor = name.removeprefix("Tensor.").rsplit(".", 1)
        return {"__get__": owner, "__set__": f"{owner}.set", "__delete__": f"{owner}.del"}[accessor]
    if name in NATIVE or name.startswith(("torch._C._nn.", "torch._VF.")):
        return "native." + name.rsplit(".", 1)[1]
    parent, last = name.rsplit(".", 1)
    if parent in ("torch.linalg", "torch.fft", "torch.special", "torch.nn.init", "torch.autograd", "torch.sparse"):
        return f"{parent.rsplit('.', 1)[1]}.{last}"
    if last.startswith("__"):
        bare = last.strip("_")
        return last if bare in NUMBERS else OPERATORS.get(bare, bare)
    stem, inplace = (last[:-1], "_") if last.endswith("_") else (last, "")
    return SYNONYMS.get(stem, stem) + inplace


# Python functions of torch that always return one tensor; a test runs them.
PYTHON_TENSOR = set(
    """
    torch.block_diag torch.cartesian_prod torch.cdist torch.chain_matmul torch.einsum torch.norm torch.stft
    torch.tensordot Tensor.norm Tensor.stft Tensor.istft Tensor.unflatten Tensor.to_sparse_coo Tensor.__getitem__
    Tensor.__rsub__ Tensor.__rdiv__ Tensor.__rtruediv__ Tensor.__pow__ Tensor.__rpow__ Tensor.__floordiv__
    Tensor.__rfloordiv__ Tensor.__rmod__ Tensor.__rmatmul__ Tensor.__reversed__ Tensor.__rlshift__ Tensor.__rrshift__
    Tensor.to Tensor.float Tensor.double Tensor.half Tensor.bfloat16 Tensor.long Tensor.int Tensor.short Tensor.char
    Tensor.byte Tensor.bool Tensor.cfloat Tensor.cdouble Tensor.chalf Tensor.cpu Tensor.cuda Tensor.contiguous
    Tensor.new_tensor Tensor.new_ones Tensor.new_zeros Tensor.new_full Tensor.new_empty Tensor.new_empty_strided
    Tensor.H.__get__ Tensor.T.__get__ Tensor.mH.__get__ Tensor.mT.__get__ Tensor.data.__get__ Tensor.real.__get__
    Tensor.imag.__get__ torch.tensor torch.range
    """.split()
)
F_NOT_ONE_TENSOR = re.compile(r"\w*_with_indices|multi_head_attention_forward|lp_pool_|rrelu_with_noise")
IN_PLACE_PYTHON = {"Tensor.__ipow__", "Tensor.copy_"}
NOTHING = re.compile(
    r".*\.__(set|delete)__|Tensor\.(backward|__setitem__|retain_grad)|torch\.autograd\.backward|torch\._fused_\w+_"
)
# The Python signature returns more than the native one (``nonzero(as_tuple=True)``).
ANY = {"torch.nonzero", "Tensor.nonzero", "Tensor.type", "torch.where", "Tensor.size", "Tensor.data.__set__"}


def native_returns() -> dict[str, str]:
    """What the overloads of each native op that take tensors agree on."""
    kinds: dict[str, set[str]] = defaultdict(set)
    for schema in torch._C._jit_get_all_schemas():
        if not schema.name.startswith("aten::") or any(a.kwarg_only and a.alias_info for a in schema.arguments):
            continue  # ``out=`` gives back what it was given, one tensor or many as the op itself does
        try:  # TorchScript's own overloads are not reached from Python
            torch._C._dispatch_find_schema_or_throw(schema.name, schema.overload_name)
        except RuntimeError:
            continue
        kinds[schema.name.removeprefix("aten::")].add(_kind(schema))
    return {name: kind.pop() if len(kind) == 1 else "any" for name, kind in kinds.items()}


def _kind(schema: Any) -> str:
    results = schema.returns
    if not results:
        return "nothing"
    if len(results) != 1 or str(results[0].type) != "Tensor":
        return "any"
    alias = results[0].alias_info
    if alias is None or not alias.is_write:
        return "tensor"
    first = schema.arguments[0].alias_info if schema.arguments else None
    return "self" if first is not None and first.is_write else "any"


def returns_of(name: str, key: str, fn: Any, native: dict[str, str]) -> str:
    """The ``returns`` column of a name."""
    last = name.rsplit(".", 1)[1]
    if NOTHING.fullmatch(name):
        return "nothing"
    if name in ANY:
        return "any"
    if name in PYTHON_TENSOR or (name.startswith("torch.") and last in CREATION):
        return "tensor"
    if name in IN_PLACE_PYTHON or name.startswith("torch.nn.init.") or re.fullmatch(r"_foreach_\w+_", last):
        return "self"
    if name.startswith("torch.nn.functional.") and hasattr(fn, "__code__"):
        if F_NOT_ONE_TENSOR.fullmatch(last):
            return "any"
        return "self" if last.endswith("_") else "tensor"
    if hasattr(fn, "__code__") or name.endswith("__get__"):
        return "any"
    lookup = key if last.startswith("__") else fn.__name__
    return native.get(lookup, "any")


def candidates() -> Iterator[tuple[str, Any]]:
    """All names under the roots that torch may hand over, with their objects."""
    known = set(torch.overrides.get_testing_overrides())
    known |= {f for functions in torch.overrides.get_overridable_functions().values() for f in functions}
    native = set(dir(torch._C._VariableFunctions))
    everything = {"Tensor", "torch._C._nn", "torch._VF"}
    for root, namespace in ROOTS:
        names = native if root == "torch._VF" else dir(namespace)
        for name in sorted(names):
            if root == "Tensor" and not callable(getattr(namespace, name)):
                yield from _accessors(name)
                continue
            found = getattr(namespace, name)
            if not callable(found) or isinstance(found, type):
                continue
            listed = root in everything or (root == "torch.sparse" and name in SPARSE)
            listed |= found in known or (root == "torch" and (name in native or name in CREATION))
            if listed or _dispatches(found) or (root == "torch.nn.functional" and re.fullmatch(r"[a-z]\w*_", name)):
                yield f"{root}.{name}", found


def _dispatches(function: Any) -> bool:
    return "handle_torch_function" in getattr(getattr(function, "__code__", None), "co_names", ())


def _accessors(name: str) -> Iterator[tuple[str, Any]]:
    owner = getattr(torch.Tensor, name)
    if not hasattr(owner, "__get__"):
        return
    yield f"Tensor.{name}.__get__", owner.__get__
    if name in ("grad", "data", "requires_grad", "real", "imag"):
        yield f"Tensor.{name}.__set__", owner.__set__
    if name == "grad":
        yield f"Tensor.{name}.__delete__", owner.__delete__


# Methods that torch removed and kept as functions that raise.
REMOVED = {"Tensor.lstsq", "Tensor.eig", "Tensor.symeig", "Tensor.solve"}


def admitted(name: str) -> bool:
    """Whether the review lets ``name`` into the table."""
    parts = name.split(".")
    last = parts[-2] if parts[-1] in ("__get__", "__set__", "__delete__") else parts[-1]
    if last in DENIED or name in REMOVED or UNLISTED.match(last):
        return False
    if last.startswith("__"):
        return parts[0] == "Tensor" and last.strip("_") in DUNDERS
    return not last.startswith("_") or PRIVATE.fullmatch(last) is not None


def snapshot() -> str:
    """The text of ``ops.txt`` for the installed torch."""
    native = native_returns()
    # The kernels of our own protocols are written by hand.
    lines = [line for line in TARGET.read_text(encoding="utf-8").splitlines(keepends=True) if line.startswith(KERNEL)]
    seen = set()
    for name, fn in candidates():
        if fn in seen or not admitted(name):
            continue
        seen.add(fn)
        key = key_of(name)
        lines.append(f"{name} {returns_of(name, key, fn, native)} {key}\n")
    return "".join(sorted(lines))


def main(arguments: list[str]) -> int:
    """Write the snapshot, or compare it with the file."""
    text = snapshot()
    if "--check" in arguments:
        return int(TARGET.read_text(encoding="utf-8") != text)
    TARGET.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
