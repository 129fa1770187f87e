"""Data files of every kind, what is wrong with damaged ones, and the specifications that name them."""

from __future__ import annotations

import gzip
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import syft as sy
from syft.exceptions import UsageError
from syft.federated.data_files import DataSpec, load_data_file

MNIST = Path(__file__).parents[2].parent / "shared" / "data" / "MNIST"
X, Y = torch.arange(12.0).reshape(4, 3), torch.tensor([0, 1, 2, 1])


def is_pair(loaded: Any, data: torch.Tensor = X, targets: torch.Tensor = Y) -> bool:
    return (
        isinstance(loaded, sy.BaseDataset)
        and loaded.data.dtype == data.dtype and torch.equal(loaded.data, data)
        and loaded.targets.dtype == targets.dtype and torch.equal(loaded.targets, targets)
    )  # fmt: skip


def idx(values: torch.Tensor) -> bytes:
    head = bytes([0, 0, 8, values.dim()]) + struct.pack(f">{values.dim()}I", *values.shape)
    return head + bytes(values.flatten().tolist())


class Spy:
    """An object whose unpickling leaves a trace."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.trace),)


# --- torch --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".PT"])
@pytest.mark.parametrize("content", [(X, Y), [X, Y], {"data": X, "targets": Y}, {"y": Y, "x": X}])
def test_pairs_of_tensors(tmp_path: Path, suffix: str, content: Any) -> None:
    torch.save(content, tmp_path / f"a{suffix}")
    assert is_pair(load_data_file(tmp_path / f"a{suffix}"))


def test_a_tensor_and_a_dict_of_tensors(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    torch.save(X, path)
    loaded = load_data_file(str(path))
    assert isinstance(loaded, torch.Tensor) and torch.equal(loaded, X)
    torch.save(torch.nn.Linear(3, 2).state_dict(), path)
    state = load_data_file(path)
    assert isinstance(state, dict) and {name: t.shape for name, t in state.items()} == {"weight": (2, 3), "bias": (2,)}


@pytest.mark.parametrize(
    "content", [3, "x", None, {}, [], (X,), (X, Y, Y), (X, [1, 2]), {"data": X, "targets": "y"}, {1: X}]
)
def test_other_contents_are_refused(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "a.pt")
    with pytest.raises(UsageError, match="holds neither a tensor, nor two, nor a dict of tensors"):
        load_data_file(tmp_path / "a.pt")


def test_nothing_in_a_file_is_run(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    torch.save({"data": X, "targets": Spy(trace)}, tmp_path / "a.pt")
    np.save(tmp_path / "a.npy", np.array([Spy(trace)], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "a.npz", data=np.array([Spy(trace)], dtype=object), targets=np.zeros(1))
    for name in ("a.pt", "a.npy", "a.npz"):
        with pytest.raises(UsageError, match="cannot be read as"):
            load_data_file(tmp_path / name)
    assert not trace.exists()
    torch.load(tmp_path / "a.pt", weights_only=False)  # control: the trap works
    assert trace.exists()


@pytest.mark.parametrize("name", ["a.pt", "a.npz", "a.npy"])
@pytest.mark.parametrize("content", [b"", b"no such thing", b"PK\x03\x04broken", b"\x93NUMPY\x01\x00broken"])
def test_damaged_files_are_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=name):
        load_data_file(tmp_path / name)


def test_data_and_targets_must_fit(tmp_path: Path) -> None:
    torch.save((X, Y[:3]), tmp_path / "a.pt")
    with pytest.raises(UsageError, match="4 samples and 3 targets"):
        load_data_file(tmp_path / "a.pt")
    torch.save((X, torch.tensor(1)), tmp_path / "a.pt")
    with pytest.raises(UsageError, match="'targets' is a single number"):
        load_data_file(tmp_path / "a.pt")


# --- numpy --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", [("data", "targets"), ("x", "y")])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_in_pairs(tmp_path: Path, names: tuple[str, str], save: Any) -> None:
    save(tmp_path / "a.npz", **dict(zip(names, (X.numpy(), Y.numpy()), strict=True)))
    assert is_pair(load_data_file(tmp_path / "a.npz"))


@pytest.mark.parametrize(
    "array",
    [
        X.numpy(),
        X.numpy().T,
        X.numpy()[::-1],
        np.arange(5, dtype=">i4"),
        np.zeros((0, 3)),
        np.array(2.5),
        np.array([True]),
    ],
)
def test_single_arrays_of_every_kind(tmp_path: Path, array: np.ndarray[Any, Any]) -> None:
    np.save(tmp_path / "a.npy", array)
    np.savez(tmp_path / "a.npz", array)
    for name in ("a.npy", "a.npz"):
        loaded = load_data_file(tmp_path / name)
        assert isinstance(loaded, torch.Tensor) and loaded.shape == array.shape
        assert loaded.tolist() == array.tolist() and loaded.numpy().dtype == array.dtype.newbyteorder("=")


def test_arrays_that_make_no_data_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", inputs=X.numpy(), outputs=Y.numpy())
    with pytest.raises(UsageError, match="holds inputs, outputs; name the arrays"):
        load_data_file(tmp_path / "a.npz")
    np.save(tmp_path / "a.npy", np.array(["a", "b"]))
    with pytest.raises(UsageError, match="holds <U1 values"):
        load_data_file(tmp_path / "a.npy")
    (tmp_path / "a.npy").rename(tmp_path / "b.npz")
    (tmp_path / "a.npz").rename(tmp_path / "b.npy")
    with pytest.raises(UsageError, match=r"name it .npy"):
        load_data_file(tmp_path / "b.npz")
    with pytest.raises(UsageError, match=r"name it .npz"):
        load_data_file(tmp_path / "b.npy")


# --- CSV ----------------------------------------------------------------------------------------------


def csv_file(tmp_path: Path, text: str, encoding: str = "utf-8") -> Path:
    path = tmp_path / "a.csv"
    path.write_bytes(text.encode(encoding))
    return path


def test_the_last_column_or_a_named_one_is_the_target(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "age, height ,label\r\n1,2.5,0\r\n\r\n-3,4e1,1\r\n", "utf-8-sig")
    rows = torch.tensor([[1, 2.5], [-3, 40]])
    assert is_pair(load_data_file(path), rows, torch.tensor([0, 1]))
    by_height = load_data_file(path, target="height")
    assert is_pair(by_height, torch.tensor([[1.0, 0], [-3, 1]]), torch.tensor([2.5, 40]))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n3,x\n", "line 3, column 'b': 'x' is not a finite number"),
        ('a,b\n"1\n",2\n,4\n', "line 4, column 'a': '' is not a finite number"),
        ("a,b\n1,nan\n", "line 2, column 'b': 'nan'"),
        ("a,b\n1,1e999\n", "line 2, column 'b': '1e999'"),
        ("a,b\n1,2,3\n", "line 2: there are 3 values and 2 columns"),
        ("a,b\n1,2\n3\n", "line 3: there are 1 values and 2 columns"),
        ("a,b\n", "no line of numbers"),
        ("", "has 0 columns"),
        ("a\n1\n", "has 1 columns"),
        ("a,a\n1,2\n", "two columns 'a'"),
        ("1,2\n3,4\n", "the first line of .* are numbers"),
        ('a,b\n"1,2\n', "is not a CSV file"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        load_data_file(csv_file(tmp_path, text))


def test_other_encodings_and_columns_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a CSV file in UTF-8"):
        load_data_file(csv_file(tmp_path, "größe,b\n1,2\n", "latin-1"))
    with pytest.raises(UsageError, match="has no column 'c'; it has a, b"):
        load_data_file(csv_file(tmp_path, "a,b\n1,2\n"), target="c")
    np.save(tmp_path / "a.npy", X.numpy())
    with pytest.raises(UsageError, match="target=a names a column of a CSV file"):
        load_data_file(tmp_path / "a.npy", target="a")


# --- idx ----------------------------------------------------------------------------------------------


def test_two_idx_files_and_one(tmp_path: Path) -> None:
    images, labels = torch.arange(16, dtype=torch.uint8).reshape(4, 2, 2), Y
    (tmp_path / "a:b").mkdir()
    first, second = tmp_path / "a:b" / "images-idx3-ubyte.gz", tmp_path / "labels-idx1-ubyte"
    first.write_bytes(gzip.compress(idx(images)))
    second.write_bytes(idx(labels))
    assert is_pair(load_data_file(f"{first}:{second}"), images, labels)
    single = load_data_file(first)
    assert isinstance(single, torch.Tensor) and torch.equal(single, images)
    second.write_bytes(idx(labels[:2]))
    with pytest.raises(UsageError, match="4 samples and 2 targets"):
        load_data_file(f"{first}:{second}")
    second.write_bytes(b"broken")
    with pytest.raises(UsageError, match="is not an idx file"):
        load_data_file(f"{first}:{second}")
    with pytest.raises(UsageError, match="does not name two files"):
        load_data_file(f"{first}:{second}x")


@pytest.mark.skipif(not MNIST.is_dir(), reason=f"the MNIST files are not in {MNIST}")
def test_the_real_mnist() -> None:
    whole = load_data_file(MNIST)
    assert isinstance(whole, sy.BaseDataset)
    assert (
        whole.data.shape == (60000, 28, 28) and whole.data.dtype == torch.uint8 and whole.targets.dtype == torch.int64
    )
    pair = f"{MNIST}/t10k-images-idx3-ubyte.gz:{MNIST}/t10k-labels-idx1-ubyte.gz"
    part = DataSpec.parse(f"test={pair}#mnist,#test?digits=0-1,7").load()
    assert isinstance(part, sy.BaseDataset)
    assert torch.bincount(part.targets).tolist() == [980, 1135, 0, 0, 0, 0, 0, 1028]
    assert part.data.shape == (3143, 28, 28) and part.tags == {"#mnist", "#test"}


# --- other files --------------------------------------------------------------------------------------


def test_missing_and_unknown_files(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no file or folder"):
        load_data_file(tmp_path / "nothing.pt")
    with pytest.raises(UsageError, match="there is no train-images"):
        load_data_file(tmp_path)
    (tmp_path / "a.txt").write_text("1,2")
    with pytest.raises(UsageError, match="is of no known kind"):
        load_data_file(tmp_path / "a.txt")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="whoever may read everything is not refused")
@pytest.mark.parametrize("name", ["a.pt", "a.npz", "a.csv"])
def test_files_that_may_not_be_read(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    (tmp_path / name).chmod(0)
    with pytest.raises(UsageError, match="cannot be read"):
        load_data_file(tmp_path / name)


# --- digits -------------------------------------------------------------------------------------------


def test_digits_pick_samples_in_their_order(tmp_path: Path) -> None:
    torch.save((X, Y), tmp_path / "a.pt")
    assert is_pair(load_data_file(tmp_path / "a.pt", digits=(1,)), X[[1, 3]], Y[[1, 3]])
    assert is_pair(load_data_file(tmp_path / "a.pt", digits=(0, 1, 2, 9)))
    with pytest.raises(UsageError, match="no sample whose target is one of 8,9; there are 0, 1, 2"):
        load_data_file(tmp_path / "a.pt", digits=(8, 9))
    for content in (X, (X, X[:, 0]), (X, X.long())):
        torch.save(content, tmp_path / "a.pt")
        with pytest.raises(UsageError, match="picks samples by whole targets"):
            load_data_file(tmp_path / "a.pt", digits=(1,))


# --- specifications -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a=b.pt", ("a", "b.pt", (), None, None)),
        ("a=b=c/d e.pt", ("a", "b=c/d e.pt", (), None, None)),
        ("a=b.pt#x", ("a", "b.pt", ("#x",), None, None)),
        ("a=b.pt#x, #y-1", ("a", "b.pt", ("#x", "#y-1"), None, None)),
        ("a=b.csv?target=the price", ("a", "b.csv", (), "the price", None)),
        ("a=b:c#x?digits=7", ("a", "b:c", ("#x",), None, (7,))),
        ("a=b#x?digits=5,0-2,1-3&target=y", ("a", "b", ("#x",), "y", (0, 1, 2, 3, 5))),
        ("a=C:\\data\\x.csv", ("a", "C:\\data\\x.csv", (), None, None)),
    ],
)
def test_specifications(text: str, parts: tuple[Any, ...]) -> None:
    spec = DataSpec.parse(text)
    assert (spec.name, spec.path, spec.tags, spec.target, spec.digits) == parts


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "names no data; write NAME=PATH"),
        ("b.pt", "names no data"),
        ("=b.pt", "names no data"),
        ("a=", "names no data"),
        ("a=#x", "names no data"),
        ("a=b#", "'#' in .* is no tag"),
        ("a=b#x,y", "'y' in .* is no tag"),
        ("a=b#x#y", "is no tag"),
        ("a=b#x,", "'' in .* is no tag"),
        ("a=b?colour=red", "'colour=red' in .* is no option"),
        ("a=b?target", "'target' in .* is no option"),
        ("a=b?target=", "is no option"),
        ("a=b?digits=1&digits=2", "once each"),
        ("a=b?digits=x", "'x' in .* is neither a number nor a range"),
        ("a=b?digits=3-1", "'3-1' in"),
        ("a=b?digits=1,,2", "'' in"),
        ("a=b?digits=-1", "'-1' in"),
        ("a=b?digits=0-999999999", "is neither"),
    ],
)
def test_what_is_wrong_with_a_specification_is_said(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        DataSpec.parse(text)


def test_a_specification_loads_with_its_options_and_tags(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "label,a\n3,1\n4,2\n3,3\n")
    loaded = DataSpec.parse(f"mine={path}#mine,#toy?target=label&digits=3").load()
    assert is_pair(loaded, torch.tensor([[1.0], [3.0]]), torch.tensor([3, 3]))
    assert isinstance(loaded, sy.BaseDataset) and loaded.tags == {"#mine", "#toy"}
