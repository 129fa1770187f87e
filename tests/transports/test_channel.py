"""A worker's end of a stream: what is dealt with at once, what waits, and when a client sends too much."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

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
