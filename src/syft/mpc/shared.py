"""`AdditiveSharingTensor`: integers modulo 2^64 of which each holder has a share; all shares add up to them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Self

import torch

from syft.core.ids import new_id
from syft.core.messages import Put, Take
from syft.core.ops import Op
from syft.core.random import SYSTEM_RANDOM
from syft.core.session import SESSION
from syft.encoded.moves import MOVES, moved_shape
from syft.exceptions import (
    ConsumedPointerError,
    CryptoProviderError,
    MpcError,
    TensorsNotCollocatedException,
    UnsupportedOp,
    UsageError,
)
from syft.mpc.field import RING
from syft.mpc.group import Answer, Group, group_of
from syft.mpc.public import Public
from syft.mpc.steps import run_at
from syft.mpc.wire import Wire
from syft.tensors.base import SyftTensor, unwrap
from syft.tensors.multi_pointer import MultiPointerTensor
from syft.tensors.pointer import PointerTensor, pointer_to

WIDTHS = (32, 64)


class AdditiveSharingTensor(SyftTensor):
    """Integers that are shared among holders, in Z/2^64.

    Args:
        shares: pointers to the shares, one a holder; their order says who is the first.
        owner: the worker this belongs to.
        id: its own id.
        crypto_provider: the worker that makes correlated randomness; None until products or comparisons need one.
        protocol: how values are compared: ``"tree"`` or ``"fss"``.
        width: bits that comparisons look at, 64 or 32; with 32, values must be in [-2^31, 2^31).
        tags: words to find it by.
        description: a text about it.
        shape: of the values.

    Raises:
        UsageError: shares that are not pointers, or several at one holder.
    """

    precedence = 15
    field: ClassVar[int] = RING
    n_bits: ClassVar[int] = 64

    def __init__(
        self,
        shares: Mapping[Any, Any] | None = None,
        owner: Any = None,
        id: Any = None,
        crypto_provider: Any = None,
        protocol: str = "tree",
        width: int = 64,
        tags: Any = None,
        description: str | None = None,
        shape: Any = None,
    ) -> None:
        super().__init__(owner, id, tags, description)
        self.child: dict[Any, PointerTensor] | None = None
        if shares is not None:
            pointers = {place: unwrap(share) for place, share in shares.items()}
            if any(not isinstance(pointer, PointerTensor) for pointer in pointers.values()):
                raise UsageError(f"Shares should be a dict of Pointers, optionally wrapped, but got:\n{shares}")
            self.child = pointers
            shape = next(iter(pointers.values())).shape if shape is None else shape
        self.shape = torch.Size(() if shape is None else shape)
        self.provider, self.protocol, self.width = crypto_provider, protocol, width
        self.wire: Wire | None = None
        # Makes the bits that say where the rectifier that made this let values pass.
        self.passes: Callable[[], AdditiveSharingTensor] | None = None
        self._group: Group | None = None
        self._lent = False  # whether other tensors have some of the pointers
        self._origin: tuple[AdditiveSharingTensor, str, tuple[Any, ...]] | None = None

    # --- who holds it -------------------------------------------------------------------------------

    @property
    def shares(self) -> dict[Any, PointerTensor]:
        """The pointers to the shares, by holder.

        Raises:
            ConsumedPointerError: they were fetched.
        """
        if self.child is None:
            raise ConsumedPointerError("a shared tensor")
        return self.child

    @property
    def holders(self) -> list[Any]:
        """The workers that hold the shares."""
        return [pointer.location for pointer in self.shares.values()]

    locations = holders

    @property
    def crypto_provider(self) -> Any:
        """Who makes the correlated randomness."""
        return self.provider

    def owned_pointers(self) -> list[Any]:
        """The pointers to the shares, which are of this tensor alone from now on."""
        if self.child is not None and self._lent:
            self.child = self.each("Tensor.clone").child
            self._lent = False
        return list((self.child or {}).values())

    def mentioned_workers(self) -> list[Any]:
        """The holders and their provider."""
        return [*self.holders, *([] if self.provider is None else [self.provider])]

    @property
    def group(self) -> Group:
        """The holders and their provider.

        Raises:
            CryptoProviderError: there is no provider.
        """
        if self.provider is None:
            names = ", ".join(str(place) for place in self.shares)
            raise CryptoProviderError(
                f"multiplying and comparing values shared among {names} needs a crypto provider, a worker that holds "
                f"no share of them: share(..., crypto_provider=james)"
            )
        if self._group is None:
            self._group = group_of(self.holders, self.provider)
        return self._group

    def join(self, group: Group | None) -> None:
        """Keep a group for this tensor. It would have to agree on keys again if its other tensors were gone by then."""
        self._group = group

    def get_class_attributes(self) -> dict[str, Any]:
        """What makes another tensor like this one."""
        return {
            "crypto_provider": self.provider, "protocol": self.protocol, "width": self.width
        }  # fmt: skip

    def like(self, shares: dict[Any, PointerTensor], shape: Any) -> Self:
        """Other values that are shared like these."""
        out = type(self).__new__(type(self))
        SyftTensor.__init__(out, self.owner)
        out.child, out.shape = shares, torch.Size(shape)
        out.provider, out.protocol, out.width = self.provider, self.protocol, self.width
        out.wire = out._origin = out.passes = None
        out._lent, out._group = False, self._group
        return out

    # --- opening ------------------------------------------------------------------------------------

    def get(self, *, keep: bool = False) -> torch.Tensor:
        """Fetch all shares and add them up; the holders forget them.

        Args:
            keep: leave the shares where they are.

        Returns:
            int64, between -2^63 and 2^63 - 1.
        """
        total = self.fetch(keep=keep)
        if not keep:
            self.child = self.wire = self._origin = self.passes = None
        return total

    def fetch(self, *, keep: bool = False) -> torch.Tensor:
        """The values; this tensor still has its pointers.

        Args:
            keep: leave shares where they are that nobody forgets when this tensor dies.
        """
        pointers = list(self.shares.values())
        # Shares die with their last pointer, which other tensors may have, too.
        answers = [p.location.begin(Take((p.ref,), keep=keep or p.gc)) for p in pointers]
        return sum([answer()[0] for answer in answers[1:]], answers[0]()[0])

    def fetched(self) -> Self:
        """What stands for this tensor after it was fetched."""
        out = self.like({}, self.shape)
        out.child = None
        return out

    def virtual_get(self) -> torch.Tensor:
        """The values, without moving the shares. Only where all holders are virtual workers."""
        return sum(
            [p.location._store.get(p.id_at_location) for p in list(self.shares.values())[1:]], self._first_stored()
        )

    def _first_stored(self) -> torch.Tensor:
        pointer = next(iter(self.shares.values()))
        stored: torch.Tensor = pointer.location._store.get(pointer.id_at_location)
        return stored

    def reconstruct(self) -> MultiPointerTensor:
        """Give every holder the values in clear; the client does not keep them.

        Returns:
            A multi-pointer to the copies.
        """
        total = self.get(keep=True)
        pointers = []
        for holder in self.holders:
            id = new_id()
            holder.post(Put(((id, total),)))
            pointers.append(PointerTensor(holder, id, shape=total.shape))
        return MultiPointerTensor(children=pointers)

    def zero(self, shape: Any = None) -> Self:
        """Fresh shares of zeros at the same holders.

        Args:
            shape: of the zeros; that of this tensor when None.
        """
        size = self.shape if shape is None else torch.Size(shape)
        return self.like(split(torch.zeros(size, dtype=torch.int64), self.holders), size)

    # --- what is done at the holders ----------------------------------------------------------------

    def each(self, op: str, *args: Any, shape: Any = None) -> Self:
        """Run a torch op on every share, which must be linear.

        Args:
            op: its name.
            *args: operands after the share: plain values, public tensors, or other shared tensors.
            shape: of the result, if it is not that of this tensor.
        """
        out = {}
        others = [isinstance(a, AdditiveSharingTensor) for a in args]
        any_shared = True in others
        for place, pointer in self.shares.items():
            operands = (
                tuple([a.share_at(place, self, op) if o else a for a, o in zip(args, others, strict=True)])
                if any_shared
                else args
            )
            out[place] = _run(pointer, op, operands)
        result = self.like(out, self.shape if shape is None else shape)
        if any_shared:
            shared = [a for a in args if isinstance(a, AdditiveSharingTensor)]
            result.width = max(self.width, *[a.width for a in shared])
            if result.provider is None:
                result.provider = next((a.provider for a in shared), None)
        return result

    def first(self, op: str, *args: Any, shape: Any = None) -> Self:
        """Run a torch op on the first share only: how public values are added. The other shares stay as they are."""
        out = {}
        for index, (place, pointer) in enumerate(self.shares.items()):
            out[place] = pointer if index else _run(pointer, op, args)
        result = self.like(out, self.shape if shape is None else shape)
        result._lent = self._lent = True
        return result

    def share_at(self, place: Any, other: AdditiveSharingTensor, op: str) -> Any:
        """What stands for this tensor's share at a holder of another one.

        Raises:
            TensorsNotCollocatedException: the holders are not the same.
        """
        shares = self.shares
        if place not in shares or len(shares) != len(other.shares):
            ours, theirs = next(iter(shares.values())), next(iter(other.shares.values()))
            error = TensorsNotCollocatedException(theirs, ours, attr=op)
            error.args = (
                f"{op!r} needs two tensors with the same holders; these are shared among "
                f"{', '.join(map(str, other.shares))} and {', '.join(map(str, shares))}. Share both with the same "
                "workers, or move one with .move(*holders).",
            )
            raise error
        return shares[place].ref

    def moved(self, name: str, *args: Any) -> Self:
        """Run an op that moves elements or adds them up.

        Args:
            name: of `syft.encoded.moves`.
            *args: its plain operands.
        """
        shares = {
            place: run_at(p.location, "mpc.move", (name, p._ref or p.ref, args)) for place, p in self.shares.items()
        }
        out = self.like(shares, moved_shape(name, self.shape, args))
        if name in MOVES and (out.shape.numel() == self.shape.numel() or self.wire is not None):
            out._origin = (self, name, args)
        return out

    # --- masked forms -------------------------------------------------------------------------------

    def known_wire(self, group: Group) -> Wire | None:
        """The masked form of this tensor in a group, if it has one or its origin has."""
        if self.wire is not None and self.wire.group is group:
            return self.wire
        if self._origin is None:
            return None
        parent, name, args = self._origin
        if parent.child is None or [*parent.shares] != [*self.shares]:
            self._origin = None
            return None
        wire = parent.known_wire(group)
        return None if wire is None else self._derive(wire, name, args)

    def plain_wire(self, group: Group) -> Wire:
        """This tensor under one uniform mask, opened now if it was not yet."""
        wire = self.known_wire(group)
        if wire is not None and wire.is_plain:
            return wire
        if self._origin is not None and self._origin[0].wire is None:
            parent, name, args = self._origin
            return self._derive(parent.plain_wire(group), name, args)
        (opened,) = open_all([self], group)
        return opened

    def _derive(self, wire: Wire, name: str, args: tuple[Any, ...]) -> Wire:
        masks = wire.group.deal("mpc.deal_arranged", wire.masks, name, args).masks
        coefficients = tuple([None if c is None else c.moved(name, args) for c in wire.coefficients])
        self.wire = Wire(wire.group, wire.public.moved(name, args), coefficients, masks)
        self._origin = None
        return self.wire

    def __getattr__(self, name: str) -> Any:
        if self.child is None and name in ("group", "holders", "locations", "shares"):
            raise ConsumedPointerError(
                "a shared tensor"
            )  # a property has raised it, which Python takes for a missing one
        return super().__getattr__(name)

    # --- printing -----------------------------------------------------------------------------------

    @classmethod
    def default(cls, op: Op, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Refuse: an op of which nothing is known would be run share by share, and give anything."""
        raise UnsupportedOp(
            f"{op.name!r} has no rule for shared tensors. Wrap the tensor (x.wrap()) for arithmetic and "
            "comparisons, or fetch the value with .get()."
        )

    def __bool__(self) -> bool:
        raise MpcError("Additive shared tensors can't be converted boolean values. You should decrypt it first.")

    def __repr__(self) -> str:
        provider = getattr(self.provider if self.provider is not None else SESSION.local_worker, "id", None)
        lines = "".join(f"\n\t-> {pointer}" for pointer in (self.child or {}).values())
        return f"[{type(self).__name__}]{lines}\n\t*crypto provider: {provider}*"


def _run(pointer: PointerTensor, op: str, args: tuple[Any, ...]) -> PointerTensor:
    return run_at(pointer.location, op, (pointer._ref or pointer.ref, *args))


def open_all(tensors: Iterable[AdditiveSharingTensor], group: Group) -> list[Wire]:
    """Put several tensors under uniform masks, in one round.

    Args:
        tensors: of the same holders.
        group: of these.

    Returns:
        Their masked forms, which they keep.
    """
    begun = []
    for tensor in tensors:
        number, _, masks = group.deal("mpc.deal_mask", tensor.shape)
        operands = [(group.name, number, p._ref or p.ref) for p in _ordered(tensor, group)]
        begun.append((tensor, masks, group.ask("mpc.mask", operands)))
    wires = []
    for tensor, masks, answers in begun:
        tensor.wire = Wire(group, Public(partial(_opened, tensor, group, answers)), (None,), masks)
        wires.append(tensor.wire)
    return wires


def _opened(tensor: AdditiveSharingTensor, group: Group, answers: Sequence[Answer]) -> torch.Tensor:
    try:
        return group.opened(answers, additive=True)
    except BaseException:
        tensor.wire = None  # what was not opened is opened when it is needed again, under another mask
        raise


def _ordered(tensor: AdditiveSharingTensor, group: Group) -> Sequence[PointerTensor]:
    shares = tensor.shares
    return [shares[holder.id] for holder in group.holders]


def split(values: torch.Tensor, holders: Sequence[Any]) -> dict[Any, PointerTensor]:
    """Share integers among holders: uniform shares for all but the last one, who gets what is missing.

    Args:
        values: int64.
        holders: workers, at least two.

    Returns:
        Pointers to the shares.
    """
    shares = [SYSTEM_RANDOM.integers(values.shape) for _ in holders[1:]]
    rest = values - shares[0]
    for share in shares[1:]:
        rest = rest - share
    out = {}
    for holder, share in zip(holders, (*shares, rest), strict=True):
        id = new_id()
        holder.post(Put(((id, share),), giving=True))
        pointer = out[holder.id] = pointer_to(holder, id, SESSION.local_worker)
        pointer._shape = values.shape
    return out
