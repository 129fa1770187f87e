"""Tokens: only their holder gets in, only while the file says so, and the secret is nowhere but in its own text."""

from __future__ import annotations

import base64
import datetime as dt
import json
import logging
import os
import pickle
import stat
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from syft.exceptions import AuthenticationError, CredentialsError
from syft.transports.tokens import Token, TokenFile

SIGNED = b"what the worker asked this client to sign"
posix = pytest.mark.skipif(os.name != "posix", reason="file modes are those of POSIX")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens.jsonl"


def secret_of(token: Token) -> str:
    return token.text.split("-", 2)[2]  # the secret may have a - of its own


def identify(file: TokenFile, token: Token, now: dt.datetime | None = None) -> tuple[str, str]:
    found = file.identify(token.public, token.sign(SIGNED), SIGNED, now)
    return found.user, found.role


def refusal(file: TokenFile, public: bytes, signature: bytes, signed: bytes = SIGNED) -> str:
    with pytest.raises(AuthenticationError) as caught:
        file.identify(public, signature, signed)
    return str(caught.value)


# --- the token ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("user", ["a", "ana", "Ana_B.2", "x" * 64])
def test_a_token_is_one_word_that_holds_all_of_it(user: str) -> None:
    token = Token.make(user)
    again = Token.parse(f"  {token.text}\n")
    assert (again.user, again.public, again.text) == (user, token.public, token.text)
    assert again.sign(SIGNED) == token.sign(SIGNED)
    assert (len(token.public), len(token.sign(SIGNED))) == (32, 64)
    assert token.text.startswith(f"syft-{user}-") and len(token.text.split()) == 1


@pytest.mark.parametrize("user", ["", "x" * 65, "a-b", "a b", "a/b", "ä", "a\n"])
def test_a_name_that_would_not_fit_a_token_is_refused(user: str) -> None:
    with pytest.raises(CredentialsError, match="1 to 64"):
        Token.make(user)


def test_a_seed_of_another_length_is_refused() -> None:
    with pytest.raises(CredentialsError, match="32 bytes, not 31"):
        Token("ana", bytes(31))


def test_no_two_tokens_are_alike() -> None:
    assert len({Token.make("ana").public for _ in range(50)}) == 50


def test_every_damage_to_a_token_is_noticed_and_the_secret_not_repeated() -> None:
    text = Token.make("ana").text
    damaged = {text[:i] + ("A" if text[i] != "A" else "B") + text[i + 1 :] for i in range(len(text))}
    damaged |= {text[:-1], text + "A", text.replace("-ana-", "-bob-"), text[5:], "", "syft-", text.upper()}
    for word in damaged:
        with pytest.raises(CredentialsError, match="damaged in copying") as caught:
            Token.parse(word)
        shown = "".join(traceback.format_exception(caught.value))
        assert text[9:] not in shown and (len(word) < 20 or word[9:] not in shown)


def test_neither_text_nor_seed_shows_in_what_is_printed() -> None:
    token = Token.make("ana")
    secret = secret_of(token)
    for shown in (repr(token), str(token), f"{token}", repr([token]), f"{token!r:>60}"):
        assert secret not in shown and secret[:12] not in shown


def test_a_token_is_not_pickled_by_accident() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(Token.make("ana"))


# --- who is let in -----------------------------------------------------------------------------------


def test_a_holder_is_let_in_as_what_the_file_says(path: Path) -> None:
    ana, bob = TokenFile(path).add("ana"), TokenFile(path).add("bob", "owner")
    file = TokenFile.load(path)
    assert identify(file, ana) == ("ana", "user")
    assert identify(file, bob) == ("bob", "owner")
    assert [(entry.user, entry.role) for entry in file.entries] == [("ana", "user"), ("bob", "owner")]


def test_unknown_wrong_and_revoked_are_refused_in_the_same_words(path: Path) -> None:
    file = TokenFile(path)
    ana, bob, gone = file.add("ana"), file.add("bob"), file.add("gone")
    file.revoke("gone")
    stranger = Token.make("ana")
    texts = {
        "unknown key": refusal(file, stranger.public, stranger.sign(SIGNED)),
        "wrong key's signature": refusal(file, ana.public, stranger.sign(SIGNED)),
        "another user's signature": refusal(file, ana.public, bob.sign(SIGNED)),
        "signature of something else": refusal(file, ana.public, ana.sign(b"of yesterday")),
        "something else signed": refusal(file, ana.public, ana.sign(SIGNED), SIGNED + b"!"),
        "no signature": refusal(file, ana.public, bytes(64)),
        "short signature": refusal(file, ana.public, ana.sign(SIGNED)[:-1]),
        "no key": refusal(file, bytes(32), bytes(64)),
        "short key": refusal(file, ana.public[:-1], ana.sign(SIGNED)),
        "revoked": refusal(file, gone.public, gone.sign(SIGNED)),
    }
    assert len(set(texts.values())) == 1, texts
    assert identify(file, ana) == ("ana", "user")


def test_any_flipped_bit_of_a_signature_is_refused(path: Path) -> None:
    file = TokenFile(path)
    ana = file.add("ana")
    signature = ana.sign(SIGNED)
    for i in range(64):
        refusal(file, ana.public, signature[:i] + bytes((signature[i] ^ 1,)) + signature[i + 1 :])


def test_a_token_expires_and_not_before(path: Path) -> None:
    file = TokenFile(path)
    ana = file.add("ana", expires_in=2)
    end = file.entries[0].expires
    assert end is not None and end.tzinfo is not None
    assert dt.timedelta(days=1.99) < end - dt.datetime.now(dt.UTC) <= dt.timedelta(days=2)
    assert identify(file, ana) == ("ana", "user")
    assert identify(file, ana, end - dt.timedelta(seconds=1)) == ("ana", "user")
    for late in (end, end + dt.timedelta(days=400)):
        with pytest.raises(AuthenticationError, match=r"'ana' has expired; ask the worker's owner"):
            identify(file, ana, late)
        with pytest.raises(AuthenticationError, match="has expired"):
            file.identify_bearer(ana.text, late)


def test_that_a_token_has_expired_is_told_to_its_holder_only(path: Path) -> None:
    file = TokenFile(path)
    ana = file.add("ana", expires_in=1e-9)
    with pytest.raises(AuthenticationError, match="has expired"):
        identify(file, ana)
    assert "expired" not in refusal(file, ana.public, Token.make("ana").sign(SIGNED))


def test_a_bearer_is_let_in_by_the_text(path: Path) -> None:
    file = TokenFile(path)
    ana, gone = file.add("ana", "owner"), file.add("gone")
    file.revoke("gone")
    found = file.identify_bearer(ana.text)
    assert (found.user, found.role) == ("ana", "owner")
    texts = set()
    for text in ("", "Bearer", ana.text[:-1], Token.make("ana").text, gone.text):
        with pytest.raises(AuthenticationError) as caught:
            file.identify_bearer(text)
        texts.add(str(caught.value))
    assert len(texts) == 1


def test_a_holder_cannot_rename_himself(path: Path) -> None:
    file = TokenFile(path)
    seed = base64.urlsafe_b64decode(secret_of(file.add("ana")))[:32]
    renamed = Token("root", seed)
    assert identify(file, renamed) == ("ana", "user")
    assert file.identify_bearer(renamed.text).user == "ana"


# --- a file that changes -----------------------------------------------------------------------------


def test_a_running_worker_notices_what_is_added_and_taken_back(path: Path) -> None:
    ana = TokenFile(path).add("ana")
    running = TokenFile.load(path)
    assert identify(running, ana) == ("ana", "user")
    bob = TokenFile(path).add("bob")
    assert identify(running, bob) == ("bob", "user")
    assert TokenFile(path).revoke("ana") == 1
    refusal(running, ana.public, ana.sign(SIGNED))
    assert identify(running, bob) == ("bob", "user")


def test_a_file_that_breaks_lets_nobody_in_until_it_is_mended(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ana = TokenFile(path).add("ana")
    running, good = TokenFile.load(path), path.read_text()
    for broken in (good + "nonsense\n", None):
        path.unlink() if broken is None else path.write_text(broken)
        caplog.clear()
        text = refusal(running, ana.public, ana.sign(SIGNED))
        assert "ask its owner" in text and str(path) not in text
        assert str(path) in caplog.text, "the owner is told which file"
    path.write_text(good)
    assert identify(running, ana) == ("ana", "user")


def test_revoking_takes_all_of_a_users_tokens_and_nothing_else(path: Path) -> None:
    file = TokenFile(path)
    first, second, bob = file.add("ana"), file.add("ana", "owner", 3), file.add("bob", "owner", 5)
    before = [entry for entry in file.entries if entry.user == "bob"]
    assert file.revoke("ana") == 2
    assert file.revoke("ana") == 0
    assert TokenFile.load(path).entries == before
    for token in (first, second):
        refusal(file, token.public, token.sign(SIGNED))
    assert identify(file, bob) == ("bob", "owner")
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_entries_added_at_the_same_time_are_all_there(path: Path) -> None:
    def add(user: str) -> None:
        for _ in range(10):
            TokenFile(path).add(user)

    threads = [threading.Thread(target=add, args=(f"u{i}",)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    users = [entry.user for entry in TokenFile.load(path).entries]
    assert sorted(users) == sorted(f"u{i}" for i in range(8) for _ in range(10))


def test_an_entry_goes_to_a_line_of_its_own_after_a_hand_edit(path: Path) -> None:
    ana = TokenFile(path).add("ana")
    path.write_text(path.read_text().rstrip("\n"))
    bob = TokenFile(path).add("bob")
    file = TokenFile.load(path)
    assert (identify(file, ana), identify(file, bob)) == (("ana", "user"), ("bob", "user"))


# --- the file ----------------------------------------------------------------------------------------


def test_the_file_has_public_halves_only(path: Path) -> None:
    token = TokenFile(path).add("ana", expires_in=30)
    (fields,) = (json.loads(line) for line in path.read_text().splitlines())
    assert list(fields) == ["user", "role", "key", "expires", "created"]
    assert base64.b64decode(fields["key"]) == token.public
    seed = base64.urlsafe_b64decode(secret_of(token))[:32]
    content = path.read_bytes()
    for secret in (seed, seed.hex().encode(), base64.b64encode(seed), base64.urlsafe_b64encode(seed)):
        assert secret.rstrip(b"=") not in content


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@posix
@pytest.mark.usefixtures("open_umask")
def test_the_file_is_its_owners_alone_also_after_a_revocation(path: Path) -> None:
    file = TokenFile(path)
    file.add("ana")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    file.revoke("ana")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@posix
@pytest.mark.parametrize(
    ("mode", "warned"), [(0o600, False), (0o400, False), (0o640, True), (0o604, True), (0o620, True)]
)
def test_a_file_that_others_reach_is_warned_of(
    path: Path, mode: int, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    TokenFile(path).add("ana")
    path.chmod(mode)
    TokenFile.load(path)
    assert ("chmod 600" in caplog.text) is warned


GOOD = {
    "user": "ana",
    "role": "user",
    "key": base64.b64encode(bytes(range(32))).decode(),
    "expires": None,
    "created": "2026-01-31T12:00:00+00:00",
}


def changed(**fields: object) -> str:
    return json.dumps({**GOOD, **fields})


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("nonsense", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[]", "no JSON object"),
        ("{}", "no user and no role and no key and no expires and no created"),
        (json.dumps({k: v for k, v in GOOD.items() if k != "expires"}), "has no expires"),
        (changed(user="a-b"), "its user"),
        (changed(user=7), "its user"),
        (changed(role="root"), "its role"),
        (changed(role=["user"]), "its role"),
        (changed(key="AAAA"), "its key"),
        (changed(key="*" * 44), "its key"),
        (changed(key=None), "its key"),
        (changed(expires="soon"), "'expires'"),
        (changed(expires="2030-01-31T12:00:00"), "'expires'"),
        (changed(expires=0), "'expires'"),
        (changed(created=None), "'created'"),
    ],
)
def test_a_line_that_makes_no_sense_is_named(path: Path, line: str, why: str) -> None:
    path.write_text(f"{json.dumps(GOOD)}\n\n{line}\n")
    with pytest.raises(CredentialsError, match="line 3 of the token file") as caught:
        TokenFile.load(path)
    assert why in str(caught.value) and str(path) in str(caught.value)


def test_the_good_line_of_these_tests_is_one(path: Path) -> None:
    path.write_text(f"\n{json.dumps(GOOD)}\n\n")
    assert [entry.user for entry in TokenFile.load(path).entries] == ["ana"]


@pytest.mark.parametrize("field", [None, "user", "role", "key", "expires", "created"])
def test_a_token_pasted_into_the_file_is_not_repeated(path: Path, field: str | None) -> None:
    text = Token.make("ana").text
    path.write_text((text if field is None else changed(**{field: text})) + "\n")
    with pytest.raises(CredentialsError, match="line 1") as caught:
        TokenFile.load(path)
    assert text[9:] not in "".join(traceback.format_exception(caught.value))


def test_a_file_that_cannot_be_read_or_written_is_said_so(path: Path) -> None:
    with pytest.raises(CredentialsError, match="syft worker token USER --file"):
        TokenFile.load(path)
    with pytest.raises(CredentialsError, match="cannot be read"):
        TokenFile.load(path.parent)
    with pytest.raises(CredentialsError, match="cannot be written"):
        TokenFile(path.parent).add("ana")
    with pytest.raises(CredentialsError, match="cannot be written"):
        TokenFile(path / "missing").add("ana")
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CredentialsError, match="not text"):
        TokenFile.load(path)


def test_a_failed_revocation_says_so_and_changes_nothing(path: Path) -> None:
    file = TokenFile(path)
    ana = file.add("ana")
    path.with_name(path.name + ".new").mkdir()
    with pytest.raises(CredentialsError, match="cannot be written"):
        file.revoke("ana")
    assert identify(file, ana) == ("ana", "user")


@pytest.mark.parametrize("days", [0, -1, float("nan"), float("inf"), 1e12])
def test_times_that_make_no_sense_are_refused(path: Path, days: float) -> None:
    with pytest.raises(CredentialsError, match="cannot expire in"):
        TokenFile(path).add("ana", expires_in=days)
    assert not path.exists()


def test_roles_and_names_are_checked_before_anything_is_written(path: Path) -> None:
    with pytest.raises(CredentialsError, match="user, owner"):
        TokenFile(path).add("ana", "root")
    with pytest.raises(CredentialsError, match="1 to 64"):
        TokenFile(path).add("a-b")
    assert not path.exists()


def test_no_log_line_has_a_secret(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    ana, stranger = TokenFile(path).add("ana"), Token.make("eve")
    path.chmod(0o644)
    file = TokenFile.load(path)
    identify(file, ana)
    file.identify_bearer(ana.text)
    refusal(file, stranger.public, stranger.sign(SIGNED))
    path.write_text(path.read_text() + stranger.text + "\n")
    refusal(file, ana.public, ana.sign(SIGNED))
    assert "nobody is let in" in caplog.text
    for token in (ana, stranger):
        assert token.text not in caplog.text and secret_of(token) not in caplog.text
