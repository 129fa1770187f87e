"""Paillier's cryptosystem: sums of encrypted numbers, and products with plain ones.

From the bottom up:

* `keys`, `noise`, `plaintexts`, `ciphertexts`, `decryption`: numbers and lists of them;
* `tensor`, `rules`, `structure`: tensors of ciphertexts, and what torch's ops do to them;
* `packed`: many numbers in one ciphertext, for sums;
* `processes`, `travel`, `interchange`: encrypting on several cores, sending, and other libraries' ciphertexts;
* `verbs`: ``x.encrypt(public_key)`` and ``x.decrypt(private_key)``.
"""

from syft.he.paillier.interchange import from_ciphertexts, to_ciphertexts
from syft.he.paillier.keys import PaillierPrivateKey, PaillierPublicKey, keygen
from syft.he.paillier.packed import PackedPaillierTensor
from syft.he.paillier.tensor import PaillierTensor

__all__ = [
    "PackedPaillierTensor",
    "PaillierPrivateKey",
    "PaillierPublicKey",
    "PaillierTensor",
    "from_ciphertexts",
    "keygen",
    "to_ciphertexts",
]
