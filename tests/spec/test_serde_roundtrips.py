"""Objects to bytes and back: what survives, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import syft as sy
from syft.exceptions import CompressionNotFoundException, DecodeError, ObjectNotFoundError, SerializationError
from syft.serde import compression

Worker = sy.VirtualWorker


def back(obj: Any, worker: Any = None) -> Any:
    return sy.serde.deserialize(sy.serde.serialize(obj), worker)


VALUES: list[Any] = [
    0, 1, -1, 2**63 - 1, -(2**63), 2**64 - 1, 0.0, -0.5, 1e300, math.inf, -math.inf, True, False, None, "", "é✓", b"",
    b"\x00\xff", [], [1, [2, [3]]], (), (1, (2, "x")), set(), {1, "a"}, {}, {"a": 1, 2: [3], (1, 2): None}, range(3),
    range(1, 10, 3), range(5, 0, -2), slice(None), slice(1, 2, 3), Ellipsis, [None, {"k": (1, {2.5}, [b"x"])}],
    torch.Size([2, 3]), torch.device("cpu"), torch.device("cuda:1"), torch.float32, torch.int64, torch.bool,
    torch.contiguous_format, torch.channels_last,
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_plain_values_survive(hook: sy.TorchHook, value: Any) -> None:
    out = back(value)
    assert out == value
    assert type(out) is type(value)


def test_nan_survives(hook: sy.TorchHook) -> None:
    assert math.isnan(back(math.nan))


def test_a_bytearray_comes_back_as_bytes(hook: sy.TorchHook) -> None:
    assert back(bytearray(b"ab")) == b"ab"


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int8", "int16", "int32", "int64", "uint8", "bool"])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (0,), (2, 0)], ids=str)
def test_numeric_arrays_survive(hook: sy.TorchHook, dtype: str, shape: tuple[int, ...]) -> None:
    array = np.asarray(np.arange(math.prod(shape)).reshape(shape) % 2, dtype=dtype)
    out = back(array)
    assert isinstance(out, np.ndarray)
    assert out.dtype == array.dtype
    assert np.array_equal(out, array)


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int32, np.int64])
def test_numpy_scalars_survive(hook: sy.TorchHook, kind: Any) -> None:
    out = back(kind(3))
    assert out == 3
    assert type(out) is kind


DTYPES = [
    torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64, torch.complex128, torch.int8,
    torch.uint8, torch.int16, torch.int32, torch.int64, torch.bool,
]  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (0,), (2, 0, 1)], ids=str)
def test_tensors_of_every_dtype_survive(hook: sy.TorchHook, dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    x = (torch.arange(math.prod(shape)).reshape(shape) % 2).to(dtype)
    out = back(x)
    assert (type(out), out.dtype, out.shape) == (torch.Tensor, dtype, x.shape)
    assert torch.equal(out, x)


def test_views_survive_alone(hook: sy.TorchHook) -> None:
    base = torch.arange(1_000_000)
    for view in (base[:3], base[::2][:3], base.view(1000, 1000).t()[:2, :3], base[5].expand(2, 2)):
        binary = sy.serde.serialize(view)
        assert len(binary) < 1000
        assert torch.equal(sy.serde.deserialize(binary), view)


def test_a_tensor_brings_all_that_it_is_called(hook: sy.TorchHook, me: Any) -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True).tag("#a", 5).describe("text")
    x.grad = torch.tensor([3.0, 4.0])
    out = back(x)
    assert (out.id, out.tags, out.description, out.owner) == (x.id, {"#a", 5}, "text", me)
    assert (out.requires_grad, out.is_leaf) == (True, True)
    assert out.grad.tolist() == [3.0, 4.0]


def test_what_comes_back_shares_no_memory(hook: sy.TorchHook) -> None:
    x = torch.tensor([1.0])
    binary = sy.serde.serialize([x, x])
    a, b = sy.serde.deserialize(binary)
    a.add_(1)
    assert (x.item(), b.item()) == (1.0, 1.0)
    assert sy.serde.deserialize(binary)[0].item() == 1.0


def test_parameters_survive(hook: sy.TorchHook) -> None:
    w = nn.Parameter(torch.tensor([1.0]))
    w.grad = torch.tensor([2.0])
    out = back(w)
    assert type(out) is nn.Parameter
    assert (out.tolist(), out.requires_grad, out.grad.tolist()) == ([1.0], True, [2.0])  # type: ignore[union-attr]
    assert back(nn.Parameter(torch.tensor([1.0]), requires_grad=False)).requires_grad is False


def test_chains_survive(hook: sy.TorchHook) -> None:
    logged = sy.LoggingTensor().on(torch.tensor([1, 2]))
    assert str(back(logged)) == str(logged)
    private = back(torch.tensor([1, 2]).private_tensor(allowed_users=["ann"]))
    assert private.allow("ann")
    assert not private.allow("bea")


def test_pointers_survive_without_owning(bob: Worker) -> None:
    p = torch.tensor([1, 2]).tag("#a").describe("text").send(bob)
    out = back(p)
    assert (out.id, out.id_at_location, out.location) == (p.id, p.id_at_location, bob)
    assert (out.tags, out.description, out.gc) == ({"#a"}, "text", False)
    assert out.copy().get().tolist() == [1, 2]
    bare = back(p.child)
    assert type(bare) is sy.PointerTensor
    assert bare.gc is False


def test_attribute_pointers_survive(bob: Worker) -> None:
    w = torch.tensor([1.0], requires_grad=True).send(bob)
    w.sum().backward()
    assert back(w.grad).copy().get().tolist() == [1.0]


def test_a_pointer_that_comes_home_is_its_target(bob: Worker) -> None:
    x = torch.tensor([1, 2])
    p = x.send(bob)
    assert back(p, bob) is bob._objects[x.id]
    bob.clear_objects()
    with pytest.raises(ObjectNotFoundError):
        back(p, bob)


def test_objects_belong_to_the_receiver(bob: Worker, me: Any) -> None:
    x = torch.tensor([1])
    assert back(x, bob).owner == bob
    assert back(x).owner is me


def test_workers_travel_by_name(bob: Worker, me: Any) -> None:
    torch.tensor([1]).send(bob, garbage_collect_data=False)
    binary = sy.serde.serialize(bob)
    assert sy.serde.deserialize(binary, me) is bob
    assert len(binary) < 200


def test_workers_travel_whole_if_asked(bob: Worker, me: Any) -> None:
    x = torch.tensor([1, 2]).tag("#a")
    p = x.send(bob)
    binary = sy.serde.serialize(bob, force_full_simplification=True)
    bob.clear_objects()
    bob.remove_worker_from_local_worker_registry()
    copy = sy.serde.deserialize(binary, me)
    assert copy.id == "bob"
    assert copy._objects[x.id].tolist() == [1, 2]
    assert p.location is bob


def test_tensor_methods_give_the_same_bytes_form(hook: sy.TorchHook) -> None:
    x = torch.tensor([1, 2])
    assert sy.serde.deserialize(x.serialize()).tolist() == [1, 2]


# --- compression ------------------------------------------------------------------------------------

SCHEMES = {
    compression.NO_COMPRESSION: compression.apply_no_compression,
    compression.ZLIB: compression.apply_zlib_compression,
}


def test_the_codes_are_those_of_0_2() -> None:
    assert (compression.NO_COMPRESSION, compression.LZ4, compression.ZLIB) == (40, 41, 42)


@pytest.mark.parametrize("code", SCHEMES)
def test_the_first_byte_says_how_it_is_compressed(
    hook: sy.TorchHook, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    monkeypatch.setattr(compression, "_apply_compress_scheme", SCHEMES[code])
    x = torch.arange(1000) % 250
    binary = sy.serde.serialize(x)
    assert binary[0] == code
    assert torch.equal(sy.serde.deserialize(binary), x)


def test_compression_has_a_setting(hook: sy.TorchHook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "_apply_compress_scheme", compression.apply_no_compression)
    x = torch.arange(1000) % 250
    plain = len(sy.serde.serialize(x))
    compression.set_default(compression.ZLIB)
    assert len(sy.serde.serialize(x)) < plain


def test_unknown_compression_is_refused_both_ways(hook: sy.TorchHook, monkeypatch: pytest.MonkeyPatch) -> None:
    binary = sy.serde.serialize([1])
    with pytest.raises(CompressionNotFoundException, match="99"):
        sy.serde.deserialize(bytes([99]) + binary[1:])
    monkeypatch.setattr(compression, "_apply_compress_scheme", lambda data: (data, 99))
    with pytest.raises(CompressionNotFoundException, match="99"):
        sy.serde.serialize([1])
    with pytest.raises(CompressionNotFoundException):
        compression.set_default(99)


# --- refusals ---------------------------------------------------------------------------------------


class Unknown:
    """Nobody registered it."""


@pytest.mark.parametrize("thing", [print, Unknown(), nn.Linear(1, 1), ValueError("x"), Unknown, lambda: 1], ids=repr)
def test_what_has_no_wire_form_is_refused_by_the_sender(hook: sy.TorchHook, thing: Any) -> None:
    for value in (thing, [1, {"k": thing}]):
        with pytest.raises(SerializationError, match="can not serialize"):
            sy.serde.serialize(value)


def test_huge_integers_survive_or_are_refused(hook: sy.TorchHook) -> None:
    for value in (2**64, -(2**63) - 1, 10**100):
        try:
            assert back(value) == value
        except (SerializationError, OverflowError):
            pass


def test_text_arrays_are_refused_by_the_sender(hook: sy.TorchHook) -> None:
    for array in (np.array(["a"]), np.array([object()]), np.array([b"x"])):
        with pytest.raises(SerializationError):
            sy.serde.serialize(array)


@pytest.mark.parametrize("binary", [b"", b"\x28", b"\x2a", b"\x28\xc1", b"hello", b"\x28" + b"\xff" * 50, b"\x80\x04."])
def test_bad_bytes_are_decode_errors(hook: sy.TorchHook, binary: bytes) -> None:
    with pytest.raises(DecodeError):
        sy.serde.deserialize(binary)


def test_truncated_messages_are_decode_errors(hook: sy.TorchHook) -> None:
    binary = sy.serde.serialize([torch.arange(5), "text", {"a": (1, 2)}])
    for end in range(len(binary)):
        with pytest.raises(DecodeError):
            sy.serde.deserialize(binary[:end])
