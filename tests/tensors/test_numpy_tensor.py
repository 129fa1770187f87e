"""Tensors over numpy arrays: numpy's arithmetic, torch's functions, sending."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import syft as sy
from syft.exceptions import NotRemoteError, SyftError, UnsupportedOp
from syft.tensors.numpy_tensor import NumpyLink, NumpyTensor

Worker = sy.VirtualWorker


def array_of(tensor: Any) -> np.ndarray[Any, Any]:
    assert type(tensor.child) is NumpyLink
    assert type(tensor.child.child) is np.ndarray
    return tensor.child.child


@pytest.fixture
def a(hook: sy.TorchHook) -> np.ndarray[Any, Any]:
    return np.array([[1.0, 2.0], [3.0, 4.0]])


def test_text_form_and_inside(hook: sy.TorchHook) -> None:
    x = NumpyTensor(numpy_tensor=[[1, 2, 3, 4]])
    assert repr(x) == str(x) == "(Wrapper)>NumpyTensor>[[1 2 3 4]]"
    assert repr(x.tag("#a")) == "(Wrapper)>NumpyTensor>[[1 2 3 4]]\n\tTags: #a "
    assert isinstance(x, torch.Tensor)
    assert array_of(x).dtype == np.int64


def test_the_array_is_not_copied(a: np.ndarray[Any, Any]) -> None:
    assert array_of(NumpyTensor(numpy_tensor=a)) is a


def test_it_is_named_as_in_0_2_4() -> None:
    assert sy.NumpyTensor is NumpyTensor


@pytest.mark.parametrize("values", [["a"], [object()], np.array(["2020-01-01"], dtype="datetime64[D]")], ids=repr)
def test_only_numbers(values: Any) -> None:
    with pytest.raises(SyftError, match="numbers"):
        NumpyTensor(numpy_tensor=values)


OPERATORS: list[Callable[[Any, Any], Any]] = [
    lambda x, y: x + y,
    lambda x, y: x - y,
    lambda x, y: x * y,
    lambda x, y: x / y,
    lambda x, y: x @ y,
    lambda x, y: x + 2,
    lambda x, y: 2 - x,
    lambda x, y: 2 * x,
    lambda x, y: 1 / x,
    lambda x, y: -x,
    lambda x, y: x.dot(y),
]


@pytest.mark.parametrize("dtype", [np.int64, np.float32, np.float64])
@pytest.mark.parametrize("operator", OPERATORS)
def test_arithmetic_is_numpys(operator: Callable[[Any, Any], Any], dtype: Any) -> None:
    x, y = np.array([[1, 2], [3, 4]], dtype), np.array([[5, 6], [7, 8]], dtype)
    out, expected = array_of(operator(NumpyTensor(x), NumpyTensor(y))), operator(x, y)
    assert out.dtype == expected.dtype
    assert np.array_equal(out, expected)


def test_mm_and_add_by_name(a: np.ndarray[Any, Any]) -> None:
    x = NumpyTensor(a)
    assert np.array_equal(array_of(x.mm(x)), a @ a)
    assert np.array_equal(array_of(x.add(x)), a + a)


@pytest.mark.parametrize(
    ("axes", "shape"), [((), (4, 3, 2)), ((0, 1), (3, 2, 4)), ((0, 2), (4, 3, 2)), ((2, 0, 1), (3, 2, 4))]
)
def test_transpose_takes_any_number_of_axes(axes: tuple[int, ...], shape: tuple[int, ...]) -> None:
    z = np.arange(24).reshape(2, 3, 4)
    x = NumpyTensor(z)
    out = x.transpose(*axes)
    assert out.shape == x.child.transpose(*axes).child.shape == shape
    if axes == ():
        assert np.array_equal(array_of(out), z.T)


def test_transposing_other_wrappers_is_torchs(bob: Worker) -> None:
    assert torch.zeros(2, 3).send(bob).transpose(0, 1).shape == (3, 2)
    with pytest.raises(TypeError):
        torch.zeros(2, 3).send(bob).transpose()


FUNCTIONS: list[Callable[[Any], Any]] = [
    lambda x: torch.add(x, x),
    lambda x: torch.add(x, x, alpha=3),
    lambda x: torch.cat([x, x]),
    lambda x: torch.relu(x - 2),
    lambda x: torch.nn.functional.softmax(x, dim=1),
    lambda x: x.t(),
    lambda x: x == x,
    lambda x: x > 2,
    lambda x: x.abs(),
    lambda x: x[0],
    lambda x: x[:, 1:],
    lambda x: x.sum(),
    lambda x: x.mean(dim=0),
    lambda x: x.view(4),
    lambda x: x.to(torch.int32),
    lambda x: torch.einsum("ij,jk->ik", x, x),
]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_torch_functions_work(a: np.ndarray[Any, Any], function: Callable[[Any], Any]) -> None:
    expected = function(torch.from_numpy(a)).numpy()
    out = array_of(function(NumpyTensor(a)))
    assert out.dtype == expected.dtype
    assert np.allclose(out, expected)


def test_several_results_keep_their_names(a: np.ndarray[Any, Any]) -> None:
    out = NumpyTensor(a).max(dim=0)
    assert np.array_equal(array_of(out.values), [3.0, 4.0])
    assert np.array_equal(array_of(out.indices), [1, 1])
    assert [array_of(part).tolist() for part in NumpyTensor(a)] == [[1.0, 2.0], [3.0, 4.0]]


def test_metadata_and_plain_values(a: np.ndarray[Any, Any]) -> None:
    x = NumpyTensor(a)
    assert (x.shape, x.dim(), len(x), x.numel(), x.dtype) == ((2, 2), 2, 2, 4, torch.float64)
    assert (float(x.sum()), bool(x.sum() > 9), torch.equal(x, x)) == (10.0, True, True)


def test_with_plain_tensors(a: np.ndarray[Any, Any]) -> None:
    assert np.array_equal(array_of(NumpyTensor(a) + torch.ones(2)), a + 1)
    assert np.array_equal(array_of(torch.ones(2, 2).double() @ NumpyTensor(a)), np.ones((2, 2)) @ a)


@pytest.mark.parametrize("layout", ["plain", "read-only", "reversed", "transposed"])
def test_in_place_ops_change_the_tensor(layout: str) -> None:
    a = np.array([[1.0, 2.0], [3.0, 4.0]])
    if layout == "read-only":
        a.flags.writeable = False
    a = {"reversed": a[::-1], "transposed": a.T}.get(layout, a)
    before = a.copy()
    x = NumpyTensor(a)
    assert x.add_(1) is x
    x[0] = 0
    x += x
    assert array_of(x).tolist() == (2 * np.vstack([[0, 0], before[1:] + 1])).tolist()
    if layout == "read-only":
        assert np.array_equal(a, before)


def test_dtypes_that_numpy_lacks_are_refused(a: np.ndarray[Any, Any]) -> None:
    with pytest.raises(UnsupportedOp, match="bfloat16"):
        NumpyTensor(a).to(torch.bfloat16)


def test_other_byte_orders_are_converted() -> None:
    x = NumpyTensor(np.array([1, 2], dtype=">i4"))
    assert array_of(torch.add(x, x)).tolist() == [2, 4]
    assert array_of(x).dtype.isnative


def test_numbers_without_dimensions() -> None:
    x = NumpyTensor(np.float64(2.5))
    assert (x.shape, array_of(x * 2).tolist(), array_of(torch.exp(x)).shape) == ((), 5.0, ())


def test_from_a_local_tensor(hook: sy.TorchHook) -> None:
    t = torch.tensor([1, 2])
    x = t.numpy_tensor()
    assert repr(x) == "(Wrapper)>NumpyTensor>[1 2]"
    t.add_(1)
    assert array_of(x).tolist() == [1, 2]
    assert repr(torch.ones(1, requires_grad=True).numpy_tensor()) == "(Wrapper)>NumpyTensor>[1.]"


def test_not_from_a_wrapper(bob: Worker) -> None:
    for wrapper in (torch.ones(1).send(bob), NumpyTensor([1])):
        with pytest.raises(SyftError, match="Can only cast a data tensor"):
            wrapper.numpy_tensor()


def test_sending_computing_there_and_fetching(bob: Worker, a: np.ndarray[Any, Any]) -> None:
    x = NumpyTensor(a).tag("#a").describe("numbers")
    there = x.send(bob)
    (stored,) = bob._objects.values()
    assert (stored.tags, array_of(stored).tolist()) == ({"#a"}, a.tolist())
    assert there.shape == (2, 2)
    result = (there + there * 2 - torch.relu(there)).get()
    assert np.array_equal(array_of(result), 2 * a)
    assert np.array_equal(array_of(there.max(dim=0).values.get()), [3.0, 4.0])
    back = there.get()
    assert (back.tags, back.description, array_of(back).tolist()) == ({"#a"}, "numbers", a.tolist())
    assert bob._objects == {}


def test_what_is_sent_is_a_copy(bob: Worker, a: np.ndarray[Any, Any]) -> None:
    there = NumpyTensor(a).send(bob)
    a += 1
    assert array_of(there.get()).tolist() == [[1.0, 2.0], [3.0, 4.0]]


def test_logging_over_it(a: np.ndarray[Any, Any], capsys: pytest.CaptureFixture[str]) -> None:
    x = sy.LoggingTensor().on(NumpyTensor([1, 2]))
    assert repr(torch.add(x, x)) == "(Wrapper)>LoggingTensor>NumpyTensor>[2 4]"
    assert capsys.readouterr().out == "Log function torch.add\n"


def test_a_local_one_has_nothing_to_get(a: np.ndarray[Any, Any]) -> None:
    with pytest.raises(NotRemoteError):
        NumpyTensor(a).get()


def test_a_link_without_an_array_says_so(hook: sy.TorchHook) -> None:
    link = NumpyLink()
    link.child = torch.ones(1)
    with pytest.raises(UnsupportedOp, match="no array"):
        link.wrap().abs()
