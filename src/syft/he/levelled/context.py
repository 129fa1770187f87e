"""Contexts of CKKS and BFV: the parameters and keys under which numbers are encrypted and computed on.

Whoever makes a context has its secret key and can decrypt. Everybody else gets the public part: it encrypts and
computes, and cannot decrypt. Only the public part has a wire form.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, lru_cache
from hashlib import blake2b
from typing import Any, NoReturn
from weakref import WeakValueDictionary

from syft.core.ids import new_id
from syft.core.messages import Put
from syft.core.optional import require
from syft.core.session import SESSION
from syft.exceptions import DecodeError, EncryptionParametersError, UnserializableError, UsageError
from syft.he.levelled import protobuf
from syft.he.levelled.bfv import BfvArithmetic
from syft.he.levelled.ckks import CkksArithmetic
from syft.he.levelled.parameters import Parameters, bfv_parameters, check_security, ckks_parameters
from syft.serde.codec import decode, encode
from syft.tensors.object_pointer import ObjectPointer

_KNOWN: WeakValueDictionary[str, Context] = WeakValueDictionary()
"""The public contexts of this process, by their ids: what arrives names its context, and does not bring it along."""


class Context:
    """Parameters and keys; `ckks_context` and `bfv_context` make one.

    Args:
        parameters: sizes and numbers.
        keys: the public keys as SEAL writes them: to encrypt, to multiply, and, or empty, to rotate.
        secret: TenSEAL's context with the secret key, at whoever made it; else None.

    Attributes:
        parameters: see above.
        id: a fingerprint of parameters and public keys.
    """

    remote_kind = "object"
    tags: set[Any] | None = None
    description: str | None = None

    def __init__(self, parameters: Parameters, keys: tuple[bytes, bytes, bytes], secret: Any = None) -> None:
        self.parameters, self.keys = parameters, keys
        self._secret = secret
        digest = blake2b(repr(parameters).encode(), digest_size=16)
        for key in keys:
            digest.update(key)
        self.id = digest.hexdigest()

    @property
    def scheme(self) -> str:
        """``"ckks"`` or ``"bfv"``."""
        return self.parameters.scheme

    @property
    def slots(self) -> int:
        """How many samples are encrypted together at most."""
        return self.parameters.slots

    @property
    def depth(self) -> int:
        """How many products may follow each other."""
        return self.parameters.depth

    @property
    def has_secret_key(self) -> bool:
        """Whether this context decrypts."""
        return self._secret is not None

    @cached_property
    def _public(self) -> Context:
        return known(type(self)(self.parameters, self.keys))

    def public(self) -> Context:
        """The part without the secret key: it encrypts and computes."""
        return self._public if self.has_secret_key else self

    @cached_property
    def _native(self) -> Any:
        return load_native(self.parameters, self.keys)

    @cached_property
    def arithmetic(self) -> CkksArithmetic | BfvArithmetic:
        """What computes on ciphertexts; it never sees the secret key."""
        if self.has_secret_key:
            return self.public().arithmetic
        made = CkksArithmetic if self.scheme == "ckks" else BfvArithmetic
        return made(self._native, self.parameters)

    def decrypted(self, vector: Any) -> list[float]:
        """The numbers in a ciphertext, with their noise.

        Raises:
            UsageError: this context is only the public part.
        """
        if self._secret is None:
            raise UsageError(
                "this context is the public part, without the secret key: it cannot decrypt. Whoever made it can: "
                "x.decrypt(context=context)"
            )
        numbers: list[float] = vector.decrypt(self._secret.data.secret_key())
        return numbers

    def noise_budget(self, vector: Any) -> int:
        """How many bits of noise a BFV ciphertext can still take; at 0 its numbers are lost."""
        cpp = require("tenseal", "he")._ts_cpp
        judge = cpp.Decryptor(self._secret.data.seal_context(), self._secret.data.secret_key())
        return int(judge.invariant_noise_budget(vector.ciphertext()[0]))

    def send(self, *workers: Any) -> ObjectPointer:
        """Give workers the public part. They need it before the first encrypted tensor of this context arrives.

        Args:
            *workers: workers or their ids.

        Returns:
            A pointer to what the last of them has now. Each keeps it as long as its client is there.
        """
        if not workers:
            raise UsageError("send() needs a worker to send to, for example context.send(bob)")
        for worker in map(SESSION.worker, workers):
            id = new_id()
            worker.request(Put(((id, self.public()),), lasting=True))
            pointer = ObjectPointer(worker, id, garbage_collect_data=False)
        return pointer

    def to_bytes(self, *, include_secret: bool = False) -> bytes:
        """What `context_from_bytes` makes the context of again.

        Args:
            include_secret: write the secret key, too. Whoever has the bytes then reads all that is encrypted: keep
                them as you keep passwords.

        Raises:
            UsageError: this context has no secret key.
        """
        if not include_secret:
            return encode([self.public(), b""])
        if self._secret is None:
            raise UsageError("this context is the public part, and has no secret key to write")
        (private,) = protobuf.fields(self._secret.serialize(save_secret_key=True))[3]
        (secret,) = protobuf.fields(private)[1]
        return encode([self.public(), secret])

    def __repr__(self) -> str:
        p = self.parameters
        exact = f"precision {p.precision} bits" if p.scheme == "ckks" else f"integers modulo {p.plain_modulus}"
        who = "with the secret key" if self.has_secret_key else "public"
        return f"<Context {p.scheme}, {who}: degree {p.degree}, {p.slots} slots, depth {p.depth}, {exact}>"

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise UnserializableError(
            "a context of homomorphic encryption is not pickled or copied; syft.serde.serialize(context) writes its "
            "public part"
        )


class CKKSContext(Context):
    """For real numbers."""


class BFVContext(Context):
    """For integers."""


def context_of(parameters: Parameters, keys: tuple[bytes, bytes, bytes], secret: Any = None) -> Context:
    """A context of the kind that the parameters say."""
    return (CKKSContext if parameters.scheme == "ckks" else BFVContext)(parameters, keys, secret)


def known(context: Context) -> Context:
    """The public context of that id that this process has already, or else this one."""
    return _KNOWN.setdefault(context.id, context)


def is_known(context: Context) -> bool:
    """Whether this process has a public context of that id."""
    return context.id in _KNOWN


def context_named(id: str) -> Context:
    """The public context of an id.

    Raises:
        ValueError: this process does not have it.
    """
    found = _KNOWN.get(id)
    if found is None:
        raise ValueError(
            f"the context {id} of an encrypted tensor is not known here; whoever encrypts sends it once, before: "
            "context.send(worker)"
        )
    return found


def context_from_bytes(data: bytes) -> Context:
    """A context of what `Context.to_bytes` wrote, with the secret key if that was written.

    Args:
        data: from a place that nobody else writes to.

    Raises:
        DecodeError: it is no context.

    Example:
        >>> import syft as sy
        >>> context = ckks_context(depth=1)
        >>> again = context_from_bytes(context.to_bytes(include_secret=True))
        >>> again.has_secret_key, again.id == context.id
        (True, True)
    """
    parts = decode(data)
    if not (isinstance(parts, list) and len(parts) == 2 and isinstance(parts[0], Context) and type(parts[1]) is bytes):
        raise DecodeError("these bytes are no context; Context.to_bytes writes one")
    public, secret = parts
    if not secret:
        return public
    try:
        native = load_native(public.parameters, public.keys, secret)
    except ValueError as error:
        raise DecodeError(str(error)) from None
    return context_of(public.parameters, public.keys, native)


def ckks_context(
    precision: int = 20,
    depth: int = 2,
    *,
    slots: int | None = None,
    largest: float = 1000,
    rotations: bool = False,
    degree: int | None = None,
    prime_bits: Sequence[int] | None = None,
    scale_bits: int | None = None,
) -> Context:
    """Make keys for computing on encrypted real numbers.

    Parameters are the smallest that have 128 bits of security and room for what is asked for. ``degree``,
    ``prime_bits`` and ``scale_bits`` set them by hand instead, as for TenSEAL.

    Args:
        precision: how many bits after the binary point are to be right; 20 are six decimals. Numbers are rounded to
            them when decrypted.
        depth: how many products may follow each other. A linear layer, a square, a convolution and a product with a
            public tensor take one each; sums, means and products with one number take none. `levels_needed` counts.
        slots: how many samples are to be encrypted together, at least.
        largest: absolute value of results and of what is on the way to them.
        rotations: make keys for sums over samples, too; they are tens of megabytes.
        degree: of the polynomials, such as 8192.
        prime_bits: such as ``[60, 40, 40, 60]``.
        scale_bits: such as 40.

    Raises:
        EncryptionParametersError: no parameters are that precise, deep and safe, or those set by hand are unsafe.
        DependencyError: TenSEAL is not installed.

    Example:
        >>> import syft as sy, torch
        >>> hook = sy.TorchHook(torch)
        >>> context = sy.he.ckks_context(precision=20, depth=1)
        >>> context
        <Context ckks, with the secret key: degree 8192, 4096 slots, depth 1, precision 20 bits>
        >>> x = torch.tensor([[0.5, 2.0]]).encrypt(protocol="ckks", context=context)
        >>> (x * x - 1).decrypt()
        tensor([[-0.7500,  3.0000]])
    """
    if degree is None and prime_bits is None and scale_bits is None:
        parameters = ckks_parameters(precision, depth, slots, largest, rotations)
    elif degree is None or prime_bits is None or scale_bits is None:
        raise EncryptionParametersError("set all three by hand, or none: degree=, prime_bits= and scale_bits=")
    else:
        check_security(degree, prime_bits)
        if not 10 < scale_bits <= min(prime_bits):
            raise EncryptionParametersError(
                f"a scale of {scale_bits} bits does not fit primes of {list(prime_bits)} bits: those in the middle "
                "have the size of the scale, the first and the last are larger"
            )
        useful = max(1, min(precision, scale_bits - 18))
        parameters = Parameters(
            "ckks", degree, tuple(prime_bits), len(prime_bits) - 2, scale_bits, useful, rotations=rotations
        )
    return _fresh(parameters)


def bfv_context(
    largest: int = 100_000, depth: int = 1, *, slots: int | None = None, rotations: bool = False
) -> Context:
    """Make keys for computing on encrypted integers.

    Results are exact modulo a prime, and right as long as no result, and nothing on the way to it, is larger than
    ``largest``: larger ones wrap around, as int64 does.

    Args:
        largest: absolute value.
        depth: how many products may follow each other.
        slots: how many samples are to be encrypted together, at least.
        rotations: make keys for sums over samples, too.

    Raises:
        EncryptionParametersError: no safe parameters hold that.
        DependencyError: TenSEAL is not installed.

    Example:
        >>> import syft as sy, torch
        >>> hook = sy.TorchHook(torch)
        >>> context = sy.he.bfv_context(largest=1000)
        >>> x = torch.tensor([3, -20]).encrypt(protocol="bfv", context=context)
        >>> (x * x + 1).decrypt()
        tensor([ 10, 401])
    """
    return _fresh(bfv_parameters(largest, depth, slots, rotations))


def _fresh(parameters: Parameters) -> Context:
    check_security(parameters.degree, parameters.prime_bits)
    tenseal = require("tenseal", "he")
    scheme = tenseal.SCHEME_TYPE.CKKS if parameters.scheme == "ckks" else tenseal.SCHEME_TYPE.BFV
    try:
        native = tenseal.Context(
            scheme, parameters.degree, parameters.plain_modulus, list(parameters.prime_bits), n_threads=1
        )
        if parameters.scheme == "ckks":
            native.global_scale = 2.0**parameters.scale_bits
        if parameters.rotations:
            native.generate_galois_keys()
    except (RuntimeError, ValueError) as error:
        raise EncryptionParametersError(
            f"SEAL refuses these parameters ({error}): {parameters}. Leave the choice to ckks_context(precision=..., "
            "depth=...) or bfv_context(largest=..., depth=...)"
        ) from None
    (keys,) = protobuf.fields(native.serialize(save_secret_key=False))[2]
    found = protobuf.fields(keys)
    public, multiply, rotate = (found.get(number, [b""])[0] for number in (1, 4, 5))
    return context_of(parameters, (public, multiply, rotate), native)


_AUTOMATIC = 7  # TenSEAL's flags: relinearise, rescale and switch moduli without being told to


@lru_cache(maxsize=16)
def _seal_parameters(parameters: Parameters) -> bytes:
    """The parameters as SEAL writes them."""
    tenseal = require("tenseal", "he")
    scheme = tenseal.SCHEME_TYPE.CKKS if parameters.scheme == "ckks" else tenseal.SCHEME_TYPE.BFV
    blank = tenseal.Context(
        scheme, parameters.degree, parameters.plain_modulus, list(parameters.prime_bits), n_threads=1
    )
    (written,) = protobuf.fields(blank.serialize(False, False, False, False))[1]
    return written


def load_native(parameters: Parameters, keys: tuple[bytes, bytes, bytes], secret: bytes = b"") -> Any:
    """TenSEAL's context over keys.

    Args:
        parameters: of it.
        keys: see `Context`.
        secret: the secret key as SEAL writes it; empty for none. With it, TenSEAL does not read those to multiply.

    Raises:
        ValueError: SEAL does not take them for keys of these parameters.
    """
    tenseal = require("tenseal", "he")
    public, multiply, rotate = keys
    scale = 2.0**parameters.scale_bits if parameters.scheme == "ckks" else -1.0
    inner = protobuf.message(1, public) + protobuf.integer(2, _AUTOMATIC) + protobuf.double(3, scale)
    inner += protobuf.message(4, multiply) + (protobuf.message(5, rotate) if rotate else b"")
    whole = protobuf.message(1, _seal_parameters(parameters)) + protobuf.message(2, inner)
    if secret:
        whole += protobuf.message(3, protobuf.message(1, secret))
    try:
        return tenseal.context_from(whole, n_threads=1)
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"SEAL does not accept the keys of a context: {error}") from None
