"""Keys that two clients share: X25519 (RFC 7748), then HKDF-SHA256 (RFC 5869), and AES-GCM under such keys.

No key is ever shorter than its purpose needs: 32 bytes for X25519, whose strength is about 128 bits, and 16 bytes out
of HKDF, all of which key AES.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from syft.core.random import KEY_BYTES
from syft.exceptions import AggregationError

PUBLIC_BYTES = PRIVATE_BYTES = 32
_NONCE_BYTES = 12


@dataclass(frozen=True, slots=True, repr=False)
class KeyPair:
    """An X25519 key pair.

    Args:
        private: 32 bytes; nobody else's.
        public: 32 bytes.
    """

    private: bytes
    public: bytes

    @classmethod
    def fresh(cls) -> KeyPair:
        """A new pair, drawn from the operating system's generator."""
        return cls.of(os.urandom(PRIVATE_BYTES))

    @classmethod
    def of(cls, private: bytes) -> KeyPair:
        """The pair of a private key of 32 bytes."""
        return cls(private, X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw())

    def agree(self, other: bytes, purpose: str) -> bytes:
        """The key that this pair and another one have in common; both sides compute the same.

        Args:
            other: the other's public key, 32 bytes.
            purpose: keys of different purposes have nothing in common.

        Returns:
            16 bytes, bound to both public keys.

        Raises:
            AggregationError: that is no public key, or one of those with which every key would be the same.

        Example:
            >>> here, there = KeyPair.fresh(), KeyPair.fresh()
            >>> here.agree(there.public, "masks") == there.agree(here.public, "masks")
            True
            >>> here.agree(there.public, "masks") == here.agree(there.public, "shares")
            False
        """
        try:
            secret = X25519PrivateKey.from_private_bytes(self.private).exchange(
                X25519PublicKey.from_public_bytes(other)
            )
        except ValueError:
            raise AggregationError(
                f"the {len(other)} bytes {other[:4].hex()}… are no X25519 public key that a key can be agreed with"
            ) from None
        first, second = sorted((self.public, other))
        return derived(secret, purpose, first + second)


def derived(secret: bytes, purpose: str, context: bytes = b"") -> bytes:
    """A key out of a secret: HKDF-SHA256.

    Args:
        secret: bytes that only those know who may know the key.
        purpose: what the key is for.
        context: what else it is bound to.

    Returns:
        16 bytes.
    """
    info = f"syft secure aggregation 1: {purpose}\0".encode() + context
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=info).derive(secret)


def seal(key: bytes, text: bytes, label: bytes) -> bytes:
    """Encrypt and authenticate: AES-GCM with a fresh nonce.

    Args:
        key: 16 bytes.
        text: what to hide.
        label: what it is bound to: it opens under the same label only.

    Returns:
        The nonce and what AES-GCM gives; 28 bytes longer than ``text``.
    """
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, text, label)


def unseal(key: bytes, sealed: bytes, label: bytes) -> bytes:
    """Decrypt what `seal` gave.

    Args:
        key: that of `seal`.
        sealed: what `seal` gave.
        label: that of `seal`.

    Returns:
        The text.

    Raises:
        AggregationError: key or label are others, or the bytes were changed.
    """
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], label)
    except (InvalidTag, ValueError):
        raise AggregationError("a sealed share does not open: it is for somebody else, or was changed") from None
