"""A data set whose fields may be anywhere, and the pointer to one that was stored whole on a worker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch.utils.data import Dataset

from syft.core.ids import new_id
from syft.core.messages import Found, Put, Stored
from syft.core.session import SESSION
from syft.encoded.precision import fix_precision, float_precision
from syft.exceptions import FederatedError, NotRemoteError
from syft.federated.collate import default_collate, select_rows
from syft.mpc.sharing import share
from syft.serde.registry import serializable
from syft.tensors.base import is_wrapper, wrap
from syft.tensors.object_pointer import ObjectPointer
from syft.tensors.pointer import pointer_to
from syft.workers.base import POINTERS


@serializable("dataset")
class BaseDataset(Dataset[Any]):
    """Samples and their targets, held here, or held by a worker and met as pointers.

    Args:
        data: the samples along dimension 0: a tensor (local or remote) or any sequence.
        targets: what belongs to them, of the same length and in the same place.
        transform: called on a sample as it is read. A local tensor comes to it as a numpy array and what
            it returns becomes a tensor; a remote or encoded one comes as it is, so it must be made of torch functions.
            It stays here when the data set is sent.
        owner: the worker that the data set belongs to.
        id: its id; drawn when None.
        tags: words to find it by.
        description: a text about it.

    Raises:
        FederatedError: data and targets differ in length or live in different places.

    Example:
        >>> dataset = BaseDataset(torch.tensor([[0.0], [1.0]]), torch.tensor([7, 8]))
        >>> len(dataset), dataset[1]
        (2, (tensor([1.]), tensor(8)))
    """

    # Each of these answers with tensors only: they stay on the worker, where plain values would come back.
    remote_methods: ClassVar[frozenset[str]] = frozenset({"__len__", "sample", "batch", "get_data", "get_targets"})
    remote_kind: ClassVar[str] = "dataset"

    def __init__(
        self,
        data: Any,
        targets: Any,
        transform: Callable[[Any], Any] | None = None,
        owner: Any = None,
        *,
        id: Any = None,
        tags: Any = None,
        description: str | None = None,
    ) -> None:
        _check_fit(data, targets)
        self.data, self.targets, self.transform_ = data, targets, transform
        self.owner = owner if owner is not None else SESSION.local_worker
        self.id = id if id is not None else new_id()
        self.tags: set[Any] | None = set(tags) if tags else None
        self.description = description

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: Any) -> tuple[Any, Any]:
        return self._transformed(self.data[index]), self.targets[index]

    def _transformed(self, sample: Any) -> Any:
        if self.transform_ is None:
            return sample
        if is_wrapper(sample):
            return self.transform_(sample)
        return torch.as_tensor(self.transform_(np.asarray(sample)))

    def sample(self, index: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """What ``dataset[index]`` gives, as tensors.

        Args:
            index: an int or a slice.

        Returns:
            ``(data, target)``.

        Raises:
            FederatedError: a field is not made of numbers.
        """
        data, target = self[index]
        return _as_tensor(data), _as_tensor(target)

    def batch(self, indices: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Several samples at once, with one operation a field.

        Args:
            indices: which samples, in which order; not negative.

        Returns:
            ``(data, targets)`` with ``len(indices)`` rows each, copies of what the data set holds.

        Raises:
            FederatedError: a field is not made of numbers.
        """
        if self.transform_ is not None:
            # A transform is made for one sample, so it sees them one by one.
            data = default_collate([self._transformed(self.data[i]) for i in indices])
        else:
            data = select_rows(self.data, indices)
        return _as_tensor(data), _as_tensor(select_rows(self.targets, indices))

    def transform(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        """Replace ``data`` by ``function(data)``, once.

        Args:
            function: takes and returns the whole data tensor; on remote data it acts on a pointer.

        Raises:
            FederatedError: the data is no tensor, or the result has another length.
        """
        if not isinstance(self.data, torch.Tensor):
            raise FederatedError(
                f"Transforms can be applied only on torch tensors, and this data is a {type(self.data).__name__}. "
                "Convert it first, or give transform= to the constructor."
            )
        data = function(self.data)
        _check_fit(data, self.targets)
        self.data = data

    @property
    def location(self) -> Any:
        """The worker that holds the data, or None if it is here."""
        return getattr(self.data, "location", None)

    def placed_on(self, device: torch.device) -> Self:
        """Move the samples and targets to a device; a worker that has one calls it for what it receives.

        Args:
            device: where they shall live.

        Returns:
            This data set.
        """
        if isinstance(self.data, torch.Tensor):
            self.data = self.data.to(device)
        if isinstance(self.targets, torch.Tensor):
            self.targets = self.targets.to(device)
        return self

    def get_data(self) -> torch.Tensor:
        """The data field, as a tensor."""
        return _as_tensor(self.data)

    def get_targets(self) -> torch.Tensor:
        """The targets field, as a tensor."""
        return _as_tensor(self.targets)

    def tag(self, *tags: Any) -> Self:
        """Add tags; returns the data set."""
        self.tags = (self.tags or set()) | set(tags)
        return self

    def describe(self, description: str) -> Self:
        """Set the description; returns the data set."""
        self.description = description
        return self

    def send(self, location: Any, *, garbage_collect_data: bool = False) -> PointerDataset:
        """Store a copy of the whole data set on a worker. The one here stays usable.

        Args:
            location: a worker or the id of one.
            garbage_collect_data: forget the copy when the pointer dies. By default it stays for others to
                find by its tags.

        Returns:
            A pointer to the copy, with the same tags and description.

        Raises:
            FederatedError: the fields are not here.
            WorkerNotFoundException: no worker of that id is known.
        """
        if self.location is not None:
            raise FederatedError(
                f"the fields of this data set are on worker {self.location.id!r} already, so it cannot be sent to "
                f"{getattr(location, 'id', location)!r}. Fetch it first with .get()."
            )
        worker = SESSION.worker(location)
        worker.request(Put(((self.id, self),)))
        return PointerDataset(
            worker,
            self.id,
            garbage_collect_data=garbage_collect_data,
            tags=self.tags,
            description=self.description,
        )

    def get(self) -> Self:
        """Fetch remote or shared fields, in place; returns the data set.

        Raises:
            NotRemoteError: the fields are here and plain.
        """
        if not hasattr(self.data, "child"):
            raise NotRemoteError("this data set is here already: .get() fetches the fields of one that is on a worker")
        self.data = self.data.get()  # one by one: if the second is refused, the first is not lost
        self.targets = self.targets.get()
        return self

    def fix_precision(self, **settings: Any) -> Self:
        """Write data and targets with a fixed number of fractional digits, in place.

        Args:
            **settings: of `syft.encoded.precision.fix_precision`, such as ``base`` and ``precision_fractional``.

        Returns:
            This data set.

        Raises:
            FederatedError: a field is not made of numbers.
        """
        return self._changed(lambda field: fix_precision(field, **settings))

    fix_prec = fix_precision

    def float_precision(self) -> Self:
        """Data and targets as float32, in place; returns the data set."""
        return self._changed(float_precision)

    float_prec = float_precision

    def share(self, *owners: Any, **settings: Any) -> Self:
        """Share data and targets, in place; `get` fetches them.

        Args:
            *owners: the holders.
            **settings: of `syft.mpc.sharing.share`, such as ``crypto_provider``.

        Returns:
            This data set.

        Raises:
            UsageError: a field has fractions and no fixed precision.
        """
        return self._changed(lambda field: share(field, *owners, **settings))

    def _changed(self, change: Callable[[torch.Tensor], Any]) -> Self:
        # Both before either is kept: a data set of which one field could not be changed would be of no use.
        self.data, self.targets = change(self.get_data()), change(self.get_targets())
        return self

    def to_wire(self) -> dict[str, Any]:
        """What travels: the fields and what they are called, not the transform."""
        return {
            "id": self.id,
            "data": self.data,
            "targets": self.targets,
            "tags": sorted(self.tags or (), key=str),
            "description": self.description,
        }

    @classmethod
    def from_wire(cls, data: Any, context: Any) -> Self:
        """Build a received data set; its fields are checked as those of any other.

        Raises:
            FederatedError: this is not what `to_wire` writes.
        """
        if not isinstance(data, dict) or data.keys() != {"id", "data", "targets", "tags", "description"}:
            raise FederatedError("these are not the parts of a data set")
        if not isinstance(data["id"], (int, str)) or not isinstance(data["description"], (str, type(None))):
            raise FederatedError("the id or the description of this data set is of a wrong type")
        if not all(isinstance(data[name], (torch.Tensor, np.ndarray, list, tuple)) for name in ("data", "targets")):
            raise FederatedError("the fields of this data set are neither tensors nor sequences")
        if getattr(data["data"], "location", None) is not None:
            raise FederatedError("the fields of a data set that is sent are values, not pointers")
        return cls(data["data"], data["targets"], id=data["id"], tags=data["tags"], description=data["description"])

    def __repr__(self) -> str:
        text = f"BaseDataset\n\tData: {self.data}\n\ttargets: {self.targets}"
        if self.tags:
            text += "\n\tTags: " + "".join(f"{tag} " for tag in sorted(self.tags, key=str))
        if self.description:
            text += "\n\tDescription: " + str(self.description).split("\n")[0] + "..."
        return text


class PointerDataset(ObjectPointer):
    """A data set that is stored whole on a worker; its samples are met as pointers.

    `BaseDataset.send` and a search for its tags return one. Unlike the pointer to a tensor it leaves the
    remote data set alone when it dies, unless asked to collect it.
    """

    def __len__(self) -> int:
        return int(self.call("__len__"))

    def __getitem__(self, index: Any) -> tuple[Any, Any]:
        return self.call("sample", index)

    def batch(self, indices: Sequence[int]) -> tuple[Any, Any]:
        """Several samples at once, with one message.

        Args:
            indices: which samples, in which order; not negative.

        Returns:
            Pointers to the stacked samples and targets.
        """
        return self.call("batch", list(indices))

    @property
    def data(self) -> Any:
        """A pointer to the data field."""
        return self.call("get_data")

    @property
    def targets(self) -> Any:
        """A pointer to the targets field."""
        return self.call("get_targets")

    def get_data(self) -> Any:
        """A pointer to the data field."""
        return self.data

    def get_targets(self) -> Any:
        """A pointer to the targets field."""
        return self.targets

    def answer(self, reply: Any) -> Any:
        """Turn a reply into wrapped pointers: what a data set answers with are tensors."""
        if isinstance(reply, Stored):
            return wrap(pointer_to(self.location, reply.id, self.owner))
        if isinstance(reply, (list, tuple)):
            return tuple(self.answer(part) for part in reply)
        return reply


def _found(hit: Found, location: Any, owner: Any) -> PointerDataset:
    return PointerDataset(location, hit.id, owner, None, False, hit.tags or None, hit.description)


POINTERS[BaseDataset.remote_kind] = _found


def _as_tensor(field: Any) -> torch.Tensor:
    if isinstance(field, torch.Tensor):
        return field
    try:
        tensor = torch.as_tensor(np.asarray(field))
    except (TypeError, ValueError) as error:
        raise FederatedError(
            f"a {type(field).__name__} of this data set does not make a tensor: it holds something other than numbers "
            "of one shape. Encode it first."
        ) from error
    return tensor


def _check_fit(data: Any, targets: Any) -> None:
    if len(data) != len(targets):
        raise FederatedError(
            f"a data set needs one target a sample, and there are {len(data)} samples and {len(targets)} targets. "
            "Cut them to the same length."
        )
    here, there = getattr(data, "location", None), getattr(targets, "location", None)
    if getattr(here, "id", None) != getattr(there, "id", None):
        names = ["here" if place is None else f"on worker {place.id!r}" for place in (here, there)]
        raise FederatedError(
            f"samples and targets must be in one place, and the samples are {names[0]}, the targets {names[1]}. "
            "Move one with .send(worker) or .move(worker)."
        )
