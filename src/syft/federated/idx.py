"""Reads the idx files of MNIST and its relatives, gzipped or not, without torchvision.

An idx file is two zero bytes, a type code, the number of dimensions, one big-endian uint32 a
dimension, then the values, big-endian, and nothing after them.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import Protocol

import torch

from syft.exceptions import FederatedError

_DTYPES = {
    0x08: torch.uint8,
    0x09: torch.int8,
    0x0B: torch.int16,
    0x0C: torch.int32,
    0x0D: torch.float32,
    0x0E: torch.float64,
}
_GZIP_MAGIC = b"\x1f\x8b"
_FOLDERS = (".", "raw", "MNIST/raw", "MNIST")
_MAX_BYTES = 1 << 32


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def read_idx(path: str | Path) -> torch.Tensor:
    """Read one idx file.

    Args:
        path: the file; whether it is gzipped is told by its first bytes, not by its name.

    Returns:
        A tensor of the shape and dtype that the header names.

    Raises:
        FederatedError: there is no such file, or it is damaged, too short, too long or not idx.
    """
    path = Path(path)
    try:
        with path.open("rb") as raw:
            zipped = raw.read(2) == _GZIP_MAGIC
            raw.seek(0)
            if not zipped:
                return _parse(raw, path)
            with gzip.GzipFile(fileobj=raw) as unzipped:
                return _parse(unzipped, path)
    except FileNotFoundError as error:
        raise FederatedError(f"there is no file {path}; check the folder.") from error
    except (OSError, EOFError, zlib.error) as error:
        raise FederatedError(f"{path} cannot be read ({error}); fetch the file again.") from error


def load_mnist(root: str | Path, *, train: bool = True, limit: int | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    """Read MNIST, or a data set of the same files, from a folder.

    Looks in ``root``, ``root/raw``, ``root/MNIST/raw`` (where torchvision puts it) and ``root/MNIST``,
    for ``train-images-idx3-ubyte`` and its like, also spelled ``train-images.idx3-ubyte``, with or
    without ``.gz``.

    Args:
        root: the folder.
        train: the 60000 training digits; otherwise the 10000 test digits.
        limit: only the first so many.

    Returns:
        Images, uint8 of shape (N, rows, columns), and labels, int64 of shape (N,).

    Raises:
        FederatedError: the folder or a file is missing or damaged, or images and labels do not fit together.
    """
    root = Path(root)
    if not root.is_dir():
        raise FederatedError(f"there is no folder {root}; give the one with the four MNIST idx files.")
    if limit is not None and limit < 1:
        raise FederatedError(f"limit is {limit}; ask for at least one sample.")
    prefix = "train" if train else "t10k"
    images_path, labels_path = _find(root, f"{prefix}-images", 3), _find(root, f"{prefix}-labels", 1)
    images, labels = read_idx(images_path), read_idx(labels_path)
    if images.dim() != 3 or images.dtype != torch.uint8:
        raise FederatedError(f"{images_path} holds {_describe(images)}; images are uint8 with 3 dimensions.")
    if labels.dim() != 1 or labels.dtype != torch.uint8:
        raise FederatedError(f"{labels_path} holds {_describe(labels)}; labels are uint8 with 1 dimension.")
    if len(images) != len(labels):
        raise FederatedError(f"{images_path} has {len(images)} images, {labels_path} {len(labels)} labels.")
    return images[:limit], labels[:limit].long()


def _find(root: Path, stem: str, dims: int) -> Path:
    names = [f"{stem}{dot}idx{dims}-ubyte{suffix}" for suffix in ("", ".gz") for dot in ("-", ".")]
    for folder in _FOLDERS:
        for name in names:
            candidate = root / folder / name
            if candidate.is_file():
                return candidate
    looked = ", ".join(str(root / folder) if folder != "." else str(root) for folder in _FOLDERS)
    raise FederatedError(f"there is no {names[0]} (or .gz) in any of {looked}; download MNIST there first.")


def _parse(stream: _Readable, path: Path) -> torch.Tensor:
    head = _exactly(stream, 4, path)
    if head[:2] != b"\0\0" or head[2] not in _DTYPES or head[3] == 0:
        raise FederatedError(f"{path} is not an idx file: it begins with the bytes {head.hex(' ')}.")
    dtype, dims = _DTYPES[head[2]], head[3]
    shape = struct.unpack(f">{dims}I", _exactly(stream, 4 * dims, path))
    size = math.prod(shape) * dtype.itemsize
    if size > _MAX_BYTES:
        raise FederatedError(f"the header of {path} announces {size} bytes of shape {shape}; that cannot be right.")
    body = bytearray(_exactly(stream, size, path))
    if stream.read(1):
        raise FederatedError(f"{path} goes on after the {size} bytes that its header announces; fetch it again.")
    if size == 0:
        return torch.empty(shape, dtype=dtype)
    values = torch.frombuffer(body, dtype=torch.uint8).reshape(-1, dtype.itemsize)
    # Big-endian on disk, little-endian in memory on every platform that torch supports.
    return values.flip(1).contiguous().view(dtype).reshape(shape)


def _exactly(stream: _Readable, count: int, path: Path) -> bytes:
    data = stream.read(count)
    if len(data) != count:
        raise FederatedError(f"{path} ends too soon: {count} bytes expected, {len(data)} found; fetch it again.")
    return data


def _describe(tensor: torch.Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} with {tensor.dim()} dimensions"
