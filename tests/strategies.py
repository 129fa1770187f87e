"""What can be sent, as hypothesis strategies: one for each tag of `syft.serde`, see `BY_TAG`."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st

from syft.core import messages as m
from syft.core.metadata import metadata_of
from syft.serde import numpy_types, torch_tensors, torch_types

with warnings.catch_warnings():
    # The first complex32 tensor of a process warns that the dtype is young.
    warnings.simplefilter("ignore")
    torch.empty(0, dtype=torch.complex32)

int64s = st.integers(-(2**63), 2**63 - 1)
wire_ints = st.integers(-(2**63), 2**64 - 1)
texts = st.text(max_size=12)
ids = st.one_of(st.integers(0, 2**63 - 1), texts)
sizes = st.integers(0, 2**63 - 1)

scalars = st.one_of(st.none(), st.booleans(), wire_ints, st.floats(), texts, st.binary(max_size=12))
# What may be a key or an element of a set. Without NaN: no two are equal, which is tested by itself.
keys = st.one_of(
    st.none(),
    st.booleans(),
    wire_ints,
    st.floats(allow_nan=False),
    texts,
    st.tuples(texts, int64s),
    st.binary(max_size=5),
)

shapes = st.lists(st.integers(0, 4), max_size=4)
ranges = st.builds(range, int64s, int64s, int64s.filter(bool))
slices = st.builds(slice, scalars, scalars, scalars)
complexes = st.builds(complex, st.floats(), st.floats())
devices = st.builds(torch.device, st.sampled_from(sorted(torch_types.DEVICE_TYPES)), st.integers(0, 127)) | st.builds(
    torch.device, st.sampled_from(sorted(torch_types.DEVICE_TYPES))
)
dtypes = st.sampled_from(list(torch_types.DTYPES.values()))
layouts = st.sampled_from(list(torch_types.LAYOUTS.values()))
memory_formats = st.sampled_from(list(torch_types.MEMORY_FORMATS.values()))
torch_sizes = st.lists(int64s, max_size=5).map(torch.Size)


@st.composite
def arrays(draw: st.DrawFn) -> np.ndarray[Any, Any]:
    """Arrays of every dtype that is sent, in any memory order."""
    dtype = draw(st.sampled_from(list(numpy_types._DTYPES.values())))
    shape = draw(shapes)
    array = _random_array(draw, shape, dtype)
    if draw(st.booleans()):
        array = array.T
    if array.ndim and draw(st.booleans()):
        array = array[::-2]
    return array


def _random_array(draw: st.DrawFn, shape: list[int], dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    count = int(np.prod(shape, dtype=int)) * dtype.itemsize
    data = np.random.default_rng(draw(st.integers(0, 2**32))).integers(0, 256, count, dtype=np.uint8)
    if dtype.kind == "b":
        data &= 1
    return np.ndarray(shape, dtype, buffer=data.tobytes()).copy()


scalars_of_numpy = arrays().filter(lambda a: a.size).map(lambda a: a.reshape(-1)[0])


@st.composite
def dense_tensors(draw: st.DrawFn) -> torch.Tensor:
    """Plain tensors of every dtype that is sent, contiguous or not, of any bit pattern."""
    dtype = draw(st.sampled_from(list(torch_tensors._DTYPES.values())))
    shape = draw(shapes)
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    count = int(np.prod(shape, dtype=int)) * dtype.itemsize
    values = torch.randint(0, 2 if dtype is torch.bool else 256, (count,), generator=generator, dtype=torch.uint8)
    tensor = values.view(dtype).view(shape) if count else torch.empty(shape, dtype=dtype)
    if draw(st.booleans()):
        tensor = tensor.movedim(0, -1) if tensor.dim() else tensor
    if tensor.dim() and draw(st.booleans()):
        tensor = tensor[::2]
    if dtype in (torch.complex64, torch.complex128) and draw(st.booleans()):
        tensor = tensor.conj()
    return tensor


@st.composite
def leaves(draw: st.DrawFn) -> torch.Tensor:
    """Float tensors and parameters, with or without gradient and metadata."""
    shape = draw(shapes)
    tensor = torch.full(shape, draw(st.floats(-1e6, 1e6)))
    if draw(st.booleans()):
        tensor = torch.nn.Parameter(tensor, requires_grad=draw(st.booleans()))
    else:
        tensor.requires_grad_(draw(st.booleans()))
    if draw(st.booleans()):
        tensor.grad = torch.full(shape, draw(st.floats(-1e6, 1e6)))
    if draw(st.booleans()):
        entry = metadata_of(tensor)
        entry.id = draw(ids)
        entry.tags = draw(st.none() | st.sets(texts, max_size=3))
        entry.description = draw(st.none() | texts)
    return tensor


@st.composite
def sparse_tensors(draw: st.DrawFn) -> torch.Tensor:
    """COO tensors, coalesced or not, with dense dimensions or not."""
    shape = draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    sparse = draw(st.integers(1, len(shape)))
    count = draw(st.integers(0, 6))
    indices = torch.tensor(
        [[draw(st.integers(0, n - 1)) for _ in range(count)] for n in shape[:sparse]], dtype=torch.int64
    )
    values = torch.arange(count * int(np.prod(shape[sparse:], dtype=int)), dtype=torch.float64)
    values = values.reshape([count, *shape[sparse:]])
    tensor = torch.sparse_coo_tensor(indices.reshape(sparse, count), values, shape, check_invariants=True)
    return tensor.coalesce() if draw(st.booleans()) else tensor


tensors = st.one_of(dense_tensors(), leaves(), sparse_tensors())

values = st.recursive(
    st.one_of(scalars, ranges, slices, complexes, st.just(...), arrays(), scalars_of_numpy, dense_tensors(), leaves()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(keys, inner, max_size=4),
        st.dictionaries(keys, inner, max_size=4).map(OrderedDict),
        st.sets(keys, max_size=4),
        st.frozensets(keys, max_size=4),
    ),
    max_leaves=8,
)

refs = st.builds(m.Ref, ids, st.lists(texts, max_size=2).map(tuple))
arguments = st.lists(st.one_of(refs, scalars, dense_tensors(), st.lists(refs, max_size=2)), max_size=4).map(tuple)
keywords = st.dictionaries(texts, st.one_of(refs, scalars), max_size=3)
many_ids = st.lists(ids, max_size=4).map(tuple)
many_texts = st.lists(texts, max_size=3).map(tuple)
known_shapes = st.lists(sizes, max_size=4).map(tuple)

descriptions = st.builds(
    m.Description, known_shapes, dtypes, devices, layouts, st.none() | known_shapes, st.booleans(), st.booleans()
)

BY_TAG: dict[str, st.SearchStrategy[Any]] = {
    "tuple": st.lists(values, max_size=4).map(tuple),
    "set": st.sets(keys, max_size=5),
    "frozenset": st.frozensets(keys, max_size=5),
    "range": ranges,
    "slice": slices,
    "ellipsis": st.just(...),
    "complex": complexes,
    "ordered_dict": st.dictionaries(keys, values, max_size=4).map(OrderedDict),
    "numpy.array": arrays(),
    "numpy.scalar": scalars_of_numpy,
    "torch.dtype": dtypes,
    "torch.layout": layouts,
    "torch.memory_format": memory_formats,
    "torch.linear_cross_entropy_options": st.builds(
        torch_types.LossOptions, allow_retain_graph=st.booleans(), acc_policy=st.sampled_from(["auto", "balanced"])
    ),
    "torch.device": devices,
    "torch.size": torch_sizes,
    "tensor": tensors,
    "ref": refs,
    "put": st.builds(
        m.Put,
        st.lists(st.tuples(ids, st.one_of(tensors, scalars)), max_size=3).map(tuple),
        scalars,
        st.booleans(),
        st.booleans(),
        st.booleans(),
    ),
    "command": st.builds(m.Command, texts, arguments, keywords, st.none() | ids, st.booleans(), many_ids),
    "call": st.builds(m.Call, refs, arguments, keywords, st.none() | ids, texts),
    "take": st.builds(m.Take, st.lists(refs, max_size=3).map(tuple), scalars, texts, st.booleans()),
    "relay": st.builds(m.Relay, many_ids, ids, many_ids, st.booleans(), scalars),
    "fetch": st.builds(m.Fetch, ids),
    "forget": st.builds(m.Forget, many_ids),
    "describe": st.builds(m.Describe, refs),
    "is_none": st.builds(m.IsNone, refs),
    "search": st.builds(m.Search, st.lists(scalars, max_size=3).map(tuple)),
    "tag": st.builds(m.Tag, ids, st.none() | st.frozensets(keys, max_size=3), st.none() | texts),
    "stored": st.builds(m.Stored, ids),
    "shown": st.builds(m.Shown, st.lists(dense_tensors(), max_size=2).map(tuple)),
    "named": st.builds(m.Named, many_texts, arguments),
    "description": descriptions,
    "gradients": st.builds(m.Gradients, st.lists(st.tuples(ids, st.none() | descriptions), max_size=3).map(tuple)),
    "found": st.builds(m.Found, ids, texts, arguments, st.none() | texts, st.none() | known_shapes),
    "failure": st.builds(m.Failure, texts, texts, texts, texts, st.lists(scalars, max_size=3).map(tuple)),
}
