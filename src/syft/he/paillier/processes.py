"""Encrypting with several processes, which draw their own random numbers."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, nullcontext
from typing import Any

from syft.core.optional import require
from syft.exceptions import UsageError
from syft.he.paillier.keys import PaillierPrivateKey, PaillierPublicKey
from syft.he.paillier.noise import noise_for

_CHUNK = 1024
MOST_PROCESSES = 256
SHOWN_FROM = 4096
"""Of so many ciphertexts on, ``progress=None`` shows a bar in a terminal."""


def hidden(
    integers: Sequence[int],
    key: PaillierPublicKey | PaillierPrivateKey,
    processes: int = 1,
    progress: bool = False,
    console: Any = None,
) -> list[Any]:
    """Ciphertexts of integers.

    Args:
        integers: any.
        key: the public key, or the private one, which does not leave this process.
        processes: how many to use. More than one are started anew (spawned), so that they share no random numbers with
            this one; that takes seconds, and a program that does it needs ``if __name__ == "__main__"``.
        progress: show a bar.
        console: rich's, where it is shown; the terminal when None.

    Returns:
        As many numbers modulo n squared, all of them random.

    Raises:
        UsageError: there is no such count of processes, or a private key would have to be shared with them.
    """
    if type(processes) is not int or not 1 <= processes <= MOST_PROCESSES:
        raise UsageError(f"{processes!r} processes cannot encrypt; take 1 to {MOST_PROCESSES}")
    if processes > 1 and isinstance(key, PaillierPrivateKey):
        raise UsageError(
            "a private key is not given to other processes; encrypt with the public one, or in this process"
        )
    out: list[Any] = []
    with _bar(len(integers), console) if progress else nullcontext(_no_bar) as advance:
        for part in _parts(integers, key, processes):
            out += part
            advance(len(part))
    return out


def _no_bar(count: int) -> None:
    pass


@contextmanager
def _bar(total: int, console: Any) -> Iterator[Callable[[int], None]]:
    """A bar; what it is given moves it on."""
    # Here, as it takes long to import, and few look at bars.
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("encrypting"), BarColumn(bar_width=28), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda count: bar.advance(task, count)


def _parts(integers: Sequence[int], key: Any, processes: int) -> Iterator[list[Any]]:
    chunks = [integers[at : at + _CHUNK] for at in range(0, len(integers), _CHUNK)]
    if processes == 1 or len(chunks) < 2:
        yield from (_encrypted(chunk, key) for chunk in chunks)
        return
    mpz = require("gmpy2", "he").mpz
    with ProcessPoolExecutor(min(processes, len(chunks)), multiprocessing.get_context("spawn")) as pool:
        for part in pool.map(_encrypted_there, chunks, [(key.n, key.h)] * len(chunks)):
            yield [mpz(value) for value in part]


def _encrypted(integers: Sequence[int], key: PaillierPublicKey | PaillierPrivateKey) -> list[Any]:
    public = key.public_key if isinstance(key, PaillierPrivateKey) else key
    n, modulus = public.n, public.nsquare
    noise = noise_for(key).draw(len(integers))
    return [(1 + n * integer) * r % modulus for integer, r in zip(integers, noise, strict=True)]


def _encrypted_there(integers: Sequence[int], key: tuple[int, int | None]) -> list[int]:
    return [int(value) for value in _encrypted(integers, PaillierPublicKey(*key))]
