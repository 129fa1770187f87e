"""What stands at the import paths of 0.2.9's ``syft.frameworks.torch.he.fv``: an error that says what took its place.

That was an implementation of BFV in Python, for single integers, with noise from a generator that can be predicted and
with parameters that nobody checked. Rebuilding it would offer an unsafe twin of what `syft.he.bfv_context` does safely.
"""

from __future__ import annotations

from typing import NoReturn

from syft.exceptions import NotSupportedError

NAMES = frozenset(
    {"CipherText", "CoeffModulus", "Context", "Decryptor", "EncryptionParams", "Encryptor", "Evaluator",
     "IntegerEncoder", "KeyGenerator", "PlainText", "PublicKey", "RelinKeys", "SecretKey", "SeqLevelType"}
)  # fmt: skip
"""What could be imported from there."""


def __getattr__(name: str) -> NoReturn:
    if name not in NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    raise NotSupportedError(
        f"syft.frameworks.torch.he.fv.{name} is not rebuilt: its BFV was a slow toy with guessable noise and unchecked "
        "parameters. Encrypt integers with x.encrypt(protocol='bfv', context=sy.he.bfv_context(largest=...))"
    )
