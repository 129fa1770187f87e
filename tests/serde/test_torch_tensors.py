"""Tensors: every dtype, layout and trait; and memory that belongs to the receiver alone."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Iterator

import pytest
import torch

from syft.core.metadata import existing_metadata, metadata_of
from syft.exceptions import UnserializableError
from syft.serde import decode, encode
from syft.serde.torch_tensors import _DTYPES
from tests.serde import craft
from tests.serde.same import same

SHAPES = [(), (0,), (0, 3), (1,), (5,), (2, 3), (2, 0, 3), (1, 1, 1), (2,) * 10]


@pytest.fixture
def _young_layouts() -> Iterator[None]:
    # Making one warns that the layout is new, once a process.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def of_dtype(dtype: torch.dtype, shape: tuple[int, ...]) -> torch.Tensor:
    count = torch.Size(shape).numel() * dtype.itemsize
    raw = torch.arange(count, dtype=torch.int64).to(torch.uint8)
    if dtype is torch.bool:
        raw = raw % 2
    return raw.view(dtype).view(shape) if count else torch.empty(shape, dtype=dtype)


@pytest.mark.parametrize("name", sorted(_DTYPES))
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.usefixtures("_young_layouts")
def test_every_dtype_and_shape_survives(name: str, shape: tuple[int, ...]) -> None:
    tensor = of_dtype(_DTYPES[name], shape)
    assert same(tensor, decode(encode(tensor)))


def test_the_dtypes_that_people_use_are_all_sent() -> None:
    common = (
        "bool uint8 uint16 uint32 uint64 int8 int16 int32 int64 float16 bfloat16 float32 float64 complex64 complex128"
    )
    assert set(common.split()) <= set(_DTYPES)
    assert {name for name in _DTYPES if name.startswith("float8")} >= {"float8_e4m3fn", "float8_e5m2"}


VIEWS = {
    "transposed": lambda t: t.T,
    "strided": lambda t: t[::2, 1:],
    "expanded": lambda t: t[:1].expand(7, 4),
    "offset": lambda t: t[2],
    "channels last": lambda t: t.reshape(1, 2, 2, 4).contiguous(memory_format=torch.channels_last),
    "one element of a wide stride": lambda t: t[:1, 1::3],
    "diagonal": lambda t: t.diagonal(),
}


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.int8, torch.bfloat16, torch.complex128])
def test_views_arrive_with_their_values(view: str, dtype: torch.dtype) -> None:
    tensor = VIEWS[view](torch.arange(16).reshape(4, 4).to(dtype))
    arrived = decode(encode(tensor))
    assert same(tensor, arrived)
    assert arrived.is_contiguous()


def test_a_view_sends_its_own_values_only() -> None:
    whole = torch.arange(1000, dtype=torch.uint8)
    assert craft.buffers_of(encode(whole[10:13])) == [bytes([10, 11, 12])]


def test_conjugate_and_negative_views_are_resolved() -> None:
    tensor = torch.tensor([[1 + 2j, 3 - 4j]])
    for view in (tensor.conj(), tensor.conj().imag, tensor.conj().T, tensor.imag._neg_view()):
        arrived = decode(encode(view))
        assert not arrived.is_conj()
        assert not arrived.is_neg()
        assert torch.equal(arrived, view.resolve_conj().resolve_neg())


def test_nan_payloads_are_kept() -> None:
    bits = torch.tensor([0x7FC00001, 0x7F800001, -1], dtype=torch.int32)
    assert torch.equal(decode(encode(bits.view(torch.float32))).view(torch.int32), bits)


def test_bools_of_uninitialised_memory_are_sent_as_torch_reads_them() -> None:
    wild = torch.tensor([0, 1, 7, 255], dtype=torch.uint8).view(torch.bool)
    assert decode(encode(wild)).tolist() == [False, True, True, True]


# --- memory ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.complex128, torch.uint8])
def test_a_decoded_tensor_owns_aligned_writable_memory(dtype: torch.dtype) -> None:
    data = bytearray(encode([torch.ones(3, dtype=dtype), torch.ones(5, dtype=dtype)]))
    before = bytes(data)
    first, second = decode(data)
    first.add_(1)
    second.add_(2)
    assert bytes(data) == before
    assert first.tolist() == [2] * 3
    assert second.tolist() == [3] * 5
    data[:] = bytes(len(data))
    assert first.tolist() == [2] * 3
    assert first.data_ptr() % 16 == 0
    assert not first._is_view()


def test_a_decoded_tensor_can_be_resized() -> None:
    tensor = decode(encode(torch.ones(3)))
    tensor.resize_(1000)
    tensor.untyped_storage().resize_(0)


def test_sending_leaves_the_tensor_as_it_was() -> None:
    tensor = torch.ones(3, requires_grad=True)
    encode(tensor)
    assert existing_metadata(tensor) is None
    assert tensor.untyped_storage().resizable()  # tensor.numpy() would have ended that
    assert vars(tensor) == {}


def test_the_same_tensor_twice_arrives_as_two() -> None:
    tensor = torch.ones(2)
    first, second = decode(encode((tensor, tensor)))
    first.zero_()
    assert second.tolist() == [1, 1]


# --- traits ------------------------------------------------------------------------------------------


def test_leaf_parameter_and_gradient() -> None:
    parameter = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
    (parameter**2).sum().backward()
    arrived = decode(encode(parameter))
    assert type(arrived) is torch.nn.Parameter
    assert same(parameter, arrived)
    assert arrived.grad.tolist() == [2, 4]


def test_a_frozen_parameter_stays_frozen() -> None:
    arrived = decode(encode(torch.nn.Parameter(torch.ones(2, dtype=torch.int64), requires_grad=False)))
    assert type(arrived) is torch.nn.Parameter
    assert not arrived.requires_grad


def test_a_buffer_arrives_as_a_tensor() -> None:
    assert same(torch.ones(2), decode(encode(torch.nn.Buffer(torch.ones(2)))))


def test_a_result_arrives_as_a_leaf_that_still_requires_a_gradient() -> None:
    result = torch.ones(2, requires_grad=True) * 3
    arrived = decode(encode(result))
    assert arrived.is_leaf
    assert arrived.requires_grad
    assert arrived.grad is None
    (arrived * 2).sum().backward()
    assert arrived.grad.tolist() == [2, 2]


def test_the_retained_gradient_of_a_result_is_sent() -> None:
    result = torch.ones(2, requires_grad=True) * 3
    result.retain_grad()
    (result * 5).sum().backward()
    assert decode(encode(result)).grad.tolist() == [5, 5]


def test_a_gradient_of_a_gradient_is_sent() -> None:
    x = torch.tensor(3.0, requires_grad=True)
    (x.grad,) = torch.autograd.grad(x**3, x, create_graph=True)
    arrived = decode(encode(x))
    x.grad = None  # the graph refers to x and x to the graph
    assert arrived.grad.item() == 27
    assert arrived.grad.requires_grad


def test_names_of_a_tensor_survive_but_not_its_owner() -> None:
    tensor = torch.ones(2)
    entry = metadata_of(tensor)
    entry.id, entry.owner, entry.tags, entry.description = 12345, "me", {"#a", "#b"}, "two ones"
    kept = decode(encode(tensor))
    arrived = existing_metadata(kept)
    assert (arrived.id, arrived.tags, arrived.description) == (12345, {"#a", "#b"}, "two ones")
    assert arrived.owner is None


def test_tensors_that_nobody_named_get_no_names() -> None:
    kept = decode(encode(torch.ones(1)))
    assert existing_metadata(kept) is None


# --- sparse ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("coalesced", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.int64, torch.complex64, torch.bool, torch.bfloat16])
def test_coo_tensors_survive(coalesced: bool, dtype: torch.dtype) -> None:
    tensor = torch.sparse_coo_tensor([[0, 2, 2], [1, 0, 0]], torch.ones(3, dtype=dtype), (3, 4), check_invariants=True)
    tensor = tensor.coalesce() if coalesced else tensor
    assert same(tensor, decode(encode(tensor)))


def test_coo_tensors_with_dense_dimensions_without_entries_and_with_gradient() -> None:
    hybrid = torch.sparse_coo_tensor([[1]], torch.ones(1, 2, 3), (4, 2, 3), check_invariants=True)
    empty = torch.sparse_coo_tensor(size=(2**20, 2**30), check_invariants=True)
    leaf = hybrid.clone().requires_grad_()
    leaf.grad = hybrid.clone()
    for tensor in (hybrid, empty, leaf):
        assert same(tensor, decode(encode(tensor)))


def test_a_sparse_gradient_survives() -> None:
    embedding = torch.nn.Embedding(5, 2, sparse=True)
    embedding(torch.tensor([1, 3])).sum().backward()
    arrived = decode(encode(embedding.weight))
    assert arrived.grad.layout is torch.sparse_coo
    assert same(embedding.weight, arrived)


@pytest.mark.usefixtures("_young_layouts")
@pytest.mark.parametrize(
    "make",
    [
        lambda t: t.to_sparse_csr(),
        lambda t: t.to_sparse_csc(),
        lambda t: t.to_sparse_bsr((2, 2)),
        lambda t: t.to_sparse_bsc((2, 2)),
        lambda t: torch.stack([t, t]).to_sparse_csr(),
    ],
    ids=["csr", "csc", "bsr", "bsc", "batched csr"],
)
def test_compressed_tensors_survive(make) -> None:
    tensor = make(torch.tensor([[0.0, 1.0, 0.0, 2.0], [0.0, 0.0, 3.0, 0.0]]))
    assert same(tensor, decode(encode(tensor)))
    leaf = tensor.detach().clone().requires_grad_()
    assert same(leaf, decode(encode(leaf)))


@pytest.mark.usefixtures("_young_layouts")
@pytest.mark.parametrize("make", [lambda: torch.eye(2).to_sparse_csr(), lambda: torch.ones(2).to(torch.complex32)])
def test_young_dtypes_and_layouts_arrive_without_warnings(make) -> None:
    # In a process of its own, for torch warns once.
    program = "import sys; from syft.serde import decode, encode; encode(decode(bytes.fromhex(sys.argv[1])))"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, encode(make()).hex()],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


# --- devices -----------------------------------------------------------------------------------------


def test_a_tensor_of_a_missing_gpu_arrives_on_the_cpu() -> None:
    arrived = decode(craft.frame(craft.tensor("uint8", [1], 0, [False, False, ["cuda", 127], None, None]), b"\7"))
    assert arrived.device.type == "cpu"
    assert arrived.tolist() == [7]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_tensor_of_a_gpu_arrives_there() -> None:
    leaf = torch.arange(6.0, device="cuda").reshape(2, 3).requires_grad_()
    (leaf * 2).sum().backward()
    coo = torch.eye(3, device="cuda").to_sparse()
    for tensor in (leaf, leaf.detach().T, torch.nn.Parameter(leaf.detach()), coo, torch.ones(2).cuda().bfloat16()):
        assert same(tensor, decode(encode(tensor)))


# --- what is not sent --------------------------------------------------------------------------------


class _Subclass(torch.Tensor):
    pass


@pytest.mark.parametrize(
    ("make", "way_out"),
    [
        (lambda: torch.ones(1).as_subclass(_Subclass), "as_subclass"),
        (lambda: torch.empty(2, device="meta"), "meta"),
        (lambda: torch.empty(2, dtype=torch.uint4), "to\\(dtype\\)"),
        (lambda: torch.nn.UninitializedParameter(), "register"),
        (lambda: [1, {"deep": (torch.empty(1, device="meta"),)}], "meta"),
        (lambda: torch.ones(2).to_mkldnn(), "to_dense"),
    ],
    ids=["subclass", "meta", "int4", "uninitialized", "nested", "mkldnn"],
)
def test_other_tensors_are_refused_with_a_way_out(make, way_out: str) -> None:
    with pytest.raises(UnserializableError, match=way_out):
        encode(make())
