"""How much memory the objects of clients take, of whatever kind they are, and stores that refuse more than a limit."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch

from syft.core.messages import ObjectId
from syft.exceptions import LimitExceededError
from syft.tensors.base import SyftTensor, is_wrapper
from syft.tensors.private import PrivateTensor
from syft.tensors.torchscript import SCRIPTS
from syft.workers.tensor_sizes import PLAIN, nbytes_of

_LONGEST_ID = 256
_FREE_NAMES = 1 << 16  # bytes of tags and description
_ONE_VALUE = 32  # bytes of a number, and of the place that holds something
_OBJECTS_BESIDE = 1024  # how many objects there may be, however small the limit
_BYTES_AN_OBJECT = 1024  # a tensor of one element takes about this much
_identity = id
_NO_DATA = (type, ModuleType, FunctionType, MethodType, BuiltinFunctionType, torch.dtype, torch.device)


def footprint(obj: Any) -> int:
    """About how many bytes an object takes, with all that it holds; memory that is shared inside it counts once.

    Args:
        obj: anything that can be stored.

    Returns:
        Bytes. Tensors count with all the memory behind them; workers and code count nothing.

    Example:
        >>> footprint(b"x" * 1000) >= 1000, footprint([torch.zeros(1000)]) >= 4000
        (True, True)
    """
    size, seen, waiting = 0, set[int](), [obj]
    while waiting:
        value = waiting.pop()
        kind = type(value)
        if value is None or kind in (bool, int, float, complex):
            size += _ONE_VALUE
            continue
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, torch.Tensor):
            size += _of_tensor(value, seen, waiting)
        elif isinstance(value, (str, bytes, bytearray, memoryview)):
            size += sys.getsizeof(value)
        elif isinstance(value, (np.ndarray, np.generic)):
            size += value.nbytes
        elif isinstance(value, dict):
            size += 2 * _ONE_VALUE * len(value)
            waiting.extend((*value.keys(), *value.values()))
        elif isinstance(value, (list, tuple, set, frozenset)):
            size += _ONE_VALUE * len(value)
            waiting.extend(value)
        elif isinstance(value, SyftTensor) and hasattr(kind, "held_bytes"):
            size += value.held_bytes
            waiting.extend((value.tags, value.description))
        elif isinstance(value, SyftTensor):
            waiting.extend((value.child, value.tags, value.description))
        elif isinstance(value, SCRIPTS):
            if isinstance(value, torch.jit.ScriptModule):
                waiting.extend((*value.parameters(), *value.buffers()))
        if not isinstance(value, (torch.Tensor, SyftTensor, *SCRIPTS, *_NO_DATA)):
            waiting.extend(_parts_of(value))
    return size


def _of_tensor(tensor: torch.Tensor, seen: set[int], waiting: list[Any]) -> int:
    if is_wrapper(tensor):
        waiting.append(tensor.__dict__.get("child"))
        return 0
    if tensor.is_leaf and tensor.grad is not None:
        waiting.append(tensor.grad)
    if tensor.layout is not torch.strided:
        return nbytes_of(tensor)
    storage = tensor.untyped_storage()
    if -storage._cdata in seen:
        return 0
    seen.add(-storage._cdata)
    return storage.nbytes()


def _parts_of(value: Any) -> Iterable[Any]:
    # Not of workers, which whatever was received belongs to.
    held = getattr(value, "__dict__", None)
    return () if held is None or hasattr(type(value), "request") else list(held.values())


def check_names(tags: Any, description: Any) -> None:
    """Refuse names that are no names.

    Raises:
        LimitExceededError: they take more than 64 KiB.
    """
    if (tags or description) and footprint((tags, description)) > _FREE_NAMES:
        raise LimitExceededError(f"tags and description take more than {_FREE_NAMES} bytes; make them shorter")


class CountedObjects(dict[ObjectId, Any]):
    """Objects by id that know how much memory they take, and refuse more than there may be.

    Args:
        limit: bytes for all together.

    Attributes:
        nbytes: what they take.
        floor: what an object that is neither a tensor nor plain data counts at least; the length of the message that
            brought it, as what is inside TorchScript cannot be counted.
    """

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit, self.nbytes, self.floor = limit, 0, 0
        self._most = _OBJECTS_BESIDE + limit // _BYTES_AN_OBJECT
        self._held: dict[int, list[int]] = {}  # by memory: how many objects, and its size
        self._keys: dict[ObjectId, int] = {}

    def __setitem__(self, id: ObjectId, obj: Any) -> None:
        self._release(id)
        if type(obj) in PLAIN and obj.layout is torch.strided:
            storage = obj.untyped_storage()
            key, size = storage._cdata, storage.nbytes()
        else:
            key, size = self._looked_into(obj)
        held = self._held.get(key)
        more = size if held is None else size - held[1]
        if more > 0 and self.nbytes + more > self.limit:
            super().pop(id, None)
            raise LimitExceededError(
                f"this object of {size} bytes would bring what you hold on this worker to {self.nbytes + more} "
                f"bytes, and at most {self.limit} are allowed; delete pointers that you no longer need, or fetch "
                "objects"
            )
        if len(self) >= self._most or (type(id) is str and len(id) > _LONGEST_ID):
            self._check_manner(id)
        if held is None:
            held = self._held[key] = [0, size]
        else:
            held[1] = size
        self.nbytes += more
        held[0] += 1
        self._keys[id] = key
        super().__setitem__(id, obj)

    def _check_manner(self, id: ObjectId) -> None:
        if type(id) is str and len(id) > _LONGEST_ID:
            raise LimitExceededError(f"an id has at most {_LONGEST_ID} characters, and this one has {len(id)}")
        if id not in self:
            raise LimitExceededError(
                f"you hold {len(self)} objects on this worker, as many as it keeps for one client; delete pointers "
                "that you no longer need"
            )

    def _looked_into(self, obj: Any) -> tuple[int, int]:
        link = obj.__dict__.get("child") if is_wrapper(obj) else None
        if isinstance(link, PrivateTensor):
            _forget_history(link)
        size = footprint(obj)
        if self.floor > size and not isinstance(obj, torch.Tensor) and hasattr(obj, "__dict__"):
            size = self.floor
        return -_identity(obj), size

    def recount(self, id: ObjectId) -> None:
        """Count an object anew that was changed where it is.

        Raises:
            LimitExceededError: it has become too large; it is forgotten.
        """
        obj = self.get(id)
        if obj is not None:
            self[id] = obj

    def __delitem__(self, id: ObjectId) -> None:
        super().__delitem__(id)
        self._release(id)

    def pop(self, id: ObjectId, *default: Any) -> Any:
        self._release(id)
        return super().pop(id, *default)

    def clear(self) -> None:
        super().clear()
        self._held.clear()
        self._keys.clear()
        self.nbytes = 0

    def _release(self, id: ObjectId) -> None:
        # By the memory that was counted: an op may have given the tensor another since.
        key = self._keys.pop(id, None)
        if key is None:
            return
        held = self._held[key]
        held[0] -= 1
        if not held[0]:
            del self._held[key]
            self.nbytes -= held[1]


def _forget_history(link: PrivateTensor) -> None:
    # What it was computed from would be kept for as long as the result. What the owner guards is kept anyway.
    roots = [root for parent in link.parents for root in (parent.parents or (parent,)) if _is_lent(root)]
    link.parents = tuple(dict.fromkeys(roots))


def _is_lent(link: Any) -> bool:
    return isinstance(link, PrivateTensor) and any(isinstance(user, OwnersKey) for user in link.allowed_users)


class OwnersKey:
    """A user that no message can name: who may see what a worker's owner keeps from a client."""

    __slots__ = ()


class PublishedBytes:
    """What clients have left on a worker for others.

    Args:
        each: bytes for what one client has published.
        together: bytes for what all have.
    """

    def __init__(self, each: int, together: int) -> None:
        self.each, self.together = each, together
        self._lock = threading.Lock()
        self._held: dict[Any, tuple[str, int]] = {}
        self._of: dict[str, int] = {}
        self.nbytes = 0

    def charge(self, publisher: str, key: Any, obj: Any) -> None:
        """Count an object for whoever publishes it, in place of what had this key.

        Raises:
            LimitExceededError: it is more than there may be.
        """
        size = footprint(obj)
        with self._lock:
            by, before = self._held.get(key, (publisher, 0))
            own = self._of.get(publisher, 0) + size - (before if by == publisher else 0)
            if own > self.each or self.nbytes + size - before > self.together:
                raise LimitExceededError(
                    f"this object of {size} bytes would bring what you have left on this worker for others to {own} "
                    f"bytes; {self.each} are allowed for one client and {self.together} for all together"
                )
            self._remove(key)
            self._held[key] = publisher, size
            self._of[publisher] = own
            self.nbytes += size

    def release(self, key: Any) -> None:
        """What had this key is published no longer."""
        with self._lock:
            self._remove(key)

    def _remove(self, key: Any) -> None:
        by, size = self._held.pop(key, ("", 0))
        self.nbytes -= size
        rest = self._of.get(by, 0) - size
        if rest > 0:
            self._of[by] = rest
        else:
            self._of.pop(by, None)
