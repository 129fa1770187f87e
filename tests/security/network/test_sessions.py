"""What one client of a served worker can do to another: nothing."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import syft as sy
from syft.core.messages import (
    Call,
    Command,
    Describe,
    Fetch,
    Forget,
    IsNone,
    Put,
    Ref,
    Relay,
    Search,
    Tag,
    Take,
)
from syft.exceptions import AuthenticationError
from syft.transports import handshake
from syft.transports.tokens import TokenFile
from syft.workers.session_store import SessionStore
from tests.security.network.far import Bare, Far, kinds
from tests.security.stranger import SECRET, betrays, refused

Connect = Callable[..., Far]
CLIENTS = 8
MINE = ("one", 2, 2**62 + 12345)


def reaches_for(id: Any) -> list[Any]:
    """Every message that names an object, with this one in the place of the object."""
    return [
        Take((Ref(id),)), Take((Ref(id),), keep=True), Take((Ref("own"), Ref(id))), Describe(Ref(id)), Describe(Ref(id, ("grad",))),
        Command("torch.add", (Ref(id), 1), {}, "stolen"), Command("torch.cat", ([Ref("own"), Ref(id)],), {}, "stolen"),
        Command("Tensor.add_", (Ref(id), 1)), Command("torch.add", (Ref("own"), 1), {"out": Ref(id)}),
        Command("Tensor.copy_", (Ref("own"), Ref(id))), Command("Tensor.__float__", (Ref(id),), {}, "stolen"),
        Tag(id, frozenset({"#stolen"}), None), Fetch(id), Relay((id,), "bob", ("stolen",)), Call(Ref(id), (), {}, "stolen"),
    ]  # fmt: skip


class Crowd:
    """Clients of one worker, each with objects of the same names and different values."""

    def __init__(self, port: int, far: Connect) -> None:
        self.clients = [far(port, host="127.0.0.1") for _ in range(CLIENTS)]
        for number, client in enumerate(self.clients):
            named = torch.tensor([float(SECRET), number]).tag(f"#of{number}", "#all")
            client.ask(Put((*((f"{number} {id}", torch.tensor([float(SECRET), number])) for id in MINE), (f"{number}", named))))  # fmt: skip

    def is_unharmed(self) -> bool:
        """Each has what it put there."""
        for number, client in enumerate(self.clients):
            for id in (f"{number}", *(f"{number} {id}" for id in MINE)):
                assert client.take(id).tolist() == [float(SECRET), number]
        return True


@pytest.fixture
def crowd(serve: Callable[[str], int], far: Connect) -> Crowd:
    return Crowd(serve("bob"), far)


def robber(crowd: Crowd, far: Connect) -> Far:
    client = far(crowd.clients[0].link.settings.address.port, host="127.0.0.1")
    client.ask(Put((("own", torch.zeros(2)),)))
    return client


def test_no_message_reaches_an_object_of_others(crowd: Crowd, far: Connect) -> None:
    client = robber(crowd, far)
    for number in range(CLIENTS):
        for id in (f"{number}", f"{number} one"):
            tried, missing = client.ask_many(reaches_for(id)), client.ask_many(reaches_for("never was"))
            assert set(kinds(tried)) == {"ObjectNotFoundError"}
            told = [reply.message.replace("never was", id) for reply in missing]
            assert [reply.message for reply in tried] == told, "an object of others is like none"
            assert client.ask(IsNone(Ref(id))) is True
    assert client.take("own").tolist() == [0, 0]
    assert crowd.is_unharmed()


def test_nothing_of_others_is_found_counted_or_listed(crowd: Crowd, far: Connect) -> None:
    client = robber(crowd, far)
    assert [client.ask(Search(query)) for query in ((), ("#all",), ("#of3",), ("3",))] == [[], [], [], []]
    listed = client.call("session", "list_objects")
    assert [row["id"] for row in listed] == ["own"] and client.call("session", "objects_count") == 1
    for number, one in enumerate(crowd.clients):
        assert [hit.id for hit in one.ask(Search(("#all",)))] == [f"{number}"]


def test_forgetting_overwriting_and_clearing_hit_only_ones_own(crowd: Crowd, far: Connect) -> None:
    client = robber(crowd, far)
    for number in range(CLIENTS):
        id = f"{number}"
        client.ask(Forget((id,)))
        client.ask(Put(((id, torch.zeros(1)),)))
        client.run("torch.zeros", 3, result=f"{number} one")
        assert client.take(id).shape == (1,) and client.take(f"{number} one").shape == (3,)
    client.call("session", "clear_objects")
    assert crowd.is_unharmed()


def test_failures_and_kept_messages_of_others_are_not_told(crowd: Crowd, far: Connect) -> None:
    first, second = crowd.clients[:2]
    first.call("session", "log_msgs", True)
    first.ask(Put((("logged", torch.tensor(float(SECRET))),)))
    first.run("Tensor.view", Ref("0"), 7, 7, result="failed")
    assert refused(first.take("failed"), "RuntimeError")
    assert refused(second.take("failed"), "ObjectNotFoundError")
    assert second.call("session", "sync") is None
    assert refused(second.call("session", "get_msg", 0), "UsageError")
    assert betrays(first.call("session", "get_msg", 0))


def test_a_client_that_leaves_takes_only_its_own_away(crowd: Crowd, far: Connect) -> None:
    robber(crowd, far).close()
    left = crowd.clients.pop()
    left.close()
    assert crowd.is_unharmed()


def test_control_a_shared_store_is_noticed(
    served: Callable[..., sy.WebsocketServerWorker], far: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    together: dict[Any, Any] = {}
    made = SessionStore.__init__

    def share(self: SessionStore, *args: Any) -> None:
        made(self, *args)
        self.objects = together

    monkeypatch.setattr(SessionStore, "__init__", share)
    crowd = Crowd(served().port, far)
    with pytest.raises(AssertionError):
        test_no_message_reaches_an_object_of_others(crowd, far)
    with pytest.raises(AssertionError):
        test_nothing_of_others_is_found_counted_or_listed(crowd, far)


# --- coming back -------------------------------------------------------------------------------------


@pytest.fixture
def tokens(tmp_path: Path) -> TokenFile:
    return TokenFile(tmp_path / "tokens")


@pytest.mark.parametrize("secret", [b"", bytes(32), os.urandom(32)], ids=["none", "zeros", "random"])
def test_a_session_is_resumed_with_its_secret_only(
    bare: Callable[..., Bare], served: Callable[..., sy.WebsocketServerWorker], secret: bytes
) -> None:
    worker = served()
    victim = bare(worker.port)
    welcome = victim.welcome()
    with pytest.raises(AuthenticationError, match="someone else"):
        bare(worker.port).welcome(session=welcome.session, secret=secret, received=0)
    victim.post(Put((("x", 1),)))
    assert victim.receive(), "its client did not notice"
    again = bare(worker.port).welcome(session=welcome.session, secret=welcome.secret, received=1)
    assert again.resumed


def test_a_session_is_resumed_by_its_user_only(
    bare: Callable[..., Bare], served: Callable[..., sy.WebsocketServerWorker], tokens: TokenFile
) -> None:
    ana, ben = tokens.add("ana"), tokens.add("ben")
    worker = served(tokens=tokens)
    victim = bare(worker.port)
    welcome = victim.welcome(token=ana)
    with pytest.raises(AuthenticationError, match="someone else"):
        bare(worker.port).welcome(token=ben, session=welcome.session, secret=welcome.secret, received=0)
    with pytest.raises(AuthenticationError, match="token"):
        bare(worker.port).welcome(session=welcome.session, secret=welcome.secret, received=0)
    assert bare(worker.port).welcome(token=ana, session=welcome.session, secret=welcome.secret, received=0).resumed


def test_a_session_that_is_not_there_starts_a_new_one(
    bare: Callable[..., Bare], served: Callable[..., sy.WebsocketServerWorker]
) -> None:
    worker = served()
    guessed = [bare(worker.port).welcome(session=os.urandom(16), secret=bytes(32), received=0) for _ in range(20)]
    assert not any(welcome.resumed for welcome in guessed)
    assert len({welcome.session for welcome in guessed}) == 20


def test_control_without_the_proof_a_session_is_taken_over(
    bare: Callable[..., Bare], served: Callable[..., sy.WebsocketServerWorker], monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = served()
    welcome = bare(worker.port).welcome()
    monkeypatch.setattr("hmac.compare_digest", lambda a, b: True)
    assert bare(worker.port).welcome(session=welcome.session, secret=bytes(32), received=0).resumed


# --- invitations -------------------------------------------------------------------------------------


def test_an_invitation_opens_the_session_it_was_given_for(crowd: Crowd, far: Connect) -> None:
    port = crowd.clients[0].link.settings.address.port
    guest = far(port, host="127.0.0.1", invitation=bytes(crowd.clients[0].call("session", "invite")))
    assert guest.take("0").tolist() == [float(SECRET), 0]
    assert refused(guest.take("1"), "ObjectNotFoundError")


@pytest.mark.parametrize("part", ["the id", "the secret", "all", "nothing of it"])
def test_a_changed_invitation_opens_nothing(crowd: Crowd, far: Connect, part: str) -> None:
    given = bytes(crowd.clients[0].call("session", "invite"))
    changed = {
        "the id": os.urandom(16) + given[16:],
        "the secret": given[:16] + os.urandom(32),
        "all": os.urandom(48),
        "nothing of it": bytes(48),
    }[part]
    with pytest.raises(AuthenticationError, match="invitation"):
        far(crowd.clients[0].link.settings.address.port, host="127.0.0.1", invitation=changed)


def test_an_invitation_ends_with_its_session_and_with_its_time(
    served: Callable[..., sy.WebsocketServerWorker], far: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = served()
    first, second = far(worker.port), far(worker.port)
    gone, late = bytes(first.call("session", "invite")), bytes(second.call("session", "invite"))
    first.close()
    with pytest.raises(AuthenticationError, match="invitation"):
        far(worker.port, invitation=gone)
    clock = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: clock() + 301)
    with pytest.raises(AuthenticationError, match="expired"):
        far(worker.port, invitation=late)


def test_invitations_and_peers_have_a_bound(
    served: Callable[..., sy.WebsocketServerWorker], far: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = served()
    client = far(worker.port)
    given = [bytes(client.call("session", "invite")) for _ in range(100)]
    assert refused(client.call("session", "invite"), "LimitExceededError")
    assert isinstance(far(worker.port).call("session", "invite"), bytes), "others are not hindered"
    far(worker.port, invitation=given[0])
    assert isinstance(client.call("session", "invite"), bytes), "one was used"
    monkeypatch.setattr("syft.workers.session._MOST_PEERS", 2)
    others = [served(f"other{n}") for n in range(3)]
    invited = [bytes(far(other.port).call("session", "invite")) for other in others]
    met = [client.call("session", "meet", o.id, o.url, by) for o, by in zip(others, invited, strict=True)]
    assert met[:2] == [None, None] and refused(met[2], "LimitExceededError")


def test_an_invitation_lets_nobody_past_the_tokens(
    bare: Callable[..., Bare], served: Callable[..., sy.WebsocketServerWorker], tokens: TokenFile
) -> None:
    ana = tokens.add("ana")
    worker = served(tokens=tokens)
    client = bare(worker.port)
    client.welcome(token=ana)
    stranger = bare(worker.port)
    assert stranger.answer(invitation=os.urandom(48))[:6] == handshake.MAGIC + b"\0"


def test_a_session_is_spoken_for_by_its_user_only(
    served: Callable[..., sy.WebsocketServerWorker], far: Connect, tokens: TokenFile
) -> None:
    ana = tokens.add("ana")
    client = far(served(tokens=tokens).port, token=ana)
    client.ask(Put((("s", sy.PrivateTensor(allowed_users=("ben",)).on(torch.tensor([float(SECRET)]))),)))
    assert refused(client.take("s"), "GetNotPermittedError")
    assert refused(client.take("s", user="ben"), "PermissionDenied", "PermissionError", "RemoteError")
    reply = client.call("models", "describe", user="ben")
    assert refused(reply, "ModelPermissionError")
