"""`PaillierTensor`: ciphertexts in the shape of a tensor, and the `CipherTensor` over it that users hold.

torch computes on a `CipherTensor` through ``__torch_dispatch__``: what arrives are the elementary ops, after torch has
sorted out how they were called. An op without a rule is refused by its name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import numpy as np
import torch

from syft.core.ops import Op, Returns
from syft.core.pacing import paced
from syft.exceptions import (
    EncodingError,
    KeyMismatchError,
    LimitExceededError,
    NotLocalError,
    TensorsNotCollocatedException,
    UnsupportedOp,
    UsageError,
)
from syft.he.paillier.ciphertexts import multiples
from syft.he.paillier.keys import PaillierPublicKey
from syft.he.paillier.noise import noise_for
from syft.he.paillier.plaintexts import BASE_BITS
from syft.tensors.base import SyftTensor, is_wrapper, link_of, register_wrapper
from syft.tensors.pointer import PointerTensor

Rule = Callable[..., Any]
MOST_ELEMENTS = 1 << 24
"""Of one tensor: its ciphertexts would take 8 GB at least."""


class Ciphertexts:
    """The memory of encrypted tensors; views have it in common, as those of plain tensors have.

    Args:
        key: the public key.
        flat: an object array of one dimension.
        exponent: each number is its integer times 16 to this power.
        bits: all integers are below 2 to this power, up or down.
        fresh: whether every ciphertext is as random as a new one, so that it tells nothing of how it was computed.
    """

    __slots__ = ("bits", "exponent", "flat", "fresh", "key")

    def __init__(self, key: PaillierPublicKey, flat: Any, exponent: int, bits: int, fresh: bool = False) -> None:
        if bits > key.room:
            raise EncodingError(
                f"the result could have {bits} bits, and integers under {key!r} have {key.room} at most: decrypt and "
                "encrypt again, multiply fewer times or by rounder numbers, or take a longer key"
            )
        self.key, self.flat, self.exponent, self.bits, self.fresh = key, flat, exponent, bits, fresh

    @property
    def held_bytes(self) -> int:
        """How much memory the ciphertexts take."""
        return len(self.flat) * (self.key.ciphertext_bytes + 32)

    def lower(self, exponent: int) -> None:
        """Write the same numbers with a lower exponent, and so with longer integers."""
        if exponent < self.exponent:
            self.flat, self.bits = lowered(self.flat, self, exponent)
            self.exponent, self.fresh = exponent, False

    def refresh(self) -> None:
        """Make all ciphertexts as random as new ones."""
        if not self.fresh:
            noise = noise_for(self.key).draw(len(self.flat))
            self.flat = array(value * r % self.key.nsquare for value, r in paced(zip(self.flat, noise, strict=True)))
            self.fresh = True


def lowered(values: Any, like: Any, exponent: int) -> tuple[Any, int]:
    """Ciphertexts of the same numbers with a lower exponent, and the bits of their integers."""
    places = (like.exponent - exponent) * BASE_BITS
    if not places:
        return values, like.bits
    factor = 1 << places
    out = array(multiples(values.reshape(-1), [factor] * values.size, like.key.nsquare)).reshape(values.shape)
    return out, like.bits + places


def array(values: Iterable[Any]) -> Any:
    """Ciphertexts as an array of one dimension."""
    found = list(values)
    out = np.empty(len(found), dtype=object)
    out[:] = found
    return out


def picked(flat: Any, places: torch.Tensor) -> Any:
    """The ciphertexts at these places of a memory, an array of the same shape."""
    return flat[places.reshape(-1).numpy()].reshape(tuple(places.shape))


def in_order(places: torch.Tensor, memory: Ciphertexts) -> bool:
    """Whether these are all places of a memory, one after the other."""
    return places.numel() == len(memory.flat) and torch.equal(places.reshape(-1), torch.arange(places.numel()))


class CipherLink(SyftTensor):
    """Base of the links under a `CipherTensor`: they have ``key``, ``places`` and ``dtype``."""

    ops: ClassVar[dict[str, Rule]] = {}
    sealed = True  # nothing in it is anybody's secret from whoever may have it

    key: PaillierPublicKey
    places: torch.Tensor
    dtype: torch.dtype

    @property
    def shape(self) -> torch.Size:
        """The shape of the tensor."""
        return self.places.shape

    @classmethod
    def refusal(cls, name: str) -> str:
        """Why there is no rule for an op, and the way out."""
        raise NotImplementedError

    @classmethod
    def default(cls, op: Op, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run an op on links that stand below another one, such as that of private tensors."""
        for value in (*args, *kwargs.values()):
            if isinstance(value, SyftTensor) and not isinstance(value, CipherLink):
                raise UsageError(
                    f"{op.name!r} was called on a {cls.__name__} and a {type(value).__name__}: what is encrypted under "
                    "a Paillier key is computed on together with plain tensors and numbers, and with what is encrypted "
                    "under the same key, all in one place. Send it with .send(worker), or fetch the other with .get()"
                )
        tensors = covered(args)
        out = op.fn(*tensors, **covered(kwargs))
        if op.returns is Returns.SELF and isinstance(args[0], CipherLink):
            args[0].places = link_under(tensors[0]).places
            return args[0]
        return links_in(out)


class PaillierTensor(CipherLink):
    """The link under an encrypted tensor: which ciphertexts of its memory stand where.

    Args:
        memory: the ciphertexts.
        places: an int64 tensor with the place of each element in the memory; its strides are the tensor's.
        dtype: what the numbers are decrypted to: int64, float32 or float64.
    """

    def __init__(self, memory: Ciphertexts, places: torch.Tensor, dtype: torch.dtype) -> None:
        super().__init__()
        self.memory, self.key, self.places, self.dtype = memory, memory.key, places, dtype

    @classmethod
    def of(cls, key: PaillierPublicKey, values: Any, exponent: int, bits: int, dtype: torch.dtype, **more: Any) -> Any:
        """A tensor with memory of its own.

        Args:
            key: the public key.
            values: an object array of any shape.
            exponent: see `Ciphertexts`.
            bits: likewise.
            dtype: of the decrypted numbers.
            **more: ``fresh``.
        """
        memory = Ciphertexts(key, values.reshape(-1), exponent, bits, **more)
        return cls(memory, torch.arange(values.size).reshape(values.shape), dtype)

    @property
    def pubkey(self) -> PaillierPublicKey:
        """The public key."""
        return self.memory.key

    @property
    def child(self) -> Any:
        """The ciphertexts, an object array of this tensor's shape, as they are: not to be shown to anybody else."""
        return picked(self.memory.flat, self.places)

    @property
    def exponent(self) -> int:
        """Of all numbers of the tensor."""
        return self.memory.exponent

    @property
    def bits(self) -> int:
        """See `Ciphertexts`."""
        return self.memory.bits

    @property
    def held_bytes(self) -> int:
        """How much memory the ciphertexts take."""
        return self.memory.held_bytes

    def at(self, exponent: int) -> tuple[Any, int]:
        """The ciphertexts with a lower exponent, and the bits of their integers."""
        return lowered(self.child, self.memory, exponent)

    def take(self, other: PaillierTensor) -> None:
        """Take the numbers of another one in place, views of the same memory included."""
        memory = self.memory
        memory.lower(other.exponent)
        values, bits = other.at(memory.exponent)
        memory.flat[self.places.reshape(-1).numpy()] = np.broadcast_to(values, tuple(self.shape)).reshape(-1)
        memory.bits = bits if self.places.numel() == len(memory.flat) else max(bits, memory.bits)
        memory.fresh = memory.fresh and other.memory.fresh

    def refreshed(self) -> list[Any]:
        """The ciphertexts in the order of the elements, as random as new ones: these may be shown."""
        if in_order(self.places, self.memory):
            self.memory.refresh()
            return list(self.child.reshape(-1))
        part = Ciphertexts(self.key, self.child.reshape(-1), self.exponent, self.bits)
        part.refresh()
        return list(part.flat)

    def __copy__(self) -> PaillierTensor:
        memory = self.memory
        own = Ciphertexts(memory.key, memory.flat.copy(), memory.exponent, memory.bits, memory.fresh)
        twin = PaillierTensor(own, self.places, self.dtype)
        twin.owner, twin._id, twin.tags, twin.description = self.owner, self._id, self.tags, self.description
        return twin

    def __repr__(self) -> str:
        return f"PaillierTensor>{self.places.numel()} ciphertexts of shape {tuple(self.shape)} under {self.key!r}"


class CipherTensor(torch.Tensor):
    """The tensor over a `PaillierTensor`, or over another link with a table of rules.

    Args:
        link: what stands under it: it has ``shape``, ``dtype``, ``places`` and the table ``ops``.
    """

    child: Any

    @staticmethod
    def __new__(cls: type[CipherTensor], link: Any) -> CipherTensor:
        places = link.places
        check_size(places)
        out = torch.Tensor._make_wrapper_subclass(
            cls, places.shape, strides=places.stride(), storage_offset=places.storage_offset(), dtype=link.dtype
        )
        out.child = link
        return out

    @classmethod
    def __torch_function__(
        cls, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        with torch._C.DisableTorchFunctionSubclass():
            return func(*args, **(kwargs or {}))

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = func.overloadpacket._qualified_op_name.removeprefix("aten::")
        links = ciphers_in((args, kwargs))
        ops: dict[str, Rule] = type(links[0]).ops
        _check_together(name, links, args)
        if name.endswith("_") and name not in ops:
            return _in_place(func, name.removesuffix("_"), ops, args, kwargs or {})
        if name not in ops:
            raise UnsupportedOp(type(links[0]).refusal(name))
        return covered(ops[name](func, *links_in(args), **links_in(kwargs or {})))

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]
        text = f"(Wrapper)>{link_under(self)}"
        return f"Parameter containing:\n{text}" if isinstance(self, torch.nn.Parameter) else text

    def __str__(self) -> str:
        return f"(Wrapper)>{link_under(self)}"

    def __format__(self, spec: str) -> str:
        return object.__format__(self, spec)

    def item(self) -> Any:
        """Refuse.

        Raises:
            NotLocalError: always.
        """
        raise NotLocalError(_ENCRYPTED)

    tolist = numpy = __array__ = __bool__ = __float__ = __int__ = __index__ = __complex__ = item  # type: ignore[assignment]

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise NotLocalError(
            "encrypted tensors cannot be pickled or saved with torch.save; use sy.serde, which makes their ciphertexts "
            "as random as new ones first"
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        out: Any = self.detach().clone()
        out = torch.nn.Parameter(out, self.requires_grad) if isinstance(self, torch.nn.Parameter) else out
        memo[id(self)] = out
        return out


register_wrapper(CipherTensor)


def check_size(result: torch.Tensor) -> None:
    """Refuse a result before it is computed: what stands for one ciphertext takes a few hundred bytes.

    Args:
        result: a tensor of its shape, such as one without values.

    Raises:
        LimitExceededError: it would have too many elements.
    """
    if result.numel() > MOST_ELEMENTS:
        raise LimitExceededError(
            f"an encrypted tensor has at most {MOST_ELEMENTS:,} elements, and this one would have {result.numel():,}; "
            "work in parts"
        )


_ENCRYPTED = "the numbers are encrypted; get them with .decrypt(private_key) first, where the private key is"


def link_under(tensor: Any) -> Any:
    """The link under an encrypted tensor."""
    return tensor.__dict__["child"]


def links_in(value: Any) -> Any:
    """Operands with links in the place of encrypted tensors."""
    if isinstance(value, CipherTensor):
        return link_under(value)
    if type(value) in (list, tuple):
        return type(value)([links_in(v) for v in value])
    return {k: links_in(v) for k, v in value.items()} if type(value) is dict else value


def ciphers_in(value: Any) -> list[Any]:
    """The links of the encrypted tensors in operands, in their order."""
    if isinstance(value, CipherTensor):
        return [link_under(value)]
    parts = value.values() if type(value) is dict else value if type(value) in (list, tuple) else ()
    return [link for part in parts for link in ciphers_in(part)]


def covered(value: Any) -> Any:
    """Operands, or the result of a rule, with tensors in the place of links."""
    if isinstance(value, SyftTensor):
        return CipherTensor(value)
    if type(value) is dict:
        return {k: covered(v) for k, v in value.items()}
    return type(value)([covered(v) for v in value]) if type(value) in (list, tuple) else value


def on_meta(value: Any) -> Any:
    """Operands with tensors without values in their place, on which torch says shapes, dtypes and what does not fit."""
    if isinstance(value, SyftTensor):
        places: Any = value.places
        return torch.empty_strided(places.shape, places.stride(), dtype=value.dtype, device="meta")
    if isinstance(value, torch.Tensor):
        # A tensor without dimensions that stands for a number stays one, for torch's rules of dtypes.
        return value.detach().to("meta")
    if type(value) in (list, tuple):
        return type(value)([on_meta(v) for v in value])
    return {k: on_meta(v) for k, v in value.items()} if type(value) is dict else value


_RESHAPING = {
    "squeeze": torch.ops.aten.squeeze,
    "t": torch.ops.aten.t,
    "transpose": torch.ops.aten.transpose,
    "unsqueeze": torch.ops.aten.unsqueeze,
}


def _in_place(func: Any, name: str, ops: dict[str, Rule], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    target = args[0]
    if not isinstance(target, CipherTensor):
        raise UsageError(
            f"{name!r} would write encrypted numbers into a plain tensor; compute a new one, such as x + y, or encrypt "
            "that tensor first"
        )
    link = link_under(target)
    if name not in ops:
        raise UnsupportedOp(type(link).refusal(f"{name}_"))
    func(*on_meta(links_in(args)), **on_meta(links_in(kwargs)))  # torch's own errors
    out = ops[name](_RESHAPING.get(name, func), *links_in(args), **links_in(kwargs))
    if name in _RESHAPING:
        with torch._C.DisableTorchFunctionSubclass():
            target.data = CipherTensor(out)  # torch's own idea of the shape
        target.child = out
    else:
        link.take(out)
    return target


def _check_together(name: str, links: list[Any], args: Any) -> None:
    first = links[0]
    for link in links[1:]:
        if type(link) is not type(first):
            raise UsageError(
                f"{name!r} was called on a {type(first).__name__} and a {type(link).__name__}; decrypt one of them "
                "first"
            )
        if link.key != first.key:
            raise KeyMismatchError(
                "Attempted to add numbers encrypted against different public keys! What is computed on together is "
                f"encrypted under one key, and here there are {first.key!r} and {link.key!r}"
            )
    for value in args:
        for one in value if type(value) in (list, tuple) else (value,):
            if is_wrapper(one) and isinstance(link_of(one), PointerTensor):
                raise TensorsNotCollocatedException(first, link_of(one), attr=name)
            if is_wrapper(one) and not isinstance(one, CipherTensor):
                raise UsageError(
                    f"{name!r} was called on an encrypted tensor and a {type(link_of(one)).__name__}; only plain "
                    "tensors and numbers can be computed on together with what is encrypted"
                )
