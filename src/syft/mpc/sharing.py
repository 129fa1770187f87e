"""The verbs of sharing: ``share``, ``get``, ``copy``, ``refresh`` … for tensors and modules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from syft.core.session import SESSION
from syft.encoded.encryption import decryption, encryption
from syft.encoded.fixed import FixedPrecisionTensor
from syft.encoded.large import LargePrecisionTensor
from syft.encoded.number import Number, settled
from syft.encoded.precision import fix_precision
from syft.encoded.tensor import EncodedTensor, become, link_under, number_of, tensor_of
from syft.exceptions import CryptoProviderError, NotRemoteError, UsageError
from syft.mpc.comparisons import COMPARISONS, comparison_named
from syft.mpc.group import known_group
from syft.mpc.protocols import refreshed
from syft.mpc.shared import WIDTHS, AdditiveSharingTensor, split
from syft.tensors.base import is_wrapper, link_of
from syft.tensors.in_place import swapped
from syft.tensors.pointer import PointerTensor


def share(
    self: torch.Tensor,
    *owners: Any,
    field: int | None = None,
    crypto_provider: Any = None,
    protocol: str = "tree",
    width: int = 64,
    requires_grad: bool = False,
    no_wrap: bool = False,
    dtype: Any = None,
) -> Any:
    """Share integers, or numbers in fixed precision, among workers. No worker but all together can tell what they are.

    Args:
        *owners: two to five workers or their ids: the holders.
        field: accepted for 0.2.4 code; the ring is Z/2^64.
        crypto_provider: the worker that makes correlated randomness for products and comparisons; no holder.
        protocol: how values are compared: ``"tree"`` (or ``"snn"``), or ``"fss"``, for two holders, which takes fewer
            rounds and far more computing and sending: for few values over slow connections.
        width: bits that comparisons look at: 64, or 32 for integers (numbers times the scale) in [-2^31, 2^31).
        requires_grad: whether gradients are computed.
        no_wrap: return the bare link.
        dtype: accepted for 0.2 code; the ring is that of int64.

    Returns:
        ``(Wrapper)>[FixedPrecisionTensor>][AdditiveSharingTensor]…``. Large-precision tensors are shared in place, with
        all the digits that their field has, and returned.

    Raises:
        UsageError: fewer than two holders, one of them twice, floating-point numbers, an unknown protocol, or one for
            fewer holders.
        CryptoProviderError: the crypto provider is a holder.
    """
    holders, provider = parties(owners, crypto_provider)
    comparison = comparison_named(protocol, [holder.id for holder in holders])
    if width not in WIDTHS:
        raise UsageError(f"comparisons look at {' or '.join(map(str, WIDTHS))} bits, not at {width!r}")
    if is_wrapper(self) and isinstance(pointer := link_of(self), PointerTensor):
        settings = {"crypto_provider": provider, "protocol": protocol, "width": width, "requires_grad": requires_grad}
        return pointer.run("mpc.share", tuple(holders), settings).wrap()
    large = link_of(self) if is_wrapper(self) and isinstance(link_of(self), LargePrecisionTensor) else None
    number = _integers_of(self) if large is None else Number(_digits_of(large), 1, None)
    raw = number.raw.contiguous()
    shared = AdditiveSharingTensor(
        split(raw, holders), crypto_provider=provider, protocol=comparison.name, width=width, shape=raw.shape
    )
    if provider is not None:
        shared.join(known_group(holders, provider))
    if large is not None:
        large.child = shared  # in place, as in 0.2.4
        return large if no_wrap else self
    link: Any = shared if number.encoding is None else FixedPrecisionTensor.of(number.with_raw(shared))
    return link if no_wrap else EncodedTensor(link, requires_grad or self.requires_grad)


def share_(self: torch.Tensor, *owners: Any, **kwargs: Any) -> torch.Tensor:
    """`share` that changes this very tensor and returns it."""
    out = share(self, *owners, **kwargs)
    return self if out is self else swapped(self, out)


def parties(owners: Sequence[Any], crypto_provider: Any) -> tuple[list[Any], Any]:
    """The holders and the provider of a sharing, checked; see `share`."""
    holders = [SESSION.worker(owner) for owner in owners]
    names = [holder.id for holder in holders]
    if len(holders) < 2:
        raise UsageError(
            f"a value is shared among at least two workers, not {len(holders)}: x.share(alice, bob, "
            "crypto_provider=james)"
        )
    if len(set(names)) < len(names):
        raise UsageError(f"each holder gets one share; {', '.join(map(str, names))} names one of them twice")
    provider = None if crypto_provider is None else SESSION.worker(crypto_provider)
    if provider is not None and provider.id in names:
        raise CryptoProviderError(
            f"worker {provider.id!r} cannot be a holder and the crypto provider: with what it makes, it could open the "
            "values. Pass a worker that holds no share as crypto_provider"
        )
    return holders, provider


def _digits_of(link: LargePrecisionTensor) -> torch.Tensor:
    if link.shares is not None:
        raise UsageError("these values are shared already; fetch them with .get() first")
    if link.internal_type is torch.int64:
        raise UsageError(
            "digits of 63 bits leave no room for the carries of sums of shares; use internal_type=torch.int32 for "
            "numbers that will be shared"
        )
    return link.all_digits()


def _integers_of(tensor: torch.Tensor) -> Number:
    if is_wrapper(tensor):
        link = link_of(tensor)
        if not isinstance(link, FixedPrecisionTensor):
            raise UsageError(f"{link} cannot be shared; share plain integers or fixed-precision numbers")
        number = settled(link.number)
        if not isinstance(number.raw, torch.Tensor):
            raise UsageError("these values are shared already; give them to other holders with .move(*holders)")
        return number
    if tensor.dtype.is_floating_point or tensor.dtype.is_complex:
        raise UsageError(
            f"{tensor.type().removeprefix('torch.')} cannot be additively shared, Use fix_precision: "
            "x.fix_precision().share(alice, bob, crypto_provider=james)"
        )
    return Number(tensor.detach().to(torch.int64), 1, None)


def shared_under(tensor: Any) -> AdditiveSharingTensor:
    """The shared integers under a tensor.

    Raises:
        NotRemoteError: its values are not shared.
    """
    if isinstance(tensor, EncodedTensor):
        link = link_under(tensor)
        found = link.child if isinstance(link, FixedPrecisionTensor) else link
        if isinstance(found, AdditiveSharingTensor):
            return found
    raise NotRemoteError(
        "these values are not shared; share them first with x.share(alice, bob, crypto_provider=james)"
    )


def get(self: Any) -> torch.Tensor:
    """Fetch shared values; the holders forget their shares.

    Returns:
        Integers, or numbers in fixed precision: decode these with ``.float_precision()``.
    """
    grad = self.grad if self.is_leaf else None
    link = link_under(self)
    shared = shared_under(self)
    values = shared.fetch()
    # Copies and detached tensors have the same shares, and keep them.
    gone = shared.fetched()
    out: torch.Tensor = values
    if isinstance(link, FixedPrecisionTensor):
        self.child = FixedPrecisionTensor.of(Number(gone, link.encoding.scale, link.encoding))
        number = Number(values, link.encoding.scale, link.encoding)
        out = EncodedTensor(FixedPrecisionTensor.of(number), requires_grad=self.requires_grad)
        if grad is not None:
            out.grad = get(grad) if is_shared(grad) else grad
    else:
        self.child = gone
    return out


def get_(self: EncodedTensor) -> torch.Tensor:
    """`get` that changes this very tensor and returns it."""
    return swapped(self, get(self))


def is_shared(tensor: Any) -> bool:
    """Whether the values of an encoded tensor are shared."""
    link = link_under(tensor)
    return isinstance(link.number.raw if isinstance(link, FixedPrecisionTensor) else link, AdditiveSharingTensor)


def duplicated(tensor: torch.Tensor) -> torch.Tensor:
    """The same values with shares of their own: what becomes of those of one tensor is nothing to the other's.

    Raises:
        NotRemoteError: the values are not shared.
    """
    number = number_of(tensor)
    out: torch.Tensor = tensor_of(number.with_raw(shared_under(tensor).each("Tensor.clone"), number.unit))
    return out.requires_grad_(tensor.requires_grad)


def refresh(self: EncodedTensor) -> EncodedTensor:
    """Give the holders fresh shares of the same values; returns this tensor."""
    number = number_of(self)
    if not isinstance(number.raw, AdditiveSharingTensor):
        raise UsageError("Refresh should only be called on AdditiveSharedTensors")
    with torch.no_grad():
        become(self, number.with_raw(refreshed(settled(number).raw), number.unit))
    return self


def move(self: EncodedTensor, *holders: Any, crypto_provider: Any = None) -> EncodedTensor:
    """Give the values to other holders; nobody sees them. Each holder of now shares its share among the new ones.

    Args:
        *holders: two workers at least, or their ids.
        crypto_provider: theirs; the one of before when None.

    Returns:
        This tensor.

    Raises:
        UsageError: the protocol that compares does not work among so many holders.
    """
    shared = shared_under(self)
    new, provider = parties(holders, shared.provider if crypto_provider is None else crypto_provider)
    comparison_named(shared.protocol, [holder.id for holder in new])
    settings = {"crypto_provider": provider, "protocol": shared.protocol, "width": shared.width}
    parts: list[Any] = [p.run("mpc.share", tuple(new), settings).wrap() for p in shared.shares.values()]
    total, *rest = [shared_under(part.get()) for part in parts]
    for part in rest:
        total = total.each("torch.add", part)
    number = number_of(self)
    with torch.no_grad():
        become(self, number.with_raw(total, number.unit))
    return self


@encryption("mpc", *COMPARISONS, call="x.encrypt(workers=[alice, bob], crypto_provider=james)")
def encrypted(
    tensor: torch.Tensor, *, protocol: str, workers: Sequence[Any] = (), crypto_provider: Any = None, **settings: Any
) -> Any:
    """Write numbers in fixed precision and share them, in one call.

    Args:
        tensor: the numbers.
        protocol: ``"mpc"``, or what `share` takes.
        workers: the holders.
        crypto_provider: see `share`.
        **settings: ``base``, ``precision_fractional`` and ``dtype`` for the encoding, the rest for `share`.

    Returns:
        ``(Wrapper)>FixedPrecisionTensor>[AdditiveSharingTensor]…``
    """
    encoding = {name: settings.pop(name) for name in ("base", "precision_fractional", "dtype") if name in settings}
    settings["protocol"] = "tree" if protocol == "mpc" else protocol
    return share(fix_precision(tensor, **encoding), *workers, crypto_provider=crypto_provider, **settings)


@decryption(FixedPrecisionTensor, AdditiveSharingTensor)
def decrypted(tensor: Any, **_ignored: Any) -> torch.Tensor:
    """The numbers of a shared tensor as float32 (integers as they are); its shares stay where they are.

    Args:
        tensor: the shared one.
        **_ignored: accepted for 0.2 code.
    """
    number = number_of(tensor)
    values = shared_under(tensor).get(keep=True)
    return values if number.encoding is None else number.encoding.decode(values)


def virtual_get(self: EncodedTensor) -> torch.Tensor:
    """The integers, without moving the shares. Only where all holders are virtual workers."""
    return shared_under(self).virtual_get()


def reconstruct(self: EncodedTensor) -> Any:
    """Give every holder the integers in clear; the client does not keep them.

    Returns:
        A wrapped multi-pointer.
    """
    return shared_under(self).reconstruct().wrap()


METHODS: dict[str, Callable[..., Any]] = {
    "get": get,
    "get_": get_,
    "refresh": refresh,
    "virtual_get": virtual_get,
    "reconstruct": reconstruct,
    "move": move,
}
"""What encoded tensors can do besides torch's methods."""

for _name, _method in METHODS.items():
    setattr(EncodedTensor, _name, _method)
