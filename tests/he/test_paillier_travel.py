"""Encrypted tensors on their way: to workers and back, as random as new ones, and hostile bytes in their place."""

from __future__ import annotations

import pickle
import sys
from functools import cache
from typing import Any

import msgpack
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import syft as sy
from benchmarks.served_worker import ServedWorker
from syft.exceptions import (
    DecodeError,
    GetNotPermittedError,
    NotLocalError,
    TensorsNotCollocatedException,
    UnsupportedOp,
)
from syft.he.paillier.tensor import CipherTensor
from syft.he.paillier.travel import packed_bytes
from syft.serde import decode, encode
from syft.workers.accounting import footprint
from tests.conftest import WorkerMaker
from tests.he.paillier_keys import keys
from tests.serde.craft import body_of, buffers_of, frame, tagged

pytestmark = pytest.mark.usefixtures("hook")
X, Y = torch.tensor([[1.5, -2.0, 0.25], [4, 0, -7]]), torch.tensor([[0.5, 1, -1], [2, 3, 4]])


def encrypted(values: torch.Tensor, **settings_: Any) -> Any:
    return values.encrypt(keys()[1], **settings_)  # type: ignore[attr-defined]


def opened(values: Any) -> Any:
    return values.decrypt(keys()[1])


@given(
    npst.arrays(st.sampled_from([np.float32, np.float64, np.int64]), npst.array_shapes(max_side=3), elements={}),
    st.booleans(),
)
@settings(max_examples=25, deadline=None)
def test_round_trips(values: Any, packed: bool) -> None:
    plain = torch.from_numpy(np.nan_to_num(values)).clamp(-1000, 1000)
    x = encrypted(plain, packed=packed)
    arrived = decode(encode([x, x + x]))
    assert [one.shape for one in arrived] == [plain.shape] * 2 and arrived[0].dtype == plain.dtype
    assert torch.allclose(opened(arrived[0]), plain, atol=1e-9)
    assert torch.equal(opened(arrived[1]), 2 * opened(arrived[0]))


def test_names_travel() -> None:
    x = encrypted(X).tag("#x").describe("some numbers")
    known = x.id
    arrived = decode(encode(x))
    assert arrived.tags == {"#x"} and arrived.description == "some numbers" and arrived.id == known


@pytest.mark.parametrize("packed", [False, True])
def test_a_sum_that_is_sent_is_not_the_product_of_its_ciphertexts(packed: bool) -> None:
    public, _ = keys()
    x, y = encrypted(X, packed=packed), encrypted(Y, packed=packed)
    bare = (x.child.child.reshape(-1) * y.child.child.reshape(-1)) % public.nsquare
    sent = encode(x + y)
    for ciphertext in bare:
        assert int(ciphertext).to_bytes(512, "little") not in sent
    for ciphertext in x.child.child.reshape(-1):  # control: what was encrypted anew goes as it is
        assert int(ciphertext).to_bytes(512, "little") in encode(x)
    assert torch.equal(opened(decode(sent)), X + Y)


def test_every_result_is_made_random_before_it_is_sent() -> None:
    x = encrypted(X)
    # A product with 0, a plain number written into it, and a sum with one are known to whoever sees them otherwise.
    results = (x * 0, x + 1, -x, x[0] + X[0], torch.cat([x, Y]), x.clone().fill_(3), x.sum(0), x.double() + 1)
    # Nor must be seen which of the numbers were picked, and in which order.
    picked = (x[1], x[:, torch.tensor([2, 0])], x.t(), x.flip(0), x[X > 0], x.expand(2, 2, 3))
    for result in (*results, *picked):
        before = {*x.child.child.reshape(-1), *result.child.child.reshape(-1)}
        assert not before & {*decode(encode(result)).child.child.reshape(-1)}
    part = (x + x)[0]
    before = {*part.child.child}
    assert not before & {*decode(encode(part)).child.child}
    assert {*part.child.child} == before, "a part of a tensor leaves the rest as it is"


def test_pointers_compute_where_the_worker_is(make_worker: WorkerMaker) -> None:
    alice = make_worker("alice")
    there = encrypted(X).tag("#enc").send(alice)
    assert tuple(there.shape) == (2, 3)
    more, weights = encrypted(Y).send(alice), Y.t().send(alice)
    total = there + more * 2 - 1
    total += there
    assert torch.allclose(opened(total.get()), 2 * X + 2 * Y - 1)
    assert torch.allclose(opened((there @ weights).get()), X @ Y.t())
    assert torch.allclose(opened(there[0].sum().get()), X[0].sum())
    assert torch.allclose(opened(torch.cat([there, more]).get()), torch.cat([X, Y]))
    packed = encrypted(X, packed=True).send(alice)
    assert torch.allclose(opened((packed + packed).get()), 2 * X)
    assert torch.equal(opened(there.get()), X)


def test_a_pointer_to_encrypted_numbers_refuses_what_these_refuse(make_worker: WorkerMaker) -> None:
    alice = make_worker("alice")
    there = encrypted(X).send(alice)
    with pytest.raises(UnsupportedOp, match="would compare encrypted numbers"):
        (there > 0).get()
    with pytest.raises(UnsupportedOp, match="two encrypted numbers"):
        (there * there).get()


def test_below_other_links_it_computes_as_ever(hook: Any) -> None:
    bob = sy.VirtualWorker(hook, id="paillier_bob", auto_add=False)
    for x in (encrypted(X), encrypted(X, packed=True)):
        private: Any = sy.PrivateTensor(allowed_users=("ana",)).on(x)
        assert torch.allclose(opened((private + private).child.child.wrap()), 2 * X)
        there = private.send(bob, user="ana")
        with pytest.raises(GetNotPermittedError):
            (there + 1).get()
        assert torch.allclose(opened((there + 1).get(user="ana").child.child.wrap()), X + 1)
    logged: Any = sy.LoggingTensor().on(encrypted(X))
    logged += 1
    assert torch.allclose(opened((logged @ Y.t())[0].child.child.wrap()), ((X + 1) @ Y.t())[0])
    assert [tuple(part.shape) for part in logged.split(2, dim=1)] == [(2, 2), (2, 1)]


def test_a_real_worker_adds_up_what_it_cannot_read(hook: Any) -> None:
    with ServedWorker(id="adder") as served:
        adder = sy.WebsocketClientWorker(hook, "127.0.0.1", served.port, id="adder", timeout=50)
        parts = [encrypted(values).send(adder) for values in (X, Y, X)]
        assert torch.allclose(opened(sum(parts).get()), 2 * X + Y)
        adder.close(end=True)


def test_what_is_encrypted_is_not_pickled_nor_put_on_others(hook: Any) -> None:
    with pytest.raises(NotLocalError, match="cannot be pickled"):
        pickle.dumps(encrypted(X))
    with pytest.raises(TensorsNotCollocatedException, match="the second is remote"):
        encrypted(X) + X.send(sy.VirtualWorker(hook, id="paillier_elsewhere"))


def test_ciphertexts_count_with_their_length() -> None:
    for packed in (False, True):
        x = encrypted(torch.zeros(100), packed=packed)
        values = [int(v) for v in x.child.child]
        real = sum(map(sys.getsizeof, values))
        assert 0.8 * real < footprint(x) < 1.6 * real + 2000


# --- hostile bytes -------------------------------------------------------------------------------------

FIELDS = ("key", "dtype", "shape", "names", "exponent", "bits", "data")
PACKED_FIELDS = ("key", "dtype", "shape", "names", "packing", "addends", "data")


def forged(buffer: bytes | None = None, packed: bool = False, **changes: Any) -> bytes:
    """The bytes of a tensor of two numbers with some of its fields, or its ciphertexts, replaced."""
    sent = encode(encrypted(torch.ones(2), packed=packed))
    structure, (given_buffer,) = msgpack.unpackb(body_of(sent)), buffers_of(sent)
    link = structure[1]
    if "link" in changes:
        structure[1] = changes.pop("link")
    fields = link[1]
    for name, value in changes.items():
        fields[1 + (PACKED_FIELDS if packed else FIELDS).index(name)] = value
    return frame(structure, given_buffer if buffer is None else buffer)


def numbers(*values: int) -> bytes:
    return packed_bytes(list(values), 512).tobytes()


def test_control_what_is_not_forged_is_taken() -> None:
    assert opened(decode(forged())).tolist() == opened(decode(forged(packed=True))).tolist() == [1, 1]
    assert decode(forged(exponent=-20, bits=300)).shape == (2,)


HOSTILE: dict[str, dict[str, Any]] = {
    "no key": {"key": None},
    "a short key": {"key": tagged("syft.paillier.public_key", tagged("tuple", b"\x0f", None))},
    "a dtype": {"dtype": "float16"},
    "an unhashable dtype": {"dtype": [1]},
    "a negative size": {"shape": [-2]},
    "another count": {"shape": [3]},
    "a shape too large": {"shape": [1 << 40]},
    "a shape too large, by product": {"shape": [1 << 20, 1 << 20, 0, 1]},
    "no shape": {"shape": None},
    "an exponent too low": {"exponent": -5000},
    "a huge exponent": {"exponent": 1 << 62},
    "an exponent of text": {"exponent": "a"},
    "too many bits": {"bits": 2046},
    "negative bits": {"bits": -1},
    "no bits": {"bits": None},
    "more addends than fit": {"addends": 1025, "packed": True},
    "negative addends": {"addends": -1, "packed": True},
    "an odd packing": {"packing": [99, 1024, 64], "packed": True},
    "a short packing": {"packing": [32], "packed": True},
    "a packing of text": {"packing": ["a", "b", "c"], "packed": True},
    "another link": {"link": 5},
    "a key as link": {"link": tagged("syft.paillier.public_key", tagged("tuple", b"", None))},
    "no data": {"data": b"abc"},
    "tags": {"names": [None, ["a"], None]},
    "names": {"names": []},
    "an id": {"names": [[1], None, None]},
    "zero": {"buffer": lambda public, private: numbers(1, 0)},
    "too large": {"buffer": lambda public, private: numbers(1, int(public.nsquare))},
    "a multiple of a prime": {"buffer": lambda public, private: numbers(1, private.p)},
    "n": {"buffer": lambda public, private: numbers(public.n, 1)},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bytes_are_a_decode_error(name: str) -> None:
    changes = dict(HOSTILE[name])
    if callable(changes.get("buffer")):
        changes["buffer"] = changes["buffer"](*keys())
    data = forged(**changes)
    with pytest.raises(DecodeError):
        decode(data)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_changed_bytes_are_refused_or_decode_to_some_tensor(data: Any) -> None:
    good = bytearray(_recorded())
    for _ in range(data.draw(st.integers(1, 4))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    try:
        arrived = decode(bytes(good))
    except DecodeError:
        return
    assert isinstance(arrived, CipherTensor)


@cache
def _recorded() -> bytes:
    return forged()
