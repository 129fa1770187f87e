"""What cannot be sent, and the parts of the grammar that no encoder writes."""

from __future__ import annotations

import enum
import io
from collections import Counter, defaultdict, namedtuple
from typing import Any

import msgpack
import numpy as np
import pytest
import torch

from syft.exceptions import (
    CompressionNotFoundException,
    DecodeError,
    SerializationError,
    SyftError,
    UnserializableError,
)
from syft.serde import decode, encode
from tests.serde.craft import frame, raw_frame, tagged


class _Colour(enum.IntEnum):
    RED = 1


class _Word(str):
    __slots__ = ()


def _generator() -> Any:
    yield 1


_SELF: list[Any] = []
_SELF.append(_SELF)

REFUSED: dict[str, tuple[Any, str]] = {
    "function": (lambda: 0, "code is never sent"),
    "class": (dict, "code is never sent"),
    "module": (torch, "register|serializable|plain values"),
    "generator": (_generator(), "list"),
    "iterator": (iter([1]), "list"),
    "map": (map(str, []), "list"),
    "open file": (io.BytesIO(), "list"),
    "nn.Module": (torch.nn.Linear(1, 1), "state_dict"),
    "torch.Generator": (torch.Generator(), "plain values"),
    "object": (object(), "serializable"),
    "exception": (ValueError("x"), "plain values"),
    "big int": (2**64, "65 bits"),
    "negative int": (-(2**63) - 1, "64 bits"),
    "very big int": (10**5000, "bits"),
    "nested big int": ({"a": [(2**64,)]}, "65 bits"),
    "int subclass": (_Colour.RED, "plain values"),
    "str subclass": (_Word("a"), "plain values"),
    "numpy str": (np.str_("a"), "plain values"),
    "numpy long double": (np.longdouble(1), "plain values"),
    "half a character": ("\ud800", "surrogates"),
    "range beyond 64 bits": (range(2**70), "71 bits"),
    "named tuple of ones own": (namedtuple("Pair", "a b")(1, 2), "plain values"),
    "default dict": (defaultdict(int, a=1), "plain values"),
    "counter": (Counter("a"), "plain values"),
    "itself": (_SELF, "recursion"),
    "object array": (np.array([None]), "astype"),
    "str array": (np.array(["a"]), "astype"),
    "record array": (np.zeros(1, "f4,i4"), "astype"),
    "date array": (np.zeros(1, "M8[s]"), "astype"),
    "long double array": (np.zeros(1, np.longdouble), "astype"),
    "masked array": (np.ma.array([1.0]), "plain values"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_wire_form_is_refused_with_a_way_out(name: str) -> None:
    obj, way_out = REFUSED[name]
    with pytest.raises(UnserializableError, match=f"(?s)can not serialize '.+' object.*{way_out}"):
        encode(obj)
    with pytest.raises(UnserializableError):
        encode([1, {"deep": (obj,)}])
    assert decode(encode(1)) == 1


def test_the_message_names_the_type() -> None:
    with pytest.raises(UnserializableError, match="can not serialize 'generator' object"):
        encode(_generator())


def test_errors_are_one_tree() -> None:
    assert issubclass(UnserializableError, SerializationError)
    assert issubclass(DecodeError, SerializationError)
    assert issubclass(SerializationError, SyftError)
    assert not issubclass(UnserializableError, TypeError)  # torch would swallow it


def test_an_unknown_compression_is_refused() -> None:
    for code in (0, 43, "zlib", None, True):
        with pytest.raises(CompressionNotFoundException):
            encode(1, code)  # type: ignore[arg-type]


GRAMMAR: dict[str, bytes] = {
    "nothing": b"",
    "two values": b"\x01\x02",
    "unused byte": b"\xc1",
    "unused byte in a list": b"\x92\x01\xc1",
    "cut list": b"\x92\x01",
    "cut map": b"\x81\x01",
    "cut str": b"\xa5abc",
    "cut long str": b"\xda\x00",
    "cut int": b"\xcf\x00",
    "str that is no UTF-8": b"\xa1\xff",
    "tag by itself": b"\xc7\x05\x01tuple",
    "tag as second element": b"\x92\x01\xc7\x05\x01tuple",
    "tag as key": b"\x81\xc7\x05\x01tuple\x01",
    "tag as value": b"\x81\x01\xc7\x05\x01tuple",
    "two tags": b"\x92\xc7\x05\x01tuple\xc7\x05\x01tuple",
    "tag of extension type 2": b"\x91\xc7\x05\x02tuple",
    "tag of extension type -1": b"\x91\xc7\x05\xfftuple",
    "empty tag": b"\x91\xc7\x00\x01",
    "tag of 16 bit length": b"\x91\xc8\x00\x05\x01tuple",
    "tag of 32 bit length": b"\x91\xc9\x00\x00\x00\x05\x01tuple",
    "tag that is no UTF-8": b"\x91\xc7\x01\x01\xff",
    "cut tag": b"\x91\xc7\x05\x01tu",
    "unknown tag": b"\x91\xc7\x05\x01tuplf",
    "timestamp of 32 bits": b"\xd6\xff\x00\x00\x00\x00",
    "timestamp of 32 bits in a list": b"\x91\xd6\xff\x00\x00\x00\x00",
    "timestamp of 64 bits": b"\xd7\xff" + bytes(8),
    "timestamp of 96 bits": b"\xc7\x0c\xff" + bytes(12),
    "list as key": b"\x81\x91\x01\x01",
    "map as key": b"\x81\x80\x01",
    "key twice": b"\x82\x01\x02\x01\x03",
    "key twice, as int and float": b"\x82\x01\x02\xcb" + b"\x3f\xf0" + bytes(6) + b"\x03",
    "key twice, deep": b"\x91\x82\xa1a\x02\xa1a\x03",
}


@pytest.mark.parametrize("name", GRAMMAR)
def test_a_body_outside_the_grammar_is_refused(name: str) -> None:
    with pytest.raises(DecodeError):
        decode(raw_frame(GRAMMAR[name]))


def test_control_msgpack_by_itself_takes_much_of_that() -> None:
    taken = []
    for name, body in GRAMMAR.items():
        try:
            msgpack.unpackb(body, strict_map_key=False)
        except Exception:
            continue
        taken.append(name)
    assert {"tag by itself", "two tags", "timestamp of 32 bits", "key twice"} <= set(taken)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"\xd9\x01a", "a"),
        (b"\xda\x00\x01a", "a"),
        (b"\xdb\x00\x00\x00\x01a", "a"),
        (b"\xc5\x00\x01a", b"a"),
        (b"\xc6\x00\x00\x00\x01a", b"a"),
        (b"\xdc\x00\x01\x05", [5]),
        (b"\xdd\x00\x00\x00\x01\x05", [5]),
        (b"\xde\x00\x01\x05\x06", {5: 6}),
        (b"\xdf\x00\x00\x00\x01\x05\x06", {5: 6}),
        (b"\xd3" + b"\xff" * 8, -1),
        (b"\xca\x3f\x80\x00\x00", 1.0),
        (b"\xdc\x00\x02\xc7\x05\x01tuple\x05", (5,)),
        (b"\xdd\x00\x00\x00\x02\xc7\x05\x01tuple\x05", (5,)),
        (b"\x92\xd6\x01\x00\x00\x00\x00\x05", None),
    ],
)
def test_longer_spellings_of_msgpack_are_read(body: bytes, value: Any) -> None:
    if value is None:  # a tag of four bytes: sound, and unknown
        with pytest.raises(DecodeError, match="not known"):
            decode(raw_frame(body))
    else:
        assert decode(raw_frame(body)) == value


@pytest.mark.parametrize(
    "structure",
    [
        tagged("set", 1, 1),
        tagged("set", 1, True),
        tagged("set", []),
        tagged("frozenset", {}),
        tagged("frozenset", "a", "a"),
        tagged("range", 1, 2),
        tagged("range", 1, 2, 0),
        tagged("range", 1, 2, 0.5),
        tagged("range", "1", 2, 1),
        tagged("slice", 1, 2),
        tagged("ellipsis", None),
        tagged("complex", 1, 2),
        tagged("complex", 1.0),
        tagged("complex", "1.0", 2.0),
        tagged("ordered_dict", []),
        tagged("ordered_dict", {}, {}),
        tagged("torch.size", 1.5),
        tagged("torch.size", True),
        tagged("torch.size", 2**63),
        tagged("torch.device", "cpu"),
        tagged("torch.device", "cuda", True),
        tagged("torch.device", "cuda", 128),
        tagged("torch.device", "cuda:0", None),
        tagged("torch.device", None, 0),
        tagged("torch.dtype", None),
        tagged("torch.dtype", "float32", "float64"),
        tagged("torch.dtype", []),
    ],
    ids=lambda structure: f"{structure[0].data.decode()}-{structure[1:]}",
)
def test_malformed_objects_are_refused(structure: Any) -> None:
    with pytest.raises(DecodeError, match=structure[0].data.decode()):
        decode(frame(structure))


def test_a_device_that_is_not_sent_is_refused_at_home() -> None:
    with pytest.raises(UnserializableError, match="fpga"):
        encode(torch.device("fpga"))
