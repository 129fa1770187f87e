"""Contexts and encrypted tensors on the wire and at workers, and hostile bytes in their place."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from torch import nn

import syft as sy
from syft.exceptions import DecodeError, SyftError
from syft.he.levelled import context as contexts
from syft.he.levelled import seal
from syft.he.levelled.context import Context
from syft.he.levelled.slots import BFVTensor, CKKSTensor
from syft.serde import decode, encode
from syft.serde.registry import REGISTRY
from syft.workers.accounting import footprint
from tests.he.contexts import bfv, ckks


@pytest.fixture(autouse=True)
def _hooked(hook: sy.TorchHook) -> None:
    torch.manual_seed(1)


def encrypted(x: torch.Tensor, context: Context) -> Any:
    return x.encrypt(protocol=context.scheme, context=context)


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 1, 2, 2), (4, 0)])
def test_an_encrypted_tensor_comes_back_the_same(shape: tuple[int, ...]) -> None:
    for context, x in (
        (ckks(), torch.randn(shape)),
        (ckks(), torch.randn(shape).double()),
        (bfv(), torch.ones(shape).long()),
    ):
        x = x * 3
        there = decode(encode(encrypted(x, context)))
        assert (there.shape, there.dtype, there.levels) == (x.shape, x.dtype, context.depth)
        assert torch.allclose(there.decrypt(context=context), x, atol=1e-5)


def test_levels_factors_zeros_and_places_travel() -> None:
    x = torch.randn(3, 4)
    out = torch.nn.functional.pad((encrypted(x, ckks()) * x.exp() / 3)[:, [2, 0, 2]], (1, 0))
    there = decode(encode(out))
    assert there.levels == 1
    assert len(there.child.vectors) == 2
    expected = torch.nn.functional.pad((x * x.exp() / 3)[:, [2, 0, 2]], (1, 0))
    assert torch.allclose(there.decrypt(context=ckks()), expected, atol=1e-5)
    assert torch.allclose((there * there).decrypt(context=ckks()), expected**2, atol=1e-4)


def test_a_tensor_does_not_bring_its_context_along() -> None:
    x = encrypted(torch.randn(1), ckks())
    public = encode(ckks())
    assert len(encode(x)) < len(public) / 3
    assert ckks().keys[0][1000:1100] in public
    assert ckks().keys[0][1000:1100] not in encode(x)


def test_a_context_comes_back_the_same_one() -> None:
    for context in (ckks(), bfv(), ckks(rotations=True)):
        there = decode(encode(context))
        assert there is context.public()
        assert (there.id, there.parameters, there.keys) == (context.id, context.parameters, context.keys)


def test_a_new_process_would_read_the_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    written, context = encode(ckks()), ckks()
    monkeypatch.setattr(contexts, "_KNOWN", {})
    there = decode(written)
    assert there is not context.public()
    x = torch.randn(5)
    assert torch.allclose(encrypted(x, there).decrypt(context=context), x, atol=1e-5)


def test_an_unknown_context_says_what_to_send(monkeypatch: pytest.MonkeyPatch) -> None:
    written = encode(encrypted(torch.randn(2), ckks()))
    monkeypatch.setattr(contexts, "_KNOWN", {})
    with pytest.raises(DecodeError, match=r"context\.send\(worker\)"):
        decode(written)


def test_the_memory_of_ciphertexts_is_counted() -> None:
    x = encrypted(torch.randn(3, 4), ckks())
    assert 4 * 2 * 8192 * 3 * 8 <= footprint(x) <= 4 * 2 * 8192 * 3 * 8 + 5000
    assert footprint(x * x) < 0.7 * footprint(x)
    assert footprint(encrypted(torch.ones(3, 4).long(), bfv())) >= 4 * 2 * 8192 * 4 * 8


# --- at workers -----------------------------------------------------------------------------------


def test_a_worker_computes_on_what_it_cannot_read(make_worker: Any) -> None:
    bob = make_worker("bob")
    ckks().send(bob)
    x = torch.randn(3, 2)
    pointer = encrypted(x, ckks()).send(bob)
    out = (pointer * pointer + 1).get()
    assert torch.allclose(out.decrypt(context=ckks()), x * x + 1, atol=1e-5)
    with pytest.raises(SyftError, match="secret key"):
        out.decrypt()


def test_a_hosted_model_answers_encrypted_inputs(make_worker: Any) -> None:
    bob = make_worker("bob")
    model = nn.Sequential(nn.Linear(3, 4), sy.he.Polynomial([0.1, 0.5, 0.2]), nn.Linear(4, 2))
    context = ckks(depth=3)
    context.send(bob)
    bob.serve_model(model, "scores", allow_remote_inference=True, example=torch.zeros(2, 3))
    x = torch.randn(5, 3)  # another batch than that of the example
    scores = bob.run_remote_inference("scores", encrypted(x, context))
    assert torch.allclose(scores.decrypt(context=context), model(x), atol=1e-4)


def test_a_worker_forgets_a_context_with_its_client(hook: sy.TorchHook) -> None:
    with pytest.raises(SyftError, match="a worker to send to"):
        ckks().send()


# --- hostile bytes --------------------------------------------------------------------------------


def forged(kind: type, fields: Any) -> bytes:
    return encode([REGISTRY.by_type[kind].marker, fields])


def tensor_fields(**changed: Any) -> list[Any]:
    x = encrypted(torch.randn(2, 2), ckks())
    ciphertexts = [seal.ciphertext_of(vector.serialize()) for vector in x.child.vectors]
    fields = {
        "id": ckks().id, "batch": 2, "level": 2, "factor": 1.0, "dtype": "float32", "places": torch.tensor([1, 2]),
        "ciphertexts": ciphertexts,
    }  # fmt: skip
    return list({**fields, **changed}.values())


def test_control_unchanged_fields_are_accepted() -> None:
    assert decode(forged(CKKSTensor, tuple(tensor_fields()))).batch == 2


@pytest.mark.parametrize(
    "changed",
    [
        {"id": "0" * 32}, {"id": 5}, {"id": None}, {"batch": 0}, {"batch": 5000}, {"batch": -1}, {"batch": 2**63},
        {"batch": "2"}, {"level": 3}, {"level": 1}, {"level": -1}, {"level": 2**63}, {"factor": float("nan")},
        {"factor": float("inf")}, {"factor": 1}, {"dtype": "int64"}, {"dtype": "object"}, {"dtype": 3},
        {"places": torch.tensor([1, 3])}, {"places": torch.tensor([-1, 1])}, {"places": torch.tensor([1.0, 2.0])},
        {"places": torch.tensor(1)}, {"places": [1, 2]}, {"places": None}, {"ciphertexts": None},
        {"ciphertexts": [b"", b""]}, {"ciphertexts": [b"x" * 100] * 2}, {"ciphertexts": ["a", "b"]},
        {"ciphertexts": [bytes(10**6)] * 2}, {"ciphertexts": [seal.zero([0] * 4, 8192, 3, 2.0**40, b"\4\0")] * 2},
    ],
    ids=lambda changed: f"{next(iter(changed))} {str(next(iter(changed.values())))[:16]}",
)  # fmt: skip
def test_a_forged_tensor_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(DecodeError):
        decode(forged(CKKSTensor, tuple(tensor_fields(**changed))))


def test_a_ciphertext_of_another_level_or_scheme_is_refused() -> None:
    x = encrypted(torch.randn(2, 2), ckks())
    lower = [seal.ciphertext_of(v.serialize()) for v in (x * x).child.vectors]
    with pytest.raises(DecodeError, match="primes of its level"):
        decode(forged(CKKSTensor, tuple(tensor_fields(ciphertexts=lower))))
    assert decode(forged(CKKSTensor, tuple(tensor_fields(ciphertexts=lower, level=1)))).level == 1
    with pytest.raises(DecodeError, match="context of bfv"):
        decode(forged(CKKSTensor, tuple(tensor_fields(id=bfv().public().id))))


def test_forged_integers_are_refused() -> None:
    x = encrypted(torch.tensor([[1, 2]]), bfv())
    fine = [seal.ciphertext_of(v.serialize()) for v in x.child.vectors]
    fields = [bfv().id, 1, 1, 1.0, "int64", torch.tensor([1, 2])]
    assert decode(forged(BFVTensor, (*fields, fine))).batch == 1
    for bad in ([fine[0][:-1], fine[1]], [b"x" * 200] * 2, tensor_fields()[-1]):
        with pytest.raises(DecodeError):
            decode(forged(BFVTensor, (*fields, bad)))
    with pytest.raises(DecodeError, match="no factor"):
        decode(forged(BFVTensor, (*fields[:3], 2.0, *fields[4:], fine)))


NUMBERS = ["degree", "prime_bits", "depth", "scale_bits", "precision", "plain_modulus", "rotations"]


@pytest.mark.parametrize(
    "changed",
    [
        {"degree": 4096}, {"degree": 2**40}, {"degree": -1}, {"degree": "8192"}, {"prime_bits": [60] * 60},
        {"prime_bits": [60, 40, 40]}, {"prime_bits": None}, {"prime_bits": [2**40] * 4}, {"depth": 5}, {"depth": -1},
        {"scale_bits": 2**40}, {"scale_bits": -1}, {"precision": 0}, {"precision": 41}, {"plain_modulus": 5},
        {"rotations": 1}, {"scheme": "bgv"}, {"scheme": "bfv"}, {"keys": []}, {"keys": [b"", b"", b""]},
        {"keys": [b"x", b"x", b""]}, {"keys": [bytes(2**23), b"x", b""]}, {"keys": [1, 2, 3]},
        {"keys": "swapped"}, {"keys": "cut"}, {"keys": "rotations"},
    ],
    ids=lambda changed: f"{next(iter(changed))} {str(next(iter(changed.values())))[:16]}",
)  # fmt: skip
def test_a_forged_context_is_refused(changed: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    context = ckks()
    monkeypatch.setattr(contexts, "_KNOWN", {})
    p = context.parameters
    numbers = {"degree": p.degree, "prime_bits": list(p.prime_bits), "depth": p.depth, "scale_bits": p.scale_bits,
               "precision": p.precision, "plain_modulus": 0, "rotations": False}  # fmt: skip
    public, multiply, rotate = context.keys
    named = {
        "swapped": [multiply, public, rotate],
        "cut": [public[:-1], multiply, rotate],
        "rotations": [public, multiply, b"x"],
    }
    keys = changed.get("keys", [public, multiply, rotate])
    keys = named.get(keys, keys) if isinstance(keys, str) else keys
    fields = [{**numbers, **changed}[name] for name in NUMBERS]
    with pytest.raises(DecodeError):
        decode(forged(Context, (changed.get("scheme", "ckks"), fields, keys)))


@pytest.mark.parametrize("what", ["tensor", "context"])
def test_changed_bytes_are_refused_or_mean_some_other_numbers(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    context = ckks()
    written = encode(encrypted(torch.randn(2), context) if what == "tensor" else context)
    public = context.public()
    dice = random.Random(8)
    refused = 0
    for _ in range(60 if what == "tensor" else 12):
        monkeypatch.setattr(contexts, "_KNOWN", {public.id: public} if what == "tensor" else {})
        changed = bytearray(written)
        for _ in range(dice.choice((1, 3))):
            changed[dice.choice((dice.randrange(len(changed)), dice.randrange(400)))] ^= 1 << dice.randrange(8)
        if dice.random() < 0.3:
            del changed[dice.randrange(len(changed)) :]
        try:
            decode(bytes(changed))
        except DecodeError:
            refused += 1
    assert refused > 3


def test_the_old_names_of_bfv_say_what_took_their_place() -> None:
    import syft.frameworks.torch.he.fv.evaluator as evaluator
    from syft.frameworks.torch.he import fv

    for name in ("Evaluator", "Context", "KeyGenerator"):
        for module in (fv, evaluator):
            with pytest.raises(NotImplementedError, match="bfv_context"):
                getattr(module, name)
