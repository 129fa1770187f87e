"""Reading idx files: every type and layout, and a clear word for every kind of damage."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import pytest
import torch

from syft.exceptions import FederatedError
from syft.federated.idx import load_mnist, read_idx

MNIST = Path(__file__).parents[2].parent / "shared" / "data" / "MNIST"
CODES = {0x08: "B", 0x09: "b", 0x0B: "h", 0x0C: "i", 0x0D: "f", 0x0E: "d"}


def idx_bytes(values: list[float], shape: tuple[int, ...], code: int = 0x08) -> bytes:
    head = bytes([0, 0, code, len(shape)]) + struct.pack(f">{len(shape)}I", *shape)
    return head + struct.pack(f">{len(values)}{CODES[code]}", *values)


def write_set(folder: Path, prefix: str, *, count: int = 3, dot: str = "-", zipped: bool = False) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        f"{prefix}-images{dot}idx3-ubyte": idx_bytes([i % 256 for i in range(count * 4)], (count, 2, 2)),
        f"{prefix}-labels{dot}idx1-ubyte": idx_bytes([i % 10 for i in range(count)], (count,)),
    }
    for name, data in content.items():
        path = folder / (name + (".gz" if zipped else ""))
        path.write_bytes(gzip.compress(data) if zipped else data)


@pytest.mark.parametrize(
    ("code", "dtype", "values"),
    [
        (0x08, torch.uint8, [0, 255, 7, 1, 2, 3]),
        (0x09, torch.int8, [-128, 127, 0, 1, 2, 3]),
        (0x0B, torch.int16, [-300, 300, 0, 1, 2, 3]),
        (0x0C, torch.int32, [-70000, 70000, 0, 1, 2, 3]),
        (0x0D, torch.float32, [-1.5, 0.25, 1e10, 1, 2, 3]),
        (0x0E, torch.float64, [-1.5, 0.1, 1e300, 1, 2, 3]),
    ],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_every_type(tmp_path: Path, code: int, dtype: torch.dtype, values: list[float], zipped: bool) -> None:
    data = idx_bytes(values, (3, 2), code)
    path = tmp_path / "file"  # the name says nothing of gzip
    path.write_bytes(gzip.compress(data) if zipped else data)
    assert torch.equal(read_idx(path), torch.tensor(values, dtype=torch.float64).to(dtype).reshape(3, 2))


def test_a_file_without_values(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.write_bytes(idx_bytes([], (0, 28, 28)))
    assert read_idx(path).shape == (0, 28, 28)


GOOD = idx_bytes([1, 2, 3, 4], (2, 2))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "ends too soon: 4 bytes expected, 0 found"),
        (b"\0\0\x08", "ends too soon"),
        (b"PK\x03\x04" + GOOD, "is not an idx file: it begins with the bytes 50 4b 03 04"),
        (b"\0\0\x0a\x01" + GOOD[4:], "is not an idx file"),
        (b"\0\0\x08\x00", "is not an idx file"),
        (GOOD[:6], "ends too soon: 8 bytes expected, 2 found"),
        (GOOD[:-1], "ends too soon: 4 bytes expected, 3 found"),
        (GOOD + b"\0", "goes on after the 4 bytes that its header announces"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "announces"),
        (gzip.compress(GOOD)[:-9], "cannot be read"),
        (gzip.compress(GOOD)[:15] + b"\0" * 10, "cannot be read"),
        (b"\x1f\x8b\x08\x00garbage", "cannot be read"),
    ],
)
def test_damage_is_named(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "damaged"
    path.write_bytes(data)
    with pytest.raises(FederatedError) as caught:
        read_idx(path)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(FederatedError, match="there is no file"):
        read_idx(tmp_path / "nothing")
    with pytest.raises(FederatedError, match="cannot be read"):
        read_idx(tmp_path)


@pytest.mark.parametrize("folder", ["", "raw", "MNIST/raw", "MNIST"])
@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("dot", ["-", "."])
def test_every_layout_of_mnist(tmp_path: Path, folder: str, zipped: bool, dot: str) -> None:
    write_set(tmp_path / folder, "train", count=5, dot=dot, zipped=zipped)
    write_set(tmp_path / folder, "t10k", count=2, dot=dot, zipped=zipped)
    images, labels = load_mnist(tmp_path)
    assert images.shape == (5, 2, 2)
    assert images.dtype == torch.uint8
    assert labels.tolist() == [0, 1, 2, 3, 4]
    assert labels.dtype == torch.int64
    assert len(load_mnist(tmp_path, train=False)[1]) == 2
    assert load_mnist(tmp_path, limit=2)[0].shape == (2, 2, 2)


def test_what_is_wrong_with_a_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(FederatedError, match="there is no folder"):
        load_mnist(tmp_path / "nothing")
    with pytest.raises(FederatedError, match=r"there is no train-images-idx3-ubyte \(or .gz\) in any of"):
        load_mnist(tmp_path)
    write_set(tmp_path, "train", count=3)
    with pytest.raises(FederatedError, match="limit is 0"):
        load_mnist(tmp_path, limit=0)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx_bytes([1, 2], (2,)))
    with pytest.raises(FederatedError, match="has 3 images, .* 2 labels"):
        load_mnist(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx_bytes([1, 2, 3], (3, 1)))
    with pytest.raises(FederatedError, match="holds uint8 with 2 dimensions; labels are uint8 with 1 dimension"):
        load_mnist(tmp_path)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx_bytes([1, 2, 3], (3, 1, 1), 0x0D))
    with pytest.raises(FederatedError, match="holds float32 with 3 dimensions; images are uint8"):
        load_mnist(tmp_path)


@pytest.mark.skipif(not MNIST.is_dir(), reason=f"the MNIST files are not in {MNIST}")
def test_the_real_mnist() -> None:
    images, labels = load_mnist(MNIST, train=False)
    assert images.shape == (10000, 28, 28)
    assert labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert torch.bincount(labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert images.double().mean().item() == pytest.approx(33.79, abs=0.01)
