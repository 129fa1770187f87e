"""`PaillierAggregation`: the strategy with which clients send encrypted updates, and a third party opens their sum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from syft.core.session import SESSION
from syft.exceptions import AggregationError, FederatedError, SyftError
from syft.federated.averaging import StateDict
from syft.federated.secure.server import Summed
from syft.federated.secure.strategy import SecureAggregation
from syft.federated.secure.talk import Talk
from syft.federated.secure.update import size_of
from syft.federated.strategies import Strategy
from syft.he.paillier.keys import DEFAULT_BITS, PaillierPublicKey
from syft.he.paillier.packed import PackedPaillierTensor, Packing
from syft.he.paillier.tensor import CipherTensor, link_under
from syft.he.paillier.travel import number_from

_LEAST = 2


class PaillierAggregation(SecureAggregation):
    """Sums the clients' updates while they are encrypted, under a key that the server does not have.

    Clients pack their updates, in fixed point, into ciphertexts under the key of a key holder: another worker, which
    has the private half and no connection to the clients. The server adds the ciphertexts and has the key holder open
    the sum. One message from each client is enough, and clients may drop out at any time before it.

    Who learns what: the server learns the sum, and the key holder, too; neither learns one client's update as long as
    they do not put together what they have. A server that hands the key holder a single update in place of a sum is not
    kept out, nor is one that gives the clients a key of its own, unless their owners have said which key they trust
    (`AggregationService.trusted_key`). `SecureAggregation` needs no third party and is faster, but needs four messages
    and clients that stay.

    Args:
        key_holder: the worker that makes the key and opens sums; none of the clients, and not the server's.
        strategy: what is done with the mean, which it gets as one update; the default is `FedAvg`.
        threshold: of how many updates a sum must be at least; 2 or more.
        fraction_bits: how many bits of the numbers are after the point, of 64.
        max_norm: how long the change of a client's model may be; longer ones are refused by the client itself.
        weighted: weigh clients by their counts of samples; otherwise all alike.
        n_length: bits of the key.

    Raises:
        FederatedError: a number is out of range.

    Example:
        >>> import syft as sy, torch
        >>> from syft.federated import clients_from, FederatedTrainer, PaillierAggregation
        >>> hook = sy.TorchHook(torch)
        >>> workers = [sy.VirtualWorker(hook, id=name) for name in ("xia", "yul", "zoe")]
        >>> data = sy.BaseDataset(torch.eye(6), torch.eye(6)).federate(workers)
        >>> model, loss_fn = torch.nn.Linear(6, 6), torch.nn.functional.mse_loss
        >>> strategy = PaillierAggregation(sy.VirtualWorker(hook, id="holder"), n_length=2048)
        >>> trainer = FederatedTrainer(model, clients_from(data, batch_size=2), loss_fn, strategy=strategy)
        >>> trainer.fit(1)[0].together["samples"]
        6.0
    """

    def __init__(
        self,
        key_holder: Any,
        strategy: Strategy | None = None,
        *,
        threshold: int = _LEAST,
        fraction_bits: int | None = None,
        max_norm: float | None = None,
        weighted: bool = True,
        n_length: int = DEFAULT_BITS,
    ) -> None:
        super().__init__(
            strategy, threshold=threshold, fraction_bits=fraction_bits, max_norm=max_norm, weighted=weighted
        )
        self.key_holder, self._n_length = SESSION.worker(key_holder), n_length
        self._key: PaillierPublicKey | None = None

    @property
    def public_key(self) -> PaillierPublicKey:
        """The key that updates are encrypted under; the key holder makes it when it is first asked for.

        Raises:
            FederatedError: the key holder has sent something else.
        """
        if self._key is None:
            reply = self.key_holder.ask("paillier", "make_key", self._n_length, self.least)
            try:
                n, h = self.key_holder.fetch_reply(reply)
                self._key = PaillierPublicKey(number_from(n), number_from(h))
            except (TypeError, ValueError) as error:
                raise FederatedError(f"the key holder has sent something else in place of its key: {error}") from error
        return self._key

    def check_clients(self, count: int) -> None:
        """See whether so many clients can sum in secret.

        Raises:
            AggregationError: they are fewer than the threshold.
        """
        if count < self.least:
            raise AggregationError(f"{count} clients cannot make a sum of {self.least}, which is the threshold")

    def conversation(self, clients: Sequence[str], before: StateDict, models: Mapping[str, Any]) -> Talk:
        """One aggregation (see `SecureAggregation.conversation`).

        Raises:
            AggregationError: fewer updates than the threshold have arrived, or the key holder does not open their sum.
        """
        self.check_clients(len(clients))
        key, size, packing = self.public_key, size_of(before), Packing(0, len(clients))
        terms = {
            "public_key": key,
            "parties": len(clients),
            "fraction_bits": self.ring.fraction_bits,
            "max_norm": self.max_norm,
        }
        answers = yield {name: ("encrypted", name, dict(terms), dict(models[name])) for name in clients}
        arrived: dict[str, Any] = {}
        lost: dict[str, str] = {}
        for name in clients:
            answer = answers.get(name, AggregationError("there was no answer"))
            try:
                arrived[name] = _sound(name, answer, key, size, packing)
            except Exception as error:
                lost[name] = f"{error}" or type(error).__name__
        if len(arrived) < self.least:
            reasons = "".join([f"\n  {name}: {reason}" for name, reason in lost.items()])
            raise AggregationError(
                f"{len(arrived)} of {len(clients)} encrypted updates have arrived, and the threshold is {self.least}: "
                f"nothing is opened.{reasons}"
            )
        first, *rest = arrived.values()
        for other in rest:
            first = first + other
        return Summed(self._opened(first), tuple(arrived), lost)

    def _opened(self, total: Any) -> torch.Tensor:
        try:
            opened = self.key_holder.fetch_reply(self.key_holder.ask("paillier", "open", total))
        except SyftError as error:
            raise AggregationError(f"the key holder does not open the sum: {error}") from error
        if type(opened) is not torch.Tensor or opened.dtype != torch.int64 or opened.shape != total.shape:
            raise AggregationError("the key holder has sent something else in place of the opened sum")
        return opened


def _sound(name: str, answer: Any, key: PaillierPublicKey, size: int, packing: Packing) -> Any:
    """An answer that can be added to others.

    Raises:
        AggregationError: it cannot; or whatever the client has answered with.
    """
    if isinstance(answer, BaseException):
        raise answer
    link: Any = link_under(answer) if isinstance(answer, CipherTensor) else None
    packed = isinstance(link, PackedPaillierTensor) and link.packing == packing and link.addends == 1
    if not packed or link.key != key or tuple(link.shape) != (size,) or link.dtype != torch.int64:
        raise AggregationError(f"client {name!r} has sent something else where {size} encrypted numbers were due")
    return answer
