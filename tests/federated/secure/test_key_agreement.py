"""Keys that two parties share are the same on both sides, of full length, and good for one purpose."""

from __future__ import annotations

import pytest

from syft.exceptions import AggregationError
from syft.federated.secure.key_agreement import KeyPair, derived, seal, unseal

# RFC 7748, 6.1: Alice's pair.
PRIVATE = bytes.fromhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")
PUBLIC = bytes.fromhex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")


def test_a_private_key_has_the_public_key_of_the_standard() -> None:
    assert KeyPair.of(PRIVATE).public == PUBLIC


def test_both_sides_agree_on_16_bytes_and_no_third_party_does() -> None:
    here, there, other = KeyPair.fresh(), KeyPair.fresh(), KeyPair.fresh()
    key = here.agree(there.public, "masks")
    assert key == there.agree(here.public, "masks") and len(key) == 16
    assert key != here.agree(there.public, "shares")
    assert key not in (other.agree(there.public, "masks"), other.agree(here.public, "masks"))


@pytest.mark.parametrize("bad", [bytes(32), b"\1" + bytes(31), b"short", bytes(33), b""])
def test_a_public_key_that_makes_keys_known_to_all_is_refused(bad: bytes) -> None:
    with pytest.raises(AggregationError, match="no X25519 public key"):
        KeyPair.fresh().agree(bad, "masks")


def test_every_bit_of_the_secret_counts() -> None:
    secret = bytes(32)
    keys = {derived(secret, "masks")}
    for bit in range(256):
        keys.add(derived((1 << bit).to_bytes(32, "big"), "masks"))
    assert len(keys) == 257 and {len(key) for key in keys} == {16}


def test_control_a_key_folded_to_32_bits_loses_bits_of_the_secret() -> None:
    def folded(secret: bytes) -> int:
        seed = 0
        for at in range(0, 32, 4):
            seed ^= int.from_bytes(secret[at : at + 4], "big")
        return seed

    assert len({folded((1 << bit).to_bytes(32, "big")) for bit in range(256)}) == 32


def test_what_is_sealed_opens_with_its_key_and_label_and_unchanged() -> None:
    key, other = KeyPair.fresh().private[:16], KeyPair.fresh().private[:16]
    sealed = seal(key, b"a share", b"from a to b")
    assert unseal(key, sealed, b"from a to b") == b"a share" and b"a share" not in sealed
    assert seal(key, b"a share", b"from a to b") != sealed
    changed = sealed[:-1] + bytes([sealed[-1] ^ 1])
    for wrong in ((other, sealed, b"from a to b"), (key, sealed, b"from b to a"), (key, changed, b"from a to b")):
        with pytest.raises(AggregationError, match="does not open"):
            unseal(*wrong)
    for short in (b"", sealed[:5], sealed[:20]):
        with pytest.raises(AggregationError, match="does not open"):
            unseal(key, short, b"from a to b")
