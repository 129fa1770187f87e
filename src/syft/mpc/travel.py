"""How shared tensors travel: who holds the shares, and under which ids; the shares stay where they are."""

from __future__ import annotations

from typing import Any

from syft.encoded.fixed import FixedPrecisionTensor
from syft.encoded.tensor import EncodedTensor, link_under
from syft.exceptions import DecodeError
from syft.mpc.shared import WIDTHS, AdditiveSharingTensor
from syft.serde.checks import dimension, each, object_id, optional, pair, text
from syft.serde.registry import register
from syft.tensors.base import unwrap
from syft.tensors.pointer import PointerTensor
from syft.tensors.wire import place_of

_SHARES = each(pair(object_id, object_id))
_SHAPE = each(dimension)


def _fields(shared: AdditiveSharingTensor) -> Any:
    shares = [[place, pointer.id_at_location] for place, pointer in shared.shares.items()]
    provider = None if shared.provider is None else shared.provider.id
    return shares, provider, shared.protocol, shared.width, list(shared.shape), shared._id


def _from_wire(data: Any, context: Any) -> AdditiveSharingTensor:
    shares, provider, protocol, width, shape, id = data
    pairs, provider, shape = _SHARES(shares), optional(object_id)(provider), _SHAPE(shape)
    if len(dict(pairs)) < max(2, len(pairs)) or width not in WIDTHS:
        raise DecodeError("a shared tensor has two holders at least, each with one share, and a width of 32 or 64 bits")
    pointers = {
        place: PointerTensor(place_of(place, context), there, context, None, False, shape) for place, there in pairs
    }
    who = None if provider is None else place_of(provider, context)
    out = AdditiveSharingTensor(pointers, context, optional(object_id)(id), who, text(protocol), width, shape=shape)
    return out


def _encoded(data: Any, context: Any) -> EncodedTensor:
    link, requires_grad = data
    link = unwrap(link)
    if not isinstance(link, (FixedPrecisionTensor, AdditiveSharingTensor)) or not isinstance(requires_grad, bool):
        raise DecodeError(f"an encoded tensor has no {type(link).__name__} under it")
    if isinstance(link, FixedPrecisionTensor):
        link.check()
    return EncodedTensor(link, requires_grad)


register(AdditiveSharingTensor, "syft.shared", _fields, _from_wire)
register(EncodedTensor, "syft.encoded", lambda t: (link_under(t), t.requires_grad and t.is_leaf), _encoded)
