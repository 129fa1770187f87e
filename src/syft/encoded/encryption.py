"""``encrypt`` and ``decrypt``: one pair of verbs for every kind of encryption.

A kind registers what encrypts under the names of its protocols, and what decrypts under the link that stands under its
tensors::

    @encryption("paillier", call="x.encrypt(public_key)", keys=(PaillierPublicKey,))
    def encrypted(tensor, public_key, *, protocol, **settings): ...

    @decryption(PaillierTensor)
    def decrypted(tensor, private_key=None): ...
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from syft.encoded.precision import change_all
from syft.exceptions import NotSupportedError, UsageError
from syft.tensors.base import is_wrapper, link_of
from syft.tensors.in_place import swapped

Encrypt = Callable[..., Any]
Decrypt = Callable[..., Any]
_DEFAULT = "mpc"


@dataclass(frozen=True, slots=True)
class Encryption:
    """A kind of encryption.

    Attributes:
        encrypt: ``encrypt(tensor, *keys, protocol=..., **settings)``; returns the encrypted tensor.
        call: an example of its use, for errors.
        keys: the types of keys that stand for it without its name.
    """

    encrypt: Encrypt
    call: str
    keys: tuple[type, ...] = ()


PROTOCOLS: dict[str, Encryption] = {}
"""By the names that ``protocol=`` takes."""

DECRYPTIONS: dict[type, Decrypt] = {}
"""``decrypt(tensor, *keys, **settings)``, by the type of the link under an encrypted tensor."""


def encryption(*names: str, call: str, keys: tuple[type, ...] = ()) -> Callable[[Encrypt], Encrypt]:
    """Register what encrypts.

    Args:
        *names: of the protocol.
        call: an example of its use, for errors.
        keys: the types of keys that stand for it without its name.

    Raises:
        UsageError: one of the names is taken.
    """

    def register(function: Encrypt) -> Encrypt:
        if taken := PROTOCOLS.keys() & set(names):
            raise UsageError(f"the protocols {sorted(taken)} are there already; one name has one way of encrypting")
        PROTOCOLS.update(dict.fromkeys(names, Encryption(function, call, keys)))
        return function

    return register


def decryption(*links: type) -> Callable[[Decrypt], Decrypt]:
    """Register what decrypts.

    Args:
        *links: the types of what stands under the encrypted tensors.

    Raises:
        UsageError: one of them has a way already.
    """

    def register(function: Decrypt) -> Decrypt:
        if taken := [link.__name__ for link in links if link in DECRYPTIONS]:
            raise UsageError(f"{taken} can be decrypted already; one type has one way of decrypting")
        DECRYPTIONS.update(dict.fromkeys(links, function))
        return function

    return register


def encrypt(
    self: torch.Tensor, *keys: Any, protocol: str | None = None, inplace: bool = False, **settings: Any
) -> torch.Tensor:
    """Encrypt numbers.

    Args:
        *keys: a key, which says the protocol, too; or none.
        protocol: ``"mpc"`` when None; what others there are depends on what is registered.
        inplace: change this very tensor.
        **settings: of the protocol, such as ``workers=`` and ``crypto_provider=``.

    Returns:
        An encrypted tensor of the same shape.

    Raises:
        NotSupportedError: there is no such protocol.
    """
    name = protocol or _protocol_of(keys, settings)
    kind = PROTOCOLS.get(name)
    if kind is None:
        raise NotSupportedError(f"there is no encryption {name!r}; there are {_calls()}")
    out = kind.encrypt(self, *keys, protocol=name, **settings)
    return swapped(self, out) if inplace else out


def decrypt(self: torch.Tensor, *keys: Any, inplace: bool = False, **settings: Any) -> torch.Tensor:
    """The numbers of an encrypted tensor, which stays as it is.

    Args:
        *keys: the key, for kinds of encryption that have one.
        inplace: change this very tensor.
        **settings: of the kind of encryption.

    Returns:
        A plain tensor: integers as they were, other numbers as float32 or float64.

    Raises:
        UsageError: the tensor is not encrypted.
    """
    link = link_of(self) if is_wrapper(self) else None
    found = next((DECRYPTIONS[kind] for kind in type(link).__mro__ if kind in DECRYPTIONS), None)
    if found is None:
        what = "a plain tensor" if link is None else f"what stands under it is a {type(link).__name__}"
        raise UsageError(
            f"only an encrypted tensor that is here can be decrypted, and this is none: {what}. Fetch what is at a "
            f"worker with .get() first; encrypt with {_calls()}"
        )
    out = found(self, *keys, **settings)
    return swapped(self, out) if inplace else out


def module_encrypt(self: nn.Module, *keys: Any, **settings: Any) -> nn.Module:
    """`encrypt` for all parameters, their gradients and the floating-point buffers, in place; returns the module."""
    return change_all(self, lambda tensor: encrypt(tensor.detach(), *keys, **settings))


def module_decrypt(self: nn.Module, *keys: Any, **settings: Any) -> nn.Module:
    """`decrypt` for all parameters, their gradients and the encrypted buffers, in place; returns the module."""
    return change_all(self, lambda tensor: decrypt(tensor, *keys, **settings))


def _protocol_of(keys: tuple[Any, ...], settings: dict[str, Any]) -> str:
    given = [*keys, *settings.values()]
    for name, kind in PROTOCOLS.items():
        if any(isinstance(key, kind.keys) for key in given):
            return name
    if keys:
        raise NotSupportedError(f"nothing is encrypted under a {type(keys[0]).__name__}; there are {_calls()}")
    return _DEFAULT


def _calls() -> str:
    by_call: dict[str, list[str]] = {}
    for name, kind in PROTOCOLS.items():
        by_call.setdefault(kind.call, []).append(repr(name))
    return "; ".join(f"{', '.join(names)}: {call}" for call, names in by_call.items())
