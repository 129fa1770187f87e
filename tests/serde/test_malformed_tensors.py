"""Tensor headers that lie: each is refused, with a reason, before anything is made of it."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from syft.exceptions import DecodeError
from syft.serde import Limits, decode
from tests.serde.craft import frame, tagged, tensor

F4 = b"\0" * 16  # four floats

# name -> (dtype, shape, buffer, traits, memory), what is said
DENSE: dict[str, tuple[tuple[Any, ...], str]] = {
    "memory too short": (("float32", [5], 0, None, F4), "does not fit"),
    "memory too long": (("float32", [3], 0, None, F4), "does not fit"),
    "memory of half an element": (("float32", [4], 0, None, F4[:-2]), "does not fit"),
    "no memory": (("float32", [4], 0, None, b""), "does not fit"),
    "memory for no elements": (("float32", [0], 0, None, F4), "does not fit"),
    "scalar with memory for four": (("float32", [], 0, None, F4), "does not fit"),
    "two huge dimensions": (("float32", [2**31, 2**31], 0, None, F4), "does not fit"),
    "product that wraps to the right size": (("float32", [2**32, 2**32, 4], 0, None, F4), "does not fit"),
    "product that wraps to zero": (("uint8", [2**32, 2**32], 0, None, b""), "does not fit"),
    "negative dimension": (("float32", [-4], 0, None, F4), "size is an int"),
    "two negative dimensions": (("float32", [-2, -2], 0, None, F4), "size is an int"),
    "dimension of 2**63": (("float32", [2**63, 0], 0, None, b""), "size is an int"),
    "dimension that is a float": (("float32", [4.0], 0, None, F4), "size is an int"),
    "dimension that is a bool": (("float32", [True, 4], 0, None, F4), "size is an int"),
    "dimension that is a str": (("float32", ["4"], 0, None, F4), "size is an int"),
    "dimension that is None": (("float32", [None], 0, None, F4), "size is an int"),
    "shape that is a number": (("float32", 4, 0, None, F4), "list was expected"),
    "shape that is a dict": (("float32", {4: 1}, 0, None, F4), "list was expected"),
    "shape that is a tuple": (("float32", tagged("tuple", 4), 0, None, F4), "list was expected"),
    "33 dimensions": (("float32", [1] * 32 + [4], 0, None, F4), "33 dimensions"),
    "dtype that does not exist": (("float33", [4], 0, None, F4), "float33"),
    "dtype that is not sent": (("qint8", [16], 0, None, F4), "qint8"),
    "dtype by another name of torch": (("float", [4], 0, None, F4), "'float'"),
    "dtype that is an attribute of torch": (("load", [4], 0, None, F4), "load"),
    "dtype that is a dotted path": (("os.system", [4], 0, None, F4), "os.system"),
    "dtype that is a number": ((6, [4], 0, None, F4), "str was expected"),
    "dtype that is None": ((None, [4], 0, None, F4), "str was expected"),
    "dtype that is a dtype": ((tagged("torch.dtype", "float32"), [4], 0, None, F4), "str was expected"),
    "numpy's object dtype": (("|O", [2], 0, None, F4), "O"),
    "bool that is 2": (("bool", [16], 0, None, b"\2" + F4[1:]), "neither 0 nor 1"),
    "buffer that is not there": (("float32", [4], 1, None, F4), "no buffer"),
    "buffer before the first": (("float32", [4], -1, None, F4), "no buffer"),
    "buffer that is a bool": (("float32", [4], False, None, F4), "no buffer"),
    "buffer that is a float": (("float32", [4], 0.0, None, F4), "no buffer"),
    "buffer that is bytes": (("float32", [4], F4, None, F4), "no buffer"),
    "buffer that is None": (("float32", [4], None, None, F4), "no buffer"),
    "traits that are a str": (("float32", [4], 0, "grad!", F4), "list was expected"),
    "too few traits": (("float32", [4], 0, [True], F4), "missing"),
    "too many traits": (("float32", [4], 0, [True, False, None, None, None, None], F4), "positional"),
    "requires_grad that is 1": (("float32", [4], 0, [1, False, None, None, None], F4), "bool was expected"),
    "ints that require a gradient": (("int32", [4], 0, [True, False, None, None, None], F4), "gradient"),
    "parameter that is None": (("float32", [4], 0, [False, None, None, None, None], F4), "bool was expected"),
    "int parameter that requires a gradient": (("int32", [4], 0, [True, True, None, None, None], F4), "gradient"),
    "device that is a str": (("float32", [4], 0, [False, False, "cuda:0", None, None], F4), "list was expected"),
    "device of no type": (("float32", [4], 0, [False, False, ["gpu", 0], None, None], F4), "gpu"),
    "device of negative index": (("float32", [4], 0, [False, False, ["cuda", -1], None, None], F4), "index -1"),
    "device of index 2**40": (("float32", [4], 0, [False, False, ["cuda", 2**40], None, None], F4), "index"),
    "gradient that is a number": (("float32", [4], 0, [True, False, None, 1.0, None], F4), "gradient is a tensor"),
    "gradient in the same memory": (
        ("float32", [4], 0, [True, False, None, tensor("float32", [4], 0), None], F4),
        "twice",
    ),
    "metadata without an id": (("float32", [4], 0, [False, False, None, None, [None, None, None]], F4), "id is"),
    "metadata with an id of a list": (("float32", [4], 0, [False, False, None, None, [[], None, None]], F4), "id is"),
    "tags that are a list": (("float32", [4], 0, [False, False, None, None, [1, ["a"], None]], F4), "set was"),
    "description that is a number": (("float32", [4], 0, [False, False, None, None, [1, None, 3]], F4), "str was"),
    "metadata of two fields": (("float32", [4], 0, [False, False, None, None, [1, None]], F4), "unpack"),
}


@pytest.mark.parametrize("name", DENSE)
def test_a_malformed_dense_header_is_refused(name: str) -> None:
    (dtype, shape, buffer, traits, memory), reason = DENSE[name]
    with pytest.raises(DecodeError, match=reason):
        decode(frame(tensor(dtype, shape, buffer, traits), memory))


def test_the_table_is_as_long_as_promised() -> None:
    assert len(DENSE) >= 30


def test_control_the_same_header_without_the_lie_is_accepted() -> None:
    sound = [False, False, ["cuda", 0], None, [1, None, "words"]]
    for traits in (None, sound, [True, True, None, None, None]):
        assert decode(frame(tensor("float32", [4], 0, traits), F4)).tolist() == [0.0] * 4
    assert decode(frame(tensor("float32", [1] * 31 + [4]), F4)).dim() == 32


@pytest.mark.parametrize(
    ("structure", "buffers", "reason"),
    [
        ([tensor("uint8", [1], 0), tensor("uint8", [1], 0)], [b"a"], "used twice"),
        ([tensor("uint8", [1], 0)], [b"a", b"b"], "belongs to nothing"),
        (None, [b"polyglot"], "belongs to nothing"),
        ([tensor("uint8", [1], 0, layout="jagged")], [b"a"], "jagged"),
        ([tensor("uint8", [1], 0, layout=0)], [b"a"], "str was expected"),
        (tagged("tensor"), [], "tensor"),
        (tagged("tensor", "strided"), [], "tensor"),
        (tagged("tensor", "strided", "uint8", [1], 0, None, None), [b"a"], "positional"),
        (tagged("tensor", {}), [], "str was expected"),
    ],
)
def test_buffers_are_used_exactly_once_and_headers_are_whole(structure: Any, buffers: list[bytes], reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        decode(frame(structure, *buffers))


def test_a_gradient_must_have_the_shape_of_its_tensor() -> None:
    grad = tensor("float32", [2, 2], 1)
    with pytest.raises(DecodeError):
        decode(frame(tensor("float32", [4], 0, [True, False, None, grad, None]), F4, F4))


def test_the_number_of_dimensions_is_a_limit() -> None:
    assert decode(frame(tensor("uint8", [1, 1]), b"a"), limits=Limits(max_ndim=2)).dim() == 2
    with pytest.raises(DecodeError, match="2 dimensions"):
        decode(frame(tensor("uint8", [1, 1]), b"a"), limits=Limits(max_ndim=1))


# --- sparse ------------------------------------------------------------------------------------------


def longs(*values: int) -> bytes:
    return torch.tensor(values, dtype=torch.int64).numpy().tobytes()


def coo(shape: Any, indices: Any, values: Any, coalesced: Any = False, traits: Any = None) -> list[Any]:
    return tagged("tensor", "sparse_coo", shape, indices, values, coalesced, traits)


ONE_INDEX = tensor("int64", [2, 1], 0)
ONE_VALUE = tensor("uint8", [1], 1)

COO: dict[str, tuple[list[Any], list[bytes]]] = {
    "index beyond its dimension": (coo([2, 2], ONE_INDEX, ONE_VALUE), [longs(0, 2), b"a"]),
    "negative index": (coo([2, 2], ONE_INDEX, ONE_VALUE), [longs(0, -1), b"a"]),
    "index of 2**62": (coo([2, 2], ONE_INDEX, ONE_VALUE), [longs(2**62, 0), b"a"]),
    "fewer values than indices": (coo([2, 2], ONE_INDEX, tensor("uint8", [0], 1)), [longs(0, 0), b""]),
    "more values than indices": (coo([2, 2], ONE_INDEX, tensor("uint8", [3], 1)), [longs(0, 0), b"abc"]),
    "float indices": (coo([2, 2], tensor("float64", [2, 1], 0), ONE_VALUE), [longs(0, 0), b"a"]),
    "flat indices": (coo([2, 2], tensor("int64", [2], 0), ONE_VALUE), [longs(0, 0), b"a"]),
    "too few dimensions": (coo([2], ONE_INDEX, ONE_VALUE), [longs(0, 0), b"a"]),
    "too many dimensions": (coo([2, 2, 2], ONE_INDEX, ONE_VALUE), [longs(0, 0), b"a"]),
    "33 dimensions": (coo([1] * 33, ONE_INDEX, ONE_VALUE), [longs(0, 0), b"a"]),
    "negative dimension": (coo([2, -2], ONE_INDEX, ONE_VALUE), [longs(0, 0), b"a"]),
    "more than 2**63 elements": (coo([2**62, 2**62], ONE_INDEX, ONE_VALUE), [longs(0, 0), b"a"]),
    "indices that are a list": (coo([2, 2], [[0], [0]], tensor("uint8", [1], 0)), [b"a"]),
    "indices that are an array": (coo([2, 2], tagged("numpy.array", "<i8", [2, 1], 0), ONE_VALUE), [longs(0, 0), b"a"]),
    "values that are None": (coo([2, 2], ONE_INDEX, None), [longs(0, 0)]),
    "values that require a gradient": (
        coo([2, 2], ONE_INDEX, tensor("float64", [1], 1, [True, False, None, None, None])),
        [longs(0, 0), longs(0)],
    ),
    "sparse values": (
        coo([2, 2], ONE_INDEX, coo([1], tensor("int64", [1, 1], 1), tensor("uint8", [1], 2))),
        [longs(0, 0), longs(0), b"a"],
    ),
    "coalesced that is a number": (coo([2, 2], ONE_INDEX, ONE_VALUE, 1), [longs(0, 0), b"a"]),
    "values in the memory of the indices": (coo([2, 2], ONE_INDEX, tensor("int64", [2, 1], 0)), [longs(0, 0)]),
}


@pytest.mark.parametrize("name", COO)
def test_a_malformed_coo_header_is_refused(name: str) -> None:
    structure, buffers = COO[name]
    with pytest.raises(DecodeError):
        decode(frame(structure, *buffers))


def test_control_a_sound_coo_header_is_accepted() -> None:
    assert decode(frame(coo([2, 2], ONE_INDEX, ONE_VALUE), longs(0, 1), b"a")).to_dense().tolist() == [[0, 97], [0, 0]]


def test_a_coo_tensor_that_claims_to_be_coalesced_becomes_it() -> None:
    structure = coo([3], tensor("int64", [1, 3], 0), tensor("uint8", [3], 1), True)
    arrived = decode(frame(structure, longs(2, 0, 2), b"\1\2\3"))
    assert arrived.indices().tolist() == [[0, 2]]
    assert arrived.values().tolist() == [2, 4]


def csr(shape: Any, layout: str = "sparse_csr", crow: int = 3, col: int = 2) -> list[Any]:
    parts = tensor("int64", [crow], 0), tensor("int64", [col], 1), tensor("uint8", [2], 2)
    return tagged("tensor", layout, shape, *parts, None)


CSR: dict[str, tuple[list[Any], list[bytes]]] = {
    "column beyond its dimension": (csr([2, 2]), [longs(0, 1, 2), longs(0, 2), b"ab"]),
    "negative column": (csr([2, 2]), [longs(0, 1, 2), longs(0, -1), b"ab"]),
    "rows that do not grow": (csr([2, 2]), [longs(0, 2, 1), longs(0, 1), b"ab"]),
    "rows that begin late": (csr([2, 2]), [longs(1, 1, 2), longs(0, 1), b"ab"]),
    "rows that end beyond the values": (csr([2, 2]), [longs(0, 1, 9), longs(0, 1), b"ab"]),
    "too few rows": (csr([3, 2]), [longs(0, 1, 2), longs(0, 1), b"ab"]),
    "one dimension": (csr([2]), [longs(0, 1, 2), longs(0, 1), b"ab"]),
    "wrong number of columns": (csr([2, 2], col=3), [longs(0, 1, 2), longs(0, 1, 1), b"ab"]),
    "block layout without blocks": (csr([2, 2], "sparse_bsr"), [longs(0, 1, 2), longs(0, 1), b"ab"]),
    "layout that does not exist": (csr([2, 2], "sparse_xyz"), [longs(0, 1, 2), longs(0, 1), b"ab"]),
    "huge shape": (csr([2**62, 2**62]), [longs(0, 1, 2), longs(0, 1), b"ab"]),
}


@pytest.mark.parametrize("name", CSR)
def test_a_malformed_compressed_header_is_refused(name: str) -> None:
    structure, buffers = CSR[name]
    with pytest.raises(DecodeError):
        decode(frame(structure, *buffers))


def test_control_a_sound_compressed_header_is_accepted() -> None:
    arrived = decode(frame(csr([2, 2]), longs(0, 1, 2), longs(1, 0), b"ab"))
    assert arrived.to_dense().tolist() == [[0, 97], [98, 0]]


# --- arrays ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "memory"),
    [
        (("|O", [2], 0), F4),
        (("O", [2], 0), F4),
        (("<U4", [1], 0), F4),
        (("<M8[s]", [2], 0), F4),
        (("<f4,<f4", [2], 0), F4),
        (("float32", [4], 0), F4),
        (("<f16", [1], 0), F4),
        (([["a", "<f4"]], [4], 0), F4),
        (("<f4", [5], 0), F4),
        (("<f4", [-4], 0), F4),
        (("<f4", [2**32, 2**32], 0), F4),
        (("<f4", [1] * 33, 0), F4[:4]),
        (("<f4", [4], 7), F4),
        (("<f4", [4]), F4),
        (("|b1", [16], 0), b"\3" * 16),
    ],
)
def test_a_malformed_array_header_is_refused(fields: tuple[Any, ...], memory: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(frame(tagged("numpy.array", *fields), memory))


@pytest.mark.parametrize(
    "fields",
    [("<f4", b"123"), ("<f4", b"12345"), ("<f4", 1.0), ("<f4", "1234"), ("|O", b"12345678"), ("|b1", b"\2"), ("<f4",)],
)
def test_a_malformed_scalar_is_refused(fields: tuple[Any, ...]) -> None:
    with pytest.raises(DecodeError):
        decode(frame(tagged("numpy.scalar", *fields)))


def test_control_a_sound_array_header_is_accepted() -> None:
    array = decode(frame(tagged("numpy.array", "<f4", [2, 2], 0), F4))
    assert array.tolist() == [[0, 0], [0, 0]]
    assert array.flags.writeable
    assert array.flags.aligned
    assert array.flags.owndata
