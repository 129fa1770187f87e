"""A worker's end of a stream: what is dealt with at once, what waits, and when a client sends too much."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from syft.exceptions import DecodeError
from syft.transports.channel import Channel
from syft.transports.stream import REQUEST, Buffer, Parcel, Stream

WINDOW, MOST = 1000, 500


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Where messages are dealt with that are not answered at once."""
    with ThreadPoolExecutor(2) as made:
        yield made


class Client:
    """A client's stream to a channel, without a network in between."""

    def __init__(self, channel: Channel) -> None:
        self.channel, self.stream = channel, Stream(MOST, WINDOW)
        self.told = threading.Event()
        channel.attach(self.told.set, None)

    def send(self, *messages: bytes) -> bool:
        """Have messages delivered together; whether they were dealt with at once."""
        for message in messages:
            self.stream.put([message], REQUEST, wait=False)
        parts = self.stream.take()
        assert parts is not None
        return self.channel.deliver(self.channel.stream.receive(b"".join(parts)))

    def answers(self) -> list[tuple[int, bytes]]:
        """What came back so far, by the number of the request."""
        parcels: list[Parcel] = []
        while (parts := self.channel.stream.take()) is not None:
            parcels += self.stream.receive(b"".join(parts))
        return [(parcel.answers, b"".join(parcel.parts)) for parcel in parcels]

    def acknowledge(self, number: int) -> None:
        """Say what was dealt with, up to this number."""
        self.stream.dealt(number)
        parts = self.stream.take(acknowledge=True)
        assert parts is not None
        self.channel.stream.receive(b"".join(parts))
        self.channel.go_on()

    def answers_in_time(self, count: int) -> list[tuple[int, bytes]]:
        """So many answers, waited for."""
        found: list[tuple[int, bytes]] = []
        while len(found) < count:
            assert self.told.wait(10), "no answer"
            self.told.clear()
            found += self.answers()
        return found


def echo(parcel: Parcel) -> Sequence[Buffer]:
    return [b"later ", *parcel.parts]


def quick(parcel: Parcel) -> Sequence[Buffer] | None:
    return [b"now ", *parcel.parts] if bytes(parcel.parts[0]).startswith(b"q") else None


def test_what_takes_no_time_is_answered_at_once_and_the_rest_elsewhere(pool: ThreadPoolExecutor) -> None:
    client = Client(Channel(b"1" * 16, b"", echo, pool, MOST, WINDOW, quick))
    assert client.send(b"q")
    assert client.answers() == [(1, b"now q")]
    assert not client.send(b"slow")
    assert client.answers_in_time(1) == [(2, b"later slow")]


def test_what_comes_with_or_after_something_else_keeps_its_place(pool: ThreadPoolExecutor) -> None:
    go_on = threading.Event()

    def wait(parcel: Parcel) -> Sequence[Buffer]:
        go_on.wait(10)
        return echo(parcel)

    client = Client(Channel(b"1" * 16, b"", wait, pool, MOST, WINDOW, quick))
    assert not client.send(b"slow", b"q")
    assert not client.send(b"q")
    assert client.answers() == []
    go_on.set()
    assert client.answers_in_time(3) == [(1, b"later slow"), (2, b"later q"), (3, b"later q")]


def test_who_does_not_read_his_answers_is_not_answered_at_once(pool: ThreadPoolExecutor) -> None:
    channel = Channel(b"1" * 16, b"", lambda parcel: [b"x" * 400], pool, MOST, WINDOW, lambda parcel: [b"y" * 400])
    client = Client(channel)
    at_once = [client.send(b"q") for _ in range(5)]
    assert at_once == [True, True, True, False, False]
    channel.end("the test is over")


def test_a_client_that_floods_makes_the_channel_crowded_until_it_is_dealt_with(pool: ThreadPoolExecutor) -> None:
    go_on = threading.Event()

    def wait(parcel: Parcel) -> None:
        go_on.wait(10)

    channel = Channel(b"1" * 16, b"", wait, pool, MOST, WINDOW)
    client = Client(channel)
    crowded = []
    for _ in range(6):
        client.send(b"z" * 400)
        crowded.append(channel.crowded)
    assert crowded[-1]
    assert not crowded[2], "within its window and one message more it is not"
    client.told.clear()
    go_on.set()
    assert client.told.wait(10), "nobody was told that there is room again"
    assert not channel.crowded


def test_an_ended_channel_is_not_crowded(pool: ThreadPoolExecutor) -> None:
    go_on = threading.Event()

    def wait(parcel: Parcel) -> None:
        go_on.wait(10)

    channel = Channel(b"1" * 16, b"", wait, pool, MOST, WINDOW)
    client = Client(channel)
    for _ in range(6):
        client.send(b"z" * 400)
    assert channel.crowded
    channel.end("the lease has run out")
    assert not channel.crowded
    assert not client.send(b"q")
    go_on.set()


def test_who_does_not_read_his_answers_takes_no_thread_from_others() -> None:
    def answer(parcel: Parcel) -> Sequence[Buffer]:
        return [b"x" * 400]

    with ThreadPoolExecutor(1) as pool:
        deaf = Client(Channel(b"1" * 16, b"", answer, pool, MOST, WINDOW))
        try:
            for _ in range(9):
                deaf.send(b"q")
            other = Client(Channel(b"2" * 16, b"", answer, pool, MOST, WINDOW))
            other.send(b"q")
            assert other.answers_in_time(1) == [(1, b"x" * 400)]
            assert deaf.channel.pending == 6, "more was answered than fits into the window and one answer"
            assert not deaf.channel.busy, "its lease would never run out"
            found = deaf.answers()
            while len(found) < 9:
                deaf.told.clear()
                deaf.acknowledge(len(found))
                assert deaf.told.wait(10), "nothing went on when there was room again"
                found += deaf.answers()
        finally:
            deaf.channel.end("the test is over")


def test_what_waits_for_room_is_dealt_with_when_the_client_has_left(pool: ThreadPoolExecutor) -> None:
    dealt, finished = [], threading.Event()

    def answer(parcel: Parcel) -> Sequence[Buffer]:
        dealt.append(parcel.number)
        return [b"x" * 400]

    client = Client(Channel(b"1" * 16, b"", answer, pool, MOST, WINDOW))
    for _ in range(9):
        client.send(b"q")
    while client.channel.busy:
        time.sleep(0.01)
    assert len(dealt) == 3
    client.channel.finish("the client has left", finished.set)
    assert finished.wait(10)
    assert dealt == list(range(1, 10))


def test_a_client_that_starts_anew_has_room_again(pool: ThreadPoolExecutor) -> None:
    dealt = threading.Semaphore(0)

    def answer(parcel: Parcel) -> Sequence[Buffer]:
        dealt.release()
        return [b"x" * 400]

    channel = Channel(b"1" * 16, b"", answer, pool, MOST, WINDOW)
    client = Client(channel)
    for _ in range(9):
        client.send(b"q")
    channel.attach(lambda: None, None)
    for _ in range(9):
        assert dealt.acquire(timeout=10), "what came over the connection before is not dealt with"


def test_a_client_that_claims_to_have_received_what_was_never_sent_is_gone(pool: ThreadPoolExecutor) -> None:
    channel = Channel(b"1" * 16, b"", echo, pool, MOST, WINDOW)
    Client(channel)
    assert channel.left_at is None
    with pytest.raises(DecodeError, match="has received 5 parcels"):
        channel.attach(lambda: None, 5)
    assert not channel.attached
    assert channel.left_at is not None, "the session would stay for ever"
