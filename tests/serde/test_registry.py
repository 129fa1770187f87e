"""Who may have which tag, and what a type of one's own looks like."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import pytest
import torch

from syft.exceptions import DecodeError, GetNotPermittedError, ObjectNotFoundError, SyftError, UnserializableError
from syft.serde import decode, encode, register, serializable, serialize
from syft.serde.registry import REGISTRY, Registry
from tests.serde.craft import frame, tagged

pytestmark = pytest.mark.usefixtures("registry")


@dataclass
class Money:
    amount: int
    currency: str
    tensor: Any = None

    def to_wire(self) -> Any:
        return self.amount, self.currency, self.tensor

    @classmethod
    def from_wire(cls, data: Any, context: Any) -> Money:
        amount, currency, tensor = data
        if type(amount) is not int or amount < 0:
            raise ValueError("an amount is an int of 0 or more")
        if context is not None:
            context.append(currency)
        return cls(amount, currency, tensor)


class Coin(Money):
    pass


def test_a_class_of_ones_own_survives_with_its_tensor_and_meets_its_receiver() -> None:
    assert serializable("test.money")(Money) is Money
    seen: list[str] = []
    arrived = decode(encode([Money(3, "EUR", torch.ones(2))]), context=seen)[0]
    assert (arrived.amount, arrived.currency, arrived.tensor.tolist()) == (3, "EUR", [1, 1])
    assert seen == ["EUR"]


def test_what_from_wire_refuses_is_a_decode_error() -> None:
    serializable("test.money")(Money)
    for data in (tagged("tuple", -1, "EUR", None), None, [], tagged("tuple", 1), {"amount": 1}):
        with pytest.raises(DecodeError, match="no 'test.money'"):
            decode(frame(tagged("test.money", data)))
    with pytest.raises(DecodeError, match="no 'test.money'"):
        decode(frame(tagged("test.money", 1, 2)))


@pytest.mark.parametrize(
    "error", [ObjectNotFoundError(5, "bob"), GetNotPermittedError("private"), DecodeError("own words"), SyftError("x")]
)
def test_an_answer_of_from_wire_passes_as_it_is(error: SyftError) -> None:
    def from_wire(data: Any, context: Any) -> Any:
        raise error

    register(Money, "test.money", lambda money: 0, from_wire)
    with pytest.raises(type(error)) as caught:
        decode(encode([Money(1, "EUR")]))
    assert caught.value is error


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt, SystemExit])
def test_what_is_no_fault_of_the_bytes_is_not_hidden(error: type[BaseException]) -> None:
    def fail(*_: Any) -> Any:
        raise error

    register(Money, "test.money", lambda money: 0, fail)
    data = encode(Money(1, "EUR"))
    with pytest.raises(error):
        decode(data)
    register(Money, "test.money", fail, fail)
    with pytest.raises(error):
        encode(Money(1, "EUR"))


@pytest.mark.parametrize(
    "error", [TypeError, AttributeError, RecursionError, RuntimeError, StopIteration, OverflowError]
)
def test_a_fault_in_to_wire_or_from_wire_has_a_closed_form(error: type[Exception]) -> None:
    def fail(*_: Any) -> Any:
        raise error("deep inside")

    register(Money, "test.money", lambda money: 0, fail)
    with pytest.raises(DecodeError, match="deep inside"):
        decode(encode(Money(1, "EUR")))
    register(Money, "test.money", fail, fail)
    with pytest.raises(UnserializableError, match="deep inside"):
        encode(Money(1, "EUR"))
    assert decode(encode([1])) == [1]


def test_a_foreign_class_can_be_registered() -> None:
    register(Fraction, "test.fraction", str, lambda data, context: Fraction(data))
    assert decode(encode({Fraction(1, 3): [Fraction(2, 3)]})) == {Fraction(1, 3): [Fraction(2, 3)]}


def test_a_tag_or_a_class_is_registered_once() -> None:
    serializable("test.money")(Money)
    with pytest.raises(ValueError, match="belongs to .*Money; choose another for .*Coin"):
        serializable("test.money")(Coin)
    with pytest.raises(ValueError, match="registered already, as 'test.money'"):
        serializable("test.cash")(Money)
    with pytest.raises(ValueError, match="belongs to"):
        register(Fraction, "tuple", str, lambda data, context: data)
    with pytest.raises(ValueError, match="registered already, as 'tensor'"):
        register(torch.Tensor, "test.tensor", str, lambda data, context: data)
    assert decode(encode((1, Money(2, "EUR"))))[1].amount == 2


def test_also_does_not_take_a_registered_class() -> None:
    registry = Registry()
    registry.register(Money, "test.money", Money.to_wire, Money.from_wire)
    entry = registry.find(Money)
    registry.register(Fraction, "test.fraction", str, lambda data, context: data)
    registry.also(Coin, entry)
    registry.also(Coin, entry)
    with pytest.raises(ValueError, match="registered already"):
        registry.also(Fraction, entry)


def test_the_same_class_of_a_cell_that_is_run_again_replaces_the_first() -> None:
    def cell(worth: int) -> type:
        class Token:
            def to_wire(self) -> Any:
                return None

            @classmethod
            def from_wire(cls, data: Any, context: Any) -> Any:
                return cls()

        Token.worth = worth
        return serializable("test.token")(Token)

    first, second = cell(1), cell(2)
    assert decode(encode(second())).worth == 2
    assert decode(encode(first())).worth == 2  # objects made before the cell was run again can still be sent


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 64])
def test_tags_of_every_length_are_read(length: int) -> None:
    # msgpack spells extensions of 1, 2, 4, 8 and 16 bytes in a way of their own.
    serializable("t" * length)(Money)
    assert decode(encode([Money(1, "EUR"), 2])) == [Money(1, "EUR"), 2]


@pytest.mark.parametrize("tag", ["", "a" * 65, "with space", "ünicode", "a\0", None, 5, b"bytes", "new\nline"])
def test_a_malformed_tag_is_refused(tag: Any) -> None:
    with pytest.raises(ValueError, match="1 to 64"):
        serializable(tag)(Money)


def test_a_subclass_is_sent_as_its_base_only_where_that_was_said() -> None:
    serializable("test.money")(Money)
    with pytest.raises(UnserializableError, match="'Coin' object"):
        encode(Coin(1, "EUR"))
    REGISTRY.by_type.pop(Money)
    serializable("test.money", subclasses=True)(Money)
    assert type(decode(encode(Coin(1, "EUR")))) is Money
    serializable("test.coin")(Coin)
    assert type(decode(encode(Coin(1, "EUR")))) is Coin


def test_a_subclass_may_say_more_in_to_wire() -> None:
    class Gold(Money):
        def to_wire(self) -> Any:
            return self.amount * 100, "XAU", None

    serializable("test.money", subclasses=True)(Money)
    assert decode(encode(Gold(2, "EUR"))) == Money(200, "XAU")


def test_an_object_can_be_sent_by_name_or_with_all_it_holds() -> None:
    class Shelf:
        def __init__(self, things: Any) -> None:
            self.things = things

        def to_wire(self) -> Any:
            return "the shelf"

        def to_full_wire(self) -> Any:
            return self.things

        @classmethod
        def from_wire(cls, data: Any, context: Any) -> Any:
            return cls(data)

    serializable("test.shelf")(Shelf)
    shelf = Shelf([1, Shelf([2])])
    assert decode(serialize(shelf)).things == "the shelf"
    full = decode(serialize(shelf, force_full_simplification=True)).things
    assert full[1].things == [2]
    assert decode(serialize(shelf)).things == "the shelf"


def test_to_wire_may_serialize_by_itself() -> None:
    register(
        Money,
        "test.money",
        lambda money: encode([money.amount, money.tensor]),
        lambda data, context: Money(decode(data)[0], "EUR"),
    )
    sent = [torch.zeros(3), Money(4, "EUR", torch.ones(2)), torch.full((2,), 2.0)]
    first, money, last = decode(encode(sent))
    assert money.amount == 4
    assert (first.tolist(), last.tolist()) == ([0, 0, 0], [2, 2])


def test_threads_do_not_share_an_encoder() -> None:
    wrong: list[Any] = []

    def work(n: int) -> None:
        for k in range(200):
            value = [n, k, torch.full((n + 1,), float(k)), (n, k)]
            arrived = decode(encode(value))
            if arrived[:2] != [n, k] or arrived[2].tolist() != [float(k)] * (n + 1) or arrived[3] != (n, k):
                wrong.append((value, arrived))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
