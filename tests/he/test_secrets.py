"""The secret key stays where it was made: its bytes are looked for in everything that can leave."""

from __future__ import annotations

import copy
import io
import logging
import pickle
import struct
from collections.abc import Iterator
from typing import Any

import pytest
import torch

import syft as sy
from syft.exceptions import DecodeError, SyftError, UnserializableError, UsageError
from syft.he.levelled import protobuf
from syft.serde import decode, encode
from tests.he.contexts import bfv, ckks

WINDOW = 24


@pytest.fixture(autouse=True)
def _hooked(hook: sy.TorchHook) -> None:
    pass


def key_material(context: sy.he.Context) -> list[bytes]:
    """Pieces of the secret key, as SEAL writes it and as numbers."""
    native = context._secret
    (private,) = protobuf.fields(native.serialize(save_secret_key=True))[3]
    (written,) = protobuf.fields(private)[1]
    pieces = [written[at : at + WINDOW] for at in range(64, len(written) - WINDOW, len(written) // 40)]
    zstandard = pytest.importorskip("zstandard", reason="SEAL compresses what it writes")
    (size,) = struct.unpack_from("<Q", written, 8)
    raw = zstandard.ZstdDecompressor().decompressobj().decompress(written[16:size])
    pieces += [raw[at : at + WINDOW] for at in range(128, len(raw) - WINDOW, len(raw) // 40)]
    return [piece for piece in pieces if len(set(piece)) > 8]


def holds(data: bytes, context: sy.he.Context) -> bool:
    """Whether the bytes have a piece of the secret key, plainly or as text."""
    pieces = key_material(context)
    assert len(pieces) > 40
    text = data.lower()
    return any(piece in data or piece.hex().encode() in text or repr(piece)[2:-1].encode() in data for piece in pieces)


def tensors(context: sy.he.Context) -> Any:
    values = torch.arange(6).reshape(3, 2)
    values = values if context.scheme == "bfv" else values.double()
    return values.encrypt(protocol=context.scheme, context=context)


@pytest.fixture(params=["ckks", "ckks with rotations", "bfv"])
def context(request: pytest.FixtureRequest) -> sy.he.Context:
    return {"ckks": ckks(), "ckks with rotations": ckks(rotations=True), "bfv": bfv()}[request.param]


def leaving(context: sy.he.Context) -> Iterator[Any]:
    x = tensors(context)
    plan = sy.Plan("sum", forward=lambda a: a + a)
    plan.build(torch.zeros(3, 2))
    yield from (context, context.public(), x, x + x, x * x, x.child, [x, context], {"a": (x,)}, plan)


def test_control_the_search_finds_a_key_that_is_there(context: sy.he.Context) -> None:
    written = context._secret.serialize(save_secret_key=True)
    assert holds(written, context)
    assert holds(b"log: " + written.hex().encode(), context)
    assert not holds(written, ckks(depth=1))  # and it is this key


def test_nothing_that_is_serialised_has_the_key(context: sy.he.Context) -> None:
    for thing in leaving(context):
        assert not holds(encode(thing), context), thing


def test_the_key_is_written_where_that_is_asked_for_and_only_there(context: sy.he.Context) -> None:
    assert holds(context.to_bytes(include_secret=True), context)
    assert not holds(context.to_bytes(), context)
    assert sy.he.context_from_bytes(context.to_bytes()) is context.public()
    again = sy.he.context_from_bytes(context.to_bytes(include_secret=True))
    assert torch.equal(tensors(context).decrypt(context=again), tensors(again).decrypt(context=context))
    product = tensors(again) * tensors(context)
    assert torch.allclose(product.decrypt(), tensors(context).decrypt() ** 2)
    with pytest.raises(UsageError, match="public part"):
        context.public().to_bytes(include_secret=True)


@pytest.mark.parametrize("data", [b"", b"x" * 100, encode([1, 2]), encode([1]), encode(5)], ids=len)
def test_bytes_that_are_no_context_are_refused(data: bytes) -> None:
    with pytest.raises(DecodeError):
        sy.he.context_from_bytes(data)


def test_a_secret_key_that_is_none_is_refused() -> None:
    with pytest.raises(DecodeError, match="SEAL does not accept"):
        sy.he.context_from_bytes(encode([ckks().public(), b"x" * 1000]))


def test_what_is_decoded_cannot_decrypt(context: sy.he.Context) -> None:
    for thing in (decode(encode(context)), decode(encode([context, 1]))[0], decode(encode(tensors(context))).context):
        assert not thing.has_secret_key
        assert not thing._native.has_secret_key()
    with pytest.raises(UsageError, match="secret key"):
        decode(encode(tensors(context))).decrypt()


def test_what_computes_never_has_the_key(context: sy.he.Context) -> None:
    x = tensors(context)
    for tensor in (x, x * x, x + 1):
        for vector in tensor.child.vectors:
            assert not vector.context().has_secret_key()


def test_texts_errors_and_logs_do_not_show_the_key(context: sy.he.Context, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    x = tensors(context)
    texts = [repr(context), str(context), f"{context}", repr(context.parameters), repr(x), str(x.child), repr(vars(x))]
    for wrong in (lambda: x.relu(), lambda: x * x * x * x * x, lambda: x.tolist(), lambda: pickle.dumps(context)):
        with pytest.raises(SyftError) as error:
            wrong()
        texts.append(str(error.value) + repr(error.value))
    for text in [*texts, caplog.text]:
        assert not holds(text.encode(), context)


def test_contexts_and_tensors_are_not_pickled(context: sy.he.Context) -> None:
    for thing in (context, tensors(context)):
        for write in (pickle.dumps, copy.copy, lambda t: torch.save(t, io.BytesIO())):
            with pytest.raises(UnserializableError):
                write(thing)
    with pytest.raises(UnserializableError):
        copy.deepcopy(context)


def test_a_result_does_not_show_what_it_was_computed_from(context: sy.he.Context) -> None:
    x = tensors(context)
    total = x + x
    first, second = encode(total), encode(total)
    assert first != second
    for copied in (first, second):
        assert torch.equal(decode(copied).decrypt(context=context), total.decrypt())
    assert encode(x) == encode(x)  # what nobody computed on is random already
