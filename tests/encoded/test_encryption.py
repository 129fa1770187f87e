"""The verbs ``encrypt`` and ``decrypt``: which kind of encryption they take, and what they say of the others."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import syft as sy
from syft.encoded import encryption
from syft.exceptions import NotRemoteError, NotSupportedError, UsageError
from syft.tensors.chain import ChainTensor


class SafeKey:
    """Stands for a kind of encryption that this test adds."""


class SafeTensor(ChainTensor):
    """What stands under its tensors."""


@pytest.fixture
def safe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encryption, "PROTOCOLS", dict(encryption.PROTOCOLS))
    monkeypatch.setattr(encryption, "DECRYPTIONS", dict(encryption.DECRYPTIONS))

    @encryption.encryption("safe", call="x.encrypt(key)", keys=(SafeKey,))
    def encrypted(tensor: torch.Tensor, key: Any = None, *, protocol: str) -> Any:
        return SafeTensor().on(tensor + 1)

    @encryption.decryption(SafeTensor)
    def decrypted(tensor: Any, key: Any = None) -> Any:
        return tensor.child.child - 1


@pytest.fixture
def three(hook: Any) -> Any:
    return [sy.VirtualWorker(hook, id=f"encryption_{name}") for name in "abj"]


@pytest.mark.parametrize("settings", [{}, {"protocol": "mpc"}, {"protocol": "snn"}, {"protocol": "fss"}])
def test_numbers_are_shared_by_default_and_stay_shared_when_they_are_decrypted(three: Any, settings: Any) -> None:
    alice, bob, james = three
    x = torch.tensor([1.5, -2.0]).encrypt(workers=[alice, bob], crypto_provider=james, **settings)
    for _ in range(2):
        assert (x + x).decrypt().tolist() == [3.0, -4.0]


def test_in_place_the_very_tensor_changes(three: Any) -> None:
    alice, bob, james = three
    x = torch.tensor([1.5])
    assert x.encrypt(workers=[alice, bob], crypto_provider=james, inplace=True) is x
    assert "AdditiveSharingTensor" in str(x)
    assert x.decrypt(inplace=True) is x
    assert x.tolist() == [1.5]


def test_a_key_says_the_protocol(safe: None) -> None:
    x = torch.tensor([1.0])
    for encrypted in (x.encrypt(SafeKey()), x.encrypt(protocol="safe"), x.encrypt(key=SafeKey())):
        assert isinstance(encrypted.child, SafeTensor)
        assert encrypted.decrypt().tolist() == encrypted.decrypt(SafeKey()).tolist() == [1.0]


def test_modules_are_encrypted_in_place(safe: None) -> None:
    net = nn.Linear(2, 1)
    weight, before = net.weight, net.weight.detach().clone()
    assert net.encrypt(SafeKey()) is net
    assert net.weight is weight and isinstance(net.weight.child, SafeTensor)
    assert net.decrypt(SafeKey()).weight is weight
    assert isinstance(weight, nn.Parameter)
    assert torch.allclose(weight, before)


def test_what_is_unknown_is_refused_with_what_there_is(hook: Any) -> None:
    with pytest.raises(NotSupportedError, match=r"there is no encryption 'zz'; there are .*'mpc', .*workers=\[alice"):
        torch.ones(1).encrypt(protocol="zz")
    with pytest.raises(NotSupportedError, match="nothing is encrypted under a int; there are .*'mpc'"):
        torch.ones(1).encrypt(5)
    with pytest.raises(UsageError, match="a plain tensor. Fetch what is at a worker"):
        torch.ones(1).decrypt()
    with pytest.raises(NotRemoteError, match="not shared"):
        torch.ones(1).fix_precision().decrypt()


def test_what_is_elsewhere_is_decrypted_after_it_was_fetched(three: Any) -> None:
    with pytest.raises(UsageError, match="under it is a PointerTensor. Fetch"):
        torch.ones(1).send(three[0]).decrypt()


def test_a_name_and_a_type_are_registered_once(safe: None) -> None:
    with pytest.raises(UsageError, match="one name has one way"):
        encryption.encryption("safe", call="")(print)
    with pytest.raises(UsageError, match="one type has one way"):
        encryption.decryption(SafeTensor)(print)
