"""Data files of a worker's owner: what ``syft worker --data`` names, read without running anything in them."""

from __future__ import annotations

import csv
import math
import re
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from syft.exceptions import FederatedError, UsageError
from syft.federated.dataset import BaseDataset
from syft.federated.idx import load_mnist, read_idx

Data = BaseDataset | torch.Tensor | dict[str, torch.Tensor]

_PAIRS = (("data", "targets"), ("x", "y"))
_FORM = "NAME=PATH[#tag1,#tag2][?target=COLUMN&digits=0-3,7]"
_SPEC = re.compile(r"(?P<name>[^=#?]+)=(?P<path>[^#?]+)(?P<tags>#[^?]*)?(\?(?P<options>.*))?", re.DOTALL)
_RANGE = re.compile(r"(\d{1,9})(?:-(\d{1,9}))?")
_MOST_DIGITS = 100_000


@dataclass(frozen=True, slots=True)
class DataSpec:
    """One data set that a worker shall hold: where it is, what it is called, and which part of it.

    Attributes:
        name: what the owner calls it.
        path: a file or folder, see `load_data_file`.
        tags: words that clients find it by.
        target: the column of a CSV file that holds the targets; None for the last one.
        digits: only the samples with these targets; None for all.

    Example:
        >>> spec = DataSpec.parse("train=mnist/raw#mnist,#train?digits=0-3,7")
        >>> spec.name, spec.path, spec.tags, spec.digits
        ('train', 'mnist/raw', ('#mnist', '#train'), (0, 1, 2, 3, 7))
    """

    name: str
    path: str
    tags: tuple[str, ...] = ()
    target: str | None = None
    digits: tuple[int, ...] | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a specification of the form ``NAME=PATH[#tag1,#tag2][?target=COLUMN&digits=0-3,7]``.

        Args:
            text: the specification. A path with ``#`` or ``?`` in it cannot be written like this.

        Returns:
            The specification in its parts.

        Raises:
            UsageError: it is not of that form; the message says where.
        """
        match = _SPEC.fullmatch(text)
        if match is None:
            raise UsageError(f"{text!r} names no data; write {_FORM}")
        options = _options(match["options"] or "", text)
        return cls(
            match["name"].strip(),
            match["path"].strip(),
            _tags(match["tags"] or "", text),
            options.get("target"),
            _digits(options["digits"], text) if "digits" in options else None,
        )

    def load(self) -> Data:
        """Read what the specification names.

        Returns:
            As `load_data_file`; a data set has the tags.

        Raises:
            UsageError: as `load_data_file`.
        """
        data = load_data_file(self.path, target=self.target, digits=self.digits)
        if isinstance(data, BaseDataset) and self.tags:
            data.tag(*self.tags)
        return data


def load_data_file(path: str | Path, *, target: str | None = None, digits: tuple[int, ...] | None = None) -> Data:
    """Read the data of a file or folder; what there is decides what comes back.

    * ``.pt`` and ``.pth``: what ``torch.save`` wrote of a tensor, of a pair, or of a dict of tensors. A pair, and a
      dict with the keys ``data`` and ``targets`` or ``x`` and ``y``, make a data set. Nothing in the file is run.
    * ``.npz`` with the arrays ``data`` and ``targets`` or ``x`` and ``y``: a data set; with a single array: a tensor.
    * ``.npy``: a tensor.
    * ``.csv`` with one line of names and then numbers: a data set of float32 rows. Whole targets are int64.
    * A folder with the idx files of MNIST, or ``IMAGES:LABELS``, two idx files, gzipped or not: a data set, of uint8
      images and int64 labels. One idx file by itself: a tensor.

    Args:
        path: the file, the folder, or the two files with a colon between them.
        target: the column of a CSV file with the targets; the last one if None.
        digits: keep only the samples with one of these targets, in their order.

    Returns:
        A data set, a tensor, or a dict of tensors, dtypes as in the file.

    Raises:
        UsageError: there is no such file, it is damaged or of another kind, or an option does not fit it.
    """
    path = str(path)
    try:
        data = _read(path, target)
    except FederatedError as error:  # of the idx files, and of data and targets that differ in length
        raise UsageError(f"{path} cannot be loaded: {error}") from error
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror or error}); check the path.") from error
    return data if digits is None else _only(data, digits, path)


def _read(path: str, target: str | None) -> Data:
    suffix = Path(path).suffix.lower()
    if target is not None and suffix != ".csv":
        raise UsageError(f"target={target} names a column of a CSV file, and {path} is none; leave it out.")
    if Path(path).is_dir():
        return BaseDataset(*load_mnist(path))
    if not Path(path).exists():
        pair = _two_files(path)
        if pair is None:
            raise UsageError(f"there is no file or folder {path}; check the path.")
        return BaseDataset(*pair)
    if suffix == ".csv":
        return _read_csv(Path(path), target)
    if suffix in _READERS:
        return _READERS[suffix](Path(path))
    if "idx" in Path(path).name:
        return read_idx(path)
    raise UsageError(
        f"{path} is of no known kind; there are .pt, .pth, .npz, .npy, .csv, a folder with the idx files of MNIST, and "
        "IMAGES:LABELS."
    )


# --- torch and numpy ----------------------------------------------------------------------------------


def _read_torch(path: Path) -> Data:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # a damaged file fails in any of a dozen ways
        raise UsageError(
            f"{path} cannot be read as tensors ({_first_line(error)}); write tensors, tuples and dicts with torch.save."
        ) from error
    if isinstance(content, torch.Tensor):
        return content
    if isinstance(content, (tuple, list)):
        content = dict(zip(_PAIRS[0], content, strict=True)) if len(content) == 2 else {}
    if not isinstance(content, Mapping) or not content or not all(map(_is_named_tensor, content.items())):
        raise UsageError(
            f"{path} holds neither a tensor, nor two, nor a dict of tensors; save {{'data': ..., 'targets': ...}}."
        )
    return _paired(dict(content))


def _is_named_tensor(item: tuple[Any, Any]) -> bool:
    return type(item[0]) is str and isinstance(item[1], torch.Tensor)


def _read_npz(path: Path) -> Data:
    arrays = _arrays(path)
    if not isinstance(arrays, dict):
        raise UsageError(f"{path} is a single array and no archive of arrays; name it .npy.")
    found = _paired({name: _tensor(array, path) for name, array in arrays.items()})
    if isinstance(found, BaseDataset):
        return found
    if len(found) != 1:
        names = ", ".join(sorted(found)) or "nothing"
        raise UsageError(f"{path} holds {names}; name the arrays data and targets, or x and y, or save a single one.")
    return next(iter(found.values()))


def _read_npy(path: Path) -> torch.Tensor:
    array = _arrays(path)
    if isinstance(array, dict):
        raise UsageError(f"{path} is an archive of arrays and not a single one; name it .npz.")
    return _tensor(array, path)


def _arrays(path: Path) -> Any:
    with path.open("rb") as file:
        try:
            content = np.load(file, allow_pickle=False)
            return content if isinstance(content, np.ndarray) else {name: content[name] for name in content.files}
        except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise UsageError(
                f"{path} cannot be read as arrays ({_first_line(error)}); write arrays of numbers with numpy.savez."
            ) from error


def _tensor(array: np.ndarray[Any, Any], path: Path) -> torch.Tensor:
    native = array.astype(array.dtype.newbyteorder("="), copy=False)
    try:
        return torch.from_numpy(np.ascontiguousarray(native).reshape(array.shape))
    except TypeError as error:
        raise UsageError(
            f"{path} holds {array.dtype} values, of which no tensor is made; convert them first."
        ) from error


def _paired(tensors: dict[str, torch.Tensor]) -> BaseDataset | dict[str, torch.Tensor]:
    for data, targets in _PAIRS:
        if tensors.keys() == {data, targets}:
            for name in (data, targets):
                if not tensors[name].dim():
                    raise UsageError(f"{name!r} is a single number; samples and targets are counted along dimension 0.")
            return BaseDataset(tensors[data], tensors[targets])
    return tensors


_READERS: Mapping[str, Callable[[Path], Data]] = {
    ".pt": _read_torch,
    ".pth": _read_torch,
    ".npz": _read_npz,
    ".npy": _read_npy,
}


# --- CSV and idx --------------------------------------------------------------------------------------


def _read_csv(path: Path, target: str | None) -> BaseDataset:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file, strict=True)
            names = [name.strip() for name in next(lines, [])]
            column = _target_column(names, target, path)
            rows = [_numbers(row, names, f"{path}, line {lines.line_num}") for row in lines if row]
    except (csv.Error, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not a CSV file in UTF-8: {error}.") from error
    if not rows:
        raise UsageError(f"{path} has a line of names and no line of numbers.")
    table = torch.tensor(rows, dtype=torch.float64)
    targets = table[:, column]
    whole = bool((targets == targets.round()).all()) and bool((targets.abs() < 2**53).all())
    rest = [other for other in range(len(names)) if other != column]
    return BaseDataset(table[:, rest].float(), targets.long() if whole else targets.float())


def _target_column(names: list[str], target: str | None, path: Path) -> int:
    if len(names) < 2:
        raise UsageError(f"{path} has {len(names)} columns; there must be one of data and one of targets at least.")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"{path} has two columns {twice[0]!r}; the first line gives each column a name of its own.")
    if all(_is_number(name) for name in names):
        raise UsageError(f"the first line of {path} are numbers; put a line with the names of the columns before it.")
    if target is None:
        return len(names) - 1
    if target not in names:
        raise UsageError(f"{path} has no column {target!r}; it has {', '.join(names)}.")
    return names.index(target)


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _numbers(row: list[str], names: list[str], place: str) -> list[float]:
    if len(row) != len(names):
        raise UsageError(f"{place}: there are {len(row)} values and {len(names)} columns.")
    try:
        numbers = [float(text) for text in row]
    except ValueError:
        numbers = []
    if not numbers or not all(map(math.isfinite, numbers)):
        wrong = next(at for at, text in enumerate(row) if not _is_number(text))
        raise UsageError(f"{place}, column {names[wrong]!r}: {row[wrong]!r:.60} is not a finite number.")
    return numbers


def _two_files(path: str) -> tuple[torch.Tensor, torch.Tensor] | None:
    # Each colon is tried, as one may be part of a path.
    for place in (match.start() for match in re.finditer(":", path)):
        images, labels = path[:place], path[place + 1 :]
        if Path(images).is_file() and Path(labels).is_file():
            targets = read_idx(labels)
            return read_idx(images), targets.long() if targets.dtype == torch.uint8 else targets
    if ":" in path:
        raise UsageError(f"{path} does not name two files with a colon between them; check both paths.")
    return None


# --- parts of a specification -------------------------------------------------------------------------


def _tags(text: str, whole: str) -> tuple[str, ...]:
    tags = tuple(tag.strip() for tag in text.split(",")) if text else ()
    for tag in tags:
        if not re.fullmatch(r"#[^#\s]+", tag):
            raise UsageError(f"{tag!r} in {whole!r} is no tag; tags begin with # and a comma is between them.")
    return tags


def _options(text: str, whole: str) -> dict[str, str]:
    options: dict[str, str] = {}
    for part in text.split("&") if text else ():
        name, _, value = part.partition("=")
        if name not in ("target", "digits") or not value or name in options:
            raise UsageError(
                f"{part!r} in {whole!r} is no option; there are target=COLUMN and digits=0-3,7, once each."
            )
        options[name] = value
    return options


def _digits(text: str, whole: str) -> tuple[int, ...]:
    found: set[int] = set()
    for part in text.split(","):
        match = _RANGE.fullmatch(part.strip())
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if first > last or last - first >= _MOST_DIGITS:
            raise UsageError(f"{part!r} in {whole!r} is neither a number nor a range such as 0-3.")
        found.update(range(first, last + 1))
    return tuple(sorted(found))


def _only(data: Data, digits: tuple[int, ...], path: str) -> BaseDataset:
    wanted = ",".join(map(str, digits))
    if not isinstance(data, BaseDataset) or data.targets.dim() != 1 or data.targets.is_floating_point():
        raise UsageError(f"digits={wanted} picks samples by whole targets, and {path} has none; leave it out.")
    chosen = torch.isin(data.targets, torch.tensor(digits, dtype=torch.int64))
    if not chosen.any():
        there = ", ".join(str(int(value)) for value in data.targets.unique()[:20])
        raise UsageError(f"{path} has no sample whose target is one of {wanted}; there are {there}.")
    return BaseDataset(data.data[chosen], data.targets[chosen])


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
