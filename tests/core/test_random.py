"""Randomness for secrets is uniform, never repeats itself across processes and threads, and no seed reaches it."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from torch.utils.data import DataLoader, Dataset

from syft.core import random as syft_random
from syft.core.random import SYSTEM_RANDOM, SystemRandom, Tape
from tests.statistics.uniformity import assert_uniform, assert_uniform_residues, duplicates

LENGTHS = [0, 1, 15, 16, 17, 65_536, 65_537, 200_000]
NUMBERS = [0, 1, 2, 255, 256, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1]
KEY = bytes(range(16))


def aes_ctr(key: bytes, counter: int, nbytes: int) -> bytes:
    """SP 800-38A, 6.5, by the book: the counters, one by one, through the bare block cipher."""
    blocks = b"".join(((counter + n) % (1 << 128)).to_bytes(16, "big") for n in range(-(-nbytes // 16)))
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    return (encryptor.update(blocks) + encryptor.finalize())[:nbytes]


def blocks(data: np.ndarray) -> list[bytes]:
    whole = data.tobytes()
    return [whole[at : at + 16] for at in range(0, len(whole) - 15, 16)]


# --- fresh values --------------------------------------------------------------------------------------


@pytest.mark.statistical
def test_integers_are_uniform_over_all_of_int64() -> None:
    drawn = SYSTEM_RANDOM.integers((1024, 1024))
    assert drawn.shape == (1024, 1024)
    assert drawn.dtype == torch.int64
    assert_uniform(drawn)


@pytest.mark.statistical
def test_bytes_are_uniform() -> None:
    drawn = SYSTEM_RANDOM.bytes(1 << 20)
    assert drawn.dtype == np.uint8
    assert_uniform_residues(torch.from_numpy(drawn).long(), 256)


@pytest.mark.statistical
def test_many_small_draws_are_uniform_together() -> None:
    sizes = [1, 3, 16, 5, 100, 8, 31]
    drawn = np.concatenate([SYSTEM_RANDOM.bytes(sizes[n % 7]) for n in range(20_000)])
    assert_uniform_residues(torch.from_numpy(drawn).long(), 256)
    assert_uniform(torch.from_numpy(drawn[: len(drawn) // 8 * 8].view(np.int64)))


@pytest.mark.parametrize("nbytes", LENGTHS)
def test_any_number_of_bytes(nbytes: int) -> None:
    drawn = SYSTEM_RANDOM.bytes(nbytes)
    assert drawn.shape == (nbytes,)
    # Each piece of the output was written: 16 zeros in a row come once in 2^128.
    assert bytes(16) not in blocks(drawn)
    assert len({*blocks(drawn)}) == len(blocks(drawn))


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (1,), (2, 3, 4), torch.Size([5]), [7]])
def test_integers_come_in_any_shape_and_are_ones_own(shape: tuple[int, ...]) -> None:
    one, other = SYSTEM_RANDOM.integers(shape), SYSTEM_RANDOM.integers(shape)
    assert one.shape == torch.Size(shape)
    assert one.numel() == 0 or not torch.equal(one, other)
    kept = other.clone()
    one.zero_()
    SYSTEM_RANDOM.integers(shape)
    assert torch.equal(other, kept)


def test_keys_are_fresh() -> None:
    keys = {SYSTEM_RANDOM.key() for _ in range(100)}
    assert len(keys) == 100
    assert {len(key) for key in keys} == {16}


def seed_everything() -> None:
    torch.manual_seed(7)
    np.random.seed(7)
    random.seed(7)


@pytest.fixture
def seeds_restored() -> Iterator[None]:
    before = torch.get_rng_state(), np.random.get_state(), random.getstate()
    yield
    torch.set_rng_state(before[0])
    np.random.set_state(before[1])
    random.setstate(before[2])


@pytest.mark.usefixtures("seeds_restored")
def test_no_seed_matters() -> None:
    def after_seeding(draw: Callable[[], bytes]) -> set[bytes]:
        drawn = set()
        for _ in range(2):
            seed_everything()
            drawn.add(draw())
        return drawn

    assert len(after_seeding(lambda: SystemRandom().bytes(32).tobytes())) == 2
    assert len(after_seeding(lambda: SYSTEM_RANDOM.integers((4,)).numpy().tobytes())) == 2
    assert len(after_seeding(SYSTEM_RANDOM.key)) == 2
    # The control: the generators of others do repeat themselves.
    assert len(after_seeding(lambda: torch.randint(1 << 62, (4,)).numpy().tobytes())) == 1
    assert len(after_seeding(lambda: np.random.bytes(32))) == 1
    assert len(after_seeding(lambda: random.randbytes(32))) == 1


@pytest.mark.usefixtures("seeds_restored")
def test_drawing_moves_no_generator_of_others() -> None:
    seed_everything()
    untouched = torch.rand(1), np.random.rand(), random.random()
    seed_everything()
    SYSTEM_RANDOM.integers((100,))
    assert (torch.rand(1), np.random.rand(), random.random()) == untouched


# --- the stream itself -----------------------------------------------------------------------------------


def known(monkeypatch: pytest.MonkeyPatch, *answers: bytes) -> SystemRandom:
    """A source whose operating system gives these answers and no more."""
    waiting = list(answers)

    def urandom(nbytes: int) -> bytes:
        answer = waiting.pop(0)
        assert len(answer) == nbytes
        return answer

    monkeypatch.setattr(os, "urandom", urandom)
    return SystemRandom()


def test_the_stream_is_that_of_the_standard(monkeypatch: pytest.MonkeyPatch) -> None:
    # SP 800-38A, F.5.1: key, first counter, and the four output blocks.
    source = known(
        monkeypatch,
        bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c"),
        bytes.fromhex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"),
    )
    drawn = b"".join(source.bytes(nbytes).tobytes() for nbytes in (16, 1, 0, 15, 20, 12))
    assert drawn == bytes.fromhex(
        "ec8cdf7398607cb0f2d21675ea9ea1e4362b7c3c6773516318a077d7fc5073ae"
        "6a2cc3787889374fbeb4c81b17ba6c44e89c399ff0f198c6d40a31db156cabfe"
    )


def test_the_counter_runs_over_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    source = known(monkeypatch, KEY, b"\xff" * 16)
    assert source.bytes(100_000).tobytes() == aes_ctr(KEY, (1 << 128) - 1, 100_000)


def test_a_stream_gets_a_new_key_before_the_old_one_wears_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syft_random, "_REKEY_AFTER", 64)
    keys = [bytes([n]) * 16 for n in range(6)]
    source = known(monkeypatch, *keys)
    drawn = [source.bytes(nbytes).tobytes() for nbytes in (60, 4, 1, 200)]
    first, second = (
        aes_ctr(keys[0], int.from_bytes(keys[1], "big"), 64),
        aes_ctr(keys[2], int.from_bytes(keys[3], "big"), 1),
    )
    assert drawn[:3] == [first[:60], first[60:], second]
    assert drawn[3] == aes_ctr(keys[4], int.from_bytes(keys[5], "big"), 200)


def test_each_thread_has_a_stream_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [bytes([n]) * 16 for n in range(4)]
    source = known(monkeypatch, *keys)
    expected = [aes_ctr(keys[n], int.from_bytes(keys[n + 1], "big"), 32) for n in (0, 2)]
    with ThreadPoolExecutor(1) as pool:
        for at in (0, 16):
            assert source.bytes(16).tobytes() == expected[0][at : at + 16]
            assert pool.submit(source.bytes, 16).result().tobytes() == expected[1][at : at + 16]


# --- processes and threads -------------------------------------------------------------------------------


@pytest.fixture
def forkable() -> Iterator[None]:
    # Newer Pythons warn that a child of a process with threads may wait for their locks; ours takes none.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*multi-threaded.*fork", DeprecationWarning)
        yield


def in_child(draw: Callable[[], bytes]) -> bytes:
    """What a forked child draws."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        # Nothing of pytest's may run in the child, whatever happens.
        try:
            os.close(reader)
            os.write(writer, draw())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        received = pipe.read()
    assert os.waitpid(child, 0) == (child, 0)
    return received


def from_everywhere(source: SystemRandom) -> list[bytes]:
    """16 bytes each of two children, a grandchild, and the process before and after."""

    def draw() -> bytes:
        return source.bytes(16).tobytes()

    before = draw()
    children = [in_child(draw), in_child(lambda: draw() + in_child(draw))]
    everything = before + b"".join(children) + draw()
    return [everything[at : at + 16] for at in range(0, len(everything), 16)]


@pytest.mark.usefixtures("forkable")
@pytest.mark.parametrize("source", [SYSTEM_RANDOM, SystemRandom()], ids=["the process's", "another"])
def test_a_forked_child_draws_something_else(source: SystemRandom) -> None:
    drawn = from_everywhere(source)
    assert len(drawn) == 5
    assert len({*drawn}) == 5


@pytest.mark.usefixtures("forkable")
def test_a_child_forked_by_a_thread_draws_something_else() -> None:
    with ThreadPoolExecutor(1) as pool:
        drawn = pool.submit(from_everywhere, SYSTEM_RANDOM).result()
    assert len({*drawn}) == 5


@pytest.mark.usefixtures("forkable")
def test_a_child_takes_one_new_key_and_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [bytes([n]) * 16 for n in range(4)]
    source = known(monkeypatch, *keys)
    source.bytes(5)
    drawn = in_child(lambda: source.bytes(20).tobytes() + source.bytes(20).tobytes())
    assert drawn == aes_ctr(keys[2], int.from_bytes(keys[3], "big"), 40)


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> SystemRandom:
    """A source that isn't told of forks."""
    with monkeypatch.context() as patch:
        patch.setattr(os, "register_at_fork", lambda **hooks: None)
        return SystemRandom()


@pytest.mark.usefixtures("forkable")
def test_control_without_its_hook_a_child_repeats_its_parent(forgetful: SystemRandom) -> None:
    _, child, second_child, grandchild, parent = from_everywhere(forgetful)
    assert child == second_child == parent
    assert grandchild != child


def test_two_threads_draw_different_streams() -> None:
    start = threading.Barrier(2)

    def draw() -> torch.Tensor:
        start.wait()
        return torch.cat([SYSTEM_RANDOM.integers((n % 50,)) for n in range(2000)])

    with ThreadPoolExecutor(2) as pool:
        one, other = (future.result() for future in [pool.submit(draw), pool.submit(draw)])
    assert duplicates(torch.cat([one, other, SYSTEM_RANDOM.integers((1000,))])) == 0


def test_a_signal_in_the_middle_of_a_draw_repeats_nothing() -> None:
    inside: list[torch.Tensor] = []
    before = signal.signal(signal.SIGALRM, lambda *_: inside.append(SYSTEM_RANDOM.integers((100,))))
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    try:
        outside = [SYSTEM_RANDOM.integers((100_000,)) for _ in range(20)]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert len(inside) > 0
    assert duplicates(torch.cat(inside + outside)) == 0


class Drawn(Dataset[torch.Tensor]):
    """A data set whose items are fresh values, as a model that masks its inputs would make."""

    def __init__(self, source: SystemRandom) -> None:
        self.source = source

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> torch.Tensor:
        return self.source.integers((2,))


def from_loader(source: SystemRandom) -> torch.Tensor:
    here = source.integers((8, 2))
    loader = DataLoader(
        Drawn(source), batch_size=2, num_workers=2, multiprocessing_context=multiprocessing.get_context("fork")
    )
    return torch.cat([here, *loader, *loader, source.integers((8, 2))])


@pytest.mark.usefixtures("forkable")
def test_workers_of_a_data_loader_draw_different_values() -> None:
    drawn = from_loader(SYSTEM_RANDOM)
    assert drawn.shape == (32, 2)
    assert duplicates(drawn) == 0


@pytest.mark.usefixtures("forkable")
def test_control_without_the_hook_workers_of_a_data_loader_repeat_each_other(forgetful: SystemRandom) -> None:
    # Both workers of both rounds, and the process afterwards, draw the same eight values; the process draws eight more.
    assert from_loader(forgetful).unique().numel() == 16 + 16


# --- tapes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("nbytes", LENGTHS)
def test_a_strip_is_the_keystream_from_its_number(number: int, nbytes: int) -> None:
    strip = Tape(KEY).strip(number, nbytes)
    assert strip.shape == (nbytes,)
    assert strip.dtype == np.uint8
    assert strip.tobytes() == aes_ctr(KEY, number << 64, nbytes)


def test_the_strip_of_the_zero_key_is_known() -> None:
    # FIPS 197's cipher of the zero block under the zero key.
    assert Tape(bytes(16)).strip(0, 16).tobytes().hex() == "66e94bd4ef8a2c3b884cfa59ca342b2e"


def test_equal_keys_make_equal_tapes_and_reading_leaves_no_trace() -> None:
    here, there = Tape(KEY), Tape(KEY)
    here.strip(3, 1000)
    here.strip(4, 5)
    assert here.strip(3, 70_000).tobytes() == there.strip(3, 70_000).tobytes()
    assert here.strip(3, 10).tobytes() == there.strip(3, 70_000).tobytes()[:10]


def test_strips_have_nothing_in_common() -> None:
    numbers = [*range(150), *NUMBERS[4:], *(1 << bit for bit in range(9, 62, 4))]
    tapes = Tape(KEY), Tape(bytes([1]) + KEY[1:]), Tape(SYSTEM_RANDOM.key())
    seen = [block for tape in tapes for number in {*numbers} for block in blocks(tape.strip(number, 4096))]
    assert len(seen) > 120_000
    assert len({*seen}) == len(seen)


@pytest.mark.statistical
def test_strips_are_uniform_along_and_across() -> None:
    tape = Tape(SYSTEM_RANDOM.key())
    assert_uniform(torch.from_numpy(tape.strip(1, 1 << 20).view(np.int64)))
    assert_uniform(torch.from_numpy(np.concatenate([tape.strip(number, 8) for number in range(60_000)]).view(np.int64)))


@pytest.mark.parametrize("number", [-1, 1 << 64])
def test_a_number_beyond_the_tape_is_refused(number: int) -> None:
    with pytest.raises(OverflowError):
        Tape(KEY).strip(number, 16)


@pytest.mark.parametrize("start", [0, 16, 4096, 65_536 * 16])
def test_a_strip_can_be_read_from_any_block(start: int) -> None:
    whole = Tape(KEY).strip(5, start + 100)
    assert Tape(KEY).strip(5, 100, start).tobytes() == whole[start:].tobytes()


@pytest.mark.parametrize("nbytes", LENGTHS)
def test_what_is_covered_is_uncovered_by_the_same_strip(nbytes: int) -> None:
    data = SYSTEM_RANDOM.bytes(nbytes)
    before = data.copy()
    covered = Tape(KEY).covered(data, 6, 32)
    assert (covered == before ^ Tape(KEY).strip(6, nbytes, 32)).all()
    assert (Tape(KEY).covered(covered, 6, 32) == before).all() and (data == before).all()


def test_threads_read_a_tape_at_once() -> None:
    """Each has a cipher of its own: a common one would be set back in the middle of a strip."""
    tape, length = Tape(KEY), 1 << 20
    right = [Tape(KEY).strip(number, length).tobytes() for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            strips = pool.map(lambda number: tape.strip(number, length), range(4))
            assert [strip.tobytes() for strip in strips] == right
