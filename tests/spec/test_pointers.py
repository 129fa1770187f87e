"""Pointers: how they print, what they know, and what they answer to ordinary tensor questions."""

from __future__ import annotations

import copy
import io
import pickle
from typing import Any

import numpy as np
import pytest
import torch

import syft as sy
from syft.exceptions import NotLocalError, SyftError, TensorsNotCollocatedException

Worker = sy.VirtualWorker


@pytest.fixture
def x(hook: sy.TorchHook) -> torch.Tensor:
    """What `p` points to."""
    return torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])


@pytest.fixture
def p(x: torch.Tensor, bob: Worker) -> Any:
    """A pointer to a 2×3 float tensor at bob."""
    return x.send(bob)


def sent(bob: Worker) -> int:
    """How many messages bob got since logging was switched on."""
    return len(bob.msg_history)


# --- text -------------------------------------------------------------------------------------------


def test_a_pointer_prints_owner_and_location(p: Any, x: torch.Tensor) -> None:
    text = f"(Wrapper)>[PointerTensor | me:{p.id} -> bob:{x.id}]"
    assert str(p) == repr(p) == f"{p}" == text
    assert str(p.child) == repr(p.child) == text.removeprefix("(Wrapper)>")


def test_a_list_shows_the_text_of_each(p: Any) -> None:
    assert str([(p, p)]) == f"[({p}, {p})]"


def test_tags_shape_and_description_are_printed_in_this_order(make_worker: Any) -> None:
    lab = make_worker("lab")
    t = torch.tensor([0, 1]).tag("#age").describe("ages of patients\nprivate").send(lab)
    lines = str(t).split("\n")
    assert lines[0] == f"(Wrapper)>[PointerTensor | me:{t.id} -> lab:{t.id_at_location}]"
    assert lines[1:] == ["\tTags: #age ", "\tShape: torch.Size([2])", "\tDescription: ages of patients..."]


def test_a_description_alone_prints_no_shape(bob: Worker) -> None:
    t = torch.tensor([0, 1]).describe("ages").send(bob)
    assert str(t).split("\n")[1:] == ["\tDescription: ages..."]


def test_every_tag_is_followed_by_a_space(bob: Worker) -> None:
    t = torch.tensor([0]).tag("#a", "#b").send(bob)
    line = str(t).split("\n")[1]
    assert line in ("\tTags: #a #b ", "\tTags: #b #a ")


def test_a_local_tensor_prints_tags_description_shape(hook: sy.TorchHook) -> None:
    t = torch.tensor([0, 1]).tag("#age").describe("ages\nprivate")
    assert str(t) == "tensor([0, 1])\n\tTags: #age \n\tDescription: ages...\n\tShape: torch.Size([2])"
    assert str(torch.tensor([0]).describe("d")) == "tensor([0])\n\tDescription: d...\n\tShape: torch.Size([1])"


def test_attribute_pointers_print_the_ids_of_their_tensor(bob: Worker) -> None:
    x = torch.tensor([1.0], requires_grad=True).send(bob)
    x.sum().backward()
    assert str(x.grad) == f"{x}::grad"
    assert str(x.data) == f"{x}::data"
    assert str(x.attr("child").attr("child")) == f"{x}::child::child"


def test_a_parameter_has_a_first_line_in_its_repr_only(bob: Worker) -> None:
    w = torch.nn.Parameter(torch.zeros(1)).send(bob)
    assert repr(w) == f"Parameter containing:\n(Wrapper)>{w.child}"
    assert str(w) == f"(Wrapper)>{w.child}"


def test_a_chain_prints_every_link(bob: Worker, x: torch.Tensor) -> None:
    assert str(sy.LoggingTensor().on(torch.tensor([1]))) == "(Wrapper)>LoggingTensor>tensor([1])"
    p = x.send(bob)
    assert str(sy.LoggingTensor().on(p)) == f"(Wrapper)>LoggingTensor>{p.child}"


def test_the_type_of_a_pointer_prints_as_torch_s(p: Any) -> None:
    assert str(type(p)) == "<class 'torch.Tensor'>"
    assert isinstance(p, torch.Tensor)


# --- attributes -------------------------------------------------------------------------------------


def test_the_shape_from_send_needs_no_message(p: Any, bob: Worker) -> None:
    bob.log_msgs = True
    assert p.shape == torch.Size([2, 3])
    assert p.dim() == 2
    assert len(p) == 2
    assert sent(bob) == 0


def test_the_shape_of_a_result_is_asked_once(p: Any, bob: Worker) -> None:
    q = p.sum(dim=0)
    bob.log_msgs = True
    assert q.shape == torch.Size([3])
    assert (q.dim(), len(q), q.numel()) == (1, 3, 3)
    assert sent(bob) == 1


def test_the_shape_answers_through_two_hops(p: Any, alice: Worker) -> None:
    assert p.send(alice).shape == (2, 3)


def test_the_shape_of_a_wrapper_cannot_be_assigned(p: Any) -> None:
    with pytest.raises((AttributeError, SyftError)):
        p.shape = (1,)


def test_the_shape_of_the_bare_pointer_can_be_overridden(p: Any) -> None:
    p.child.shape = (6,)
    assert p.shape == torch.Size([6])


def test_a_shape_is_asked_again_after_it_changed(p: Any) -> None:
    q = p + 0
    assert q.shape == (2, 3)
    q.t_()
    assert q.shape == (3, 2)
    q.unsqueeze_(0)
    assert q.shape == (1, 3, 2)


def test_data_edits_the_remote_tensor(bob: Worker) -> None:
    w = torch.tensor([1.0, 2.0], requires_grad=True).send(bob)
    w.data.add_(1)
    assert w.data.copy().get().tolist() == [2.0, 3.0]
    back = w.get()
    assert back.tolist() == [2.0, 3.0]
    assert back.requires_grad


def test_attr_gives_an_attribute_pointer(bob: Worker) -> None:
    w = torch.tensor([1.0], requires_grad=True).send(bob)
    w.sum().backward()
    assert str(w.attr("grad")) == f"{w}::grad"
    assert str(w.child.attr("grad")) == f"{w.child}::grad"
    assert (w.attr("grad") + 1).get().tolist() == [2.0]


def test_setattr_sets_a_remote_attribute(bob: Worker) -> None:
    w = torch.tensor([1.0], requires_grad=True).send(bob)
    g = torch.tensor([5.0]).send(bob)
    w.child.setattr("grad", g.child)
    assert w.get().grad.tolist() == [5.0]


def test_is_none_looks_at_the_object_and_at_the_attribute(bob: Worker) -> None:
    w = torch.tensor([1.0], requires_grad=True).send(bob)
    assert w.child.is_none() is False
    assert w.child.attr("grad").is_none() is True
    w.sum().backward()
    assert w.child.attr("grad").is_none() is False
    bob.clear_objects()
    assert w.child.is_none() is True


def test_parent_is_a_weak_reference_to_the_wrapper(p: Any) -> None:
    assert p.child.parent() is p


# --- ordinary tensor questions ----------------------------------------------------------------------


def test_size_is_the_true_size(p: Any) -> None:
    assert p.size() == torch.Size([2, 3])
    assert (p.size(0), p.size(-1)) == (2, 3)


def test_ndim_is_the_true_number(p: Any) -> None:
    assert p.ndim == p.ndimension() == 2


def test_numel_is_the_true_number(p: Any) -> None:
    assert p.numel() == p.nelement() == 6


def test_dtype_and_type_are_the_remote_ones(p: Any) -> None:
    assert p.dtype is torch.float32
    assert p.type() == "torch.FloatTensor"
    q = p.long()
    assert q.dtype is torch.int64
    assert q.type() == "torch.LongTensor"
    assert (q.is_floating_point(), p.is_floating_point()) == (False, True)


def test_device_and_layout_are_answered(p: Any) -> None:
    assert p.device == torch.device("cpu")
    assert p.is_cuda is False
    assert p.layout is torch.strided


def test_requires_grad_is_the_remote_one(p: Any, bob: Worker) -> None:
    assert p.requires_grad is False
    w = torch.tensor([1.0], requires_grad=True).send(bob)
    assert w.requires_grad is True
    assert (w * 2).requires_grad is True
    assert w.detach().requires_grad is False


def test_pointers_have_no_local_graph(p: Any) -> None:
    assert p.is_leaf is True
    assert p.grad_fn is None


def test_transposing_by_attribute_is_remote(p: Any, x: torch.Tensor) -> None:
    assert torch.equal(p.T.get(), x.T)
    assert torch.equal(p.mT.get(), x.mT)


def test_stride_is_true(p: Any) -> None:
    assert p.stride() == (3, 1)
    assert p.t().stride() == (1, 3)


def test_item_tells_to_use_get(bob: Worker) -> None:
    with pytest.raises(RuntimeError, match="get"):
        torch.tensor(1.0).send(bob).item()


def test_tolist_tells_to_use_get(p: Any) -> None:
    with pytest.raises(SyftError, match="get"):
        p.tolist()


def test_bool_and_float_of_one_element_are_the_remote_value(bob: Worker) -> None:
    x = torch.tensor(2.5).send(bob)
    assert float(x) == 2.5
    assert bool(x > 2) is True
    assert bool(x > 3) is False


@pytest.mark.parametrize("ask", [bool, float, int], ids=["bool", "float", "int"])
def test_many_values_are_no_single_one(p: Any, ask: Any) -> None:
    with pytest.raises((RuntimeError, ValueError)):
        ask(p)


@pytest.mark.parametrize("ask", [lambda p: p.numpy(), np.array, np.asarray], ids=["numpy", "array", "asarray"])
def test_arrays_need_get(p: Any, ask: Any) -> None:
    with pytest.raises(SyftError, match="get"):
        ask(p)


def test_equal_and_allclose_are_plain_bools(p: Any) -> None:
    assert torch.equal(p, p) is True
    assert torch.allclose(p, p + 1) is False
    assert p.equal(p) is True


def test_iterating_gives_row_pointers(p: Any) -> None:
    rows = list(p)
    assert [r.copy().get().tolist() for r in rows] == [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
    a, b = p
    assert (a + b).get().tolist() == [5.0, 7.0, 9.0]
    assert [r.location for r in p] == [p.location] * 2


def test_unpacking_the_wrong_number_of_rows_fails(p: Any) -> None:
    with pytest.raises(ValueError, match="unpack"):
        a, b, c = p


INDICES: dict[str, Any] = {
    "int": 1, "negative": -1, "pair": (1, 2), "slice": slice(1, None), "mixed": (slice(None), slice(1, None)),
    "ellipsis": (..., 0), "none": None, "step": (slice(None), slice(None, None, 2)), "list": [1, 0],
    "lists": ([0, 1], [2, 0]), "true": True,
}  # fmt: skip


@pytest.mark.parametrize("index", INDICES.values(), ids=INDICES.keys())
def test_indexing_is_remote(p: Any, x: torch.Tensor, index: Any) -> None:
    assert torch.equal(p[index].get(), x[index])


def test_pointers_index(p: Any, x: torch.Tensor, bob: Worker) -> None:
    index = torch.tensor([1, 0])
    assert torch.equal(p[index.send(bob)].get(), x[index])
    assert torch.equal(p[:, index.send(bob)].get(), x[:, index])


def test_masks_index(p: Any, x: torch.Tensor) -> None:
    assert p[p > 2].get().tolist() == x[x > 2].tolist()


def test_a_local_tensor_does_not_index_a_pointer(p: Any) -> None:
    with pytest.raises(TensorsNotCollocatedException):
        p[torch.tensor([1, 0])]


def test_assigning_items_is_remote(p: Any, bob: Worker) -> None:
    p[0] = 0
    p[1, 2] = torch.tensor(9.0).send(bob)
    p[p == 5] = -1
    assert p.get().tolist() == [[0.0, 0.0, 0.0], [4.0, -1.0, 9.0]]


COMPARISONS: dict[str, Any] = {
    "==": lambda a: a == a, "!=": lambda a: a != a * 2 - 2, ">": lambda a: a > 2, ">=": lambda a: a >= 2,
    "<": lambda a: a < 2, "<=": lambda a: 2 <= a, "ne": lambda a: a.ne(2), "!= number": lambda a: a != 3,
}  # fmt: skip


@pytest.mark.parametrize("compare", COMPARISONS.values(), ids=COMPARISONS.keys())
def test_comparing_is_remote(p: Any, x: torch.Tensor, compare: Any) -> None:
    result = compare(p)
    assert result.is_wrapper
    assert result.dtype is torch.bool
    assert torch.equal(result.get(), compare(x))


def test_membership_and_hash_go_by_identity(p: Any) -> None:
    assert p in [p]
    assert hash(p) == id(p)
    assert {p: 1}[p] == 1


ARITHMETIC: dict[str, Any] = {
    "abs": lambda a: abs(-a), "sum": lambda a: sum([a, a]), "neg": lambda a: -a, "rsub": lambda a: 1 - a,
    "rpow": lambda a: 2**a, "rdiv": lambda a: 1 / a, "radd": lambda a: 1 + a, "rmul": lambda a: 2 * a,
    "floordiv": lambda a: a // 2, "rfloordiv": lambda a: 7 // a, "mod": lambda a: a % 2, "pow": lambda a: a**2,
    "matmul": lambda a: a @ a.t(), "invert": lambda a: ~(a > 2), "and": lambda a: (a > 1) & (a < 5),
    "or": lambda a: (a < 2) | (a > 5), "xor": lambda a: (a < 3) ^ (a > 1), "lshift": lambda a: a.long() << 1,
    "rmod": lambda a: 7 % a,
}  # fmt: skip


@pytest.mark.parametrize("compute", ARITHMETIC.values(), ids=ARITHMETIC.keys())
def test_operators_are_remote(p: Any, x: torch.Tensor, compute: Any) -> None:
    result = compute(p)
    assert result.location is p.location
    assert torch.equal(result.get(), compute(x))


INPLACE: dict[str, Any] = {
    "+=": "__iadd__", "-=": "__isub__", "*=": "__imul__", "/=": "__itruediv__", "//=": "__ifloordiv__",
    "%=": "__imod__", "**=": "__ipow__",
}  # fmt: skip


@pytest.mark.parametrize("name", INPLACE.values(), ids=INPLACE.keys())
def test_augmented_assignments_change_the_remote_tensor(p: Any, x: torch.Tensor, name: str, bob: Worker) -> None:
    result = getattr(p, name)(2)
    assert result is p
    assert len(bob._objects) == 1
    expected = x.clone()
    getattr(expected, name)(2)
    assert torch.equal(p.get(), expected)


def test_formats_and_rounding_need_values(p: Any) -> None:
    for spec in (".2f", "d"):
        with pytest.raises(TypeError):
            format(p.sum(), spec)


def test_pointers_cannot_be_saved(p: Any) -> None:
    for save in (lambda: torch.save(p, io.BytesIO()), lambda: pickle.dumps(p), lambda: copy.copy(p)):
        with pytest.raises(NotLocalError, match="get"):
            save()
    with pytest.raises(NotLocalError):
        torch.save({"weights": [p]}, io.BytesIO())


def test_deepcopy_points_to_copy(p: Any) -> None:
    with pytest.raises(NotLocalError, match=r"\.copy\(\)"):
        copy.deepcopy(p)


@pytest.mark.filterwarnings("ignore:To copy construct from a tensor")
@pytest.mark.parametrize("make", [torch.tensor, torch.Tensor, lambda p: torch.as_tensor(p, dtype=torch.float64)])
def test_no_local_tensor_is_made_of_a_pointer(p: Any, make: Any) -> None:
    with pytest.raises(SyftError, match="get"):
        make(p)


def test_as_tensor_gives_the_pointer_itself(p: Any) -> None:
    assert torch.as_tensor(p) is p


def test_hooks_cannot_be_registered_remotely(p: Any) -> None:
    with pytest.raises((TypeError, SyftError)) as caught:
        p.register_hook(print)
    assert str(caught.value)


def test_unknown_attributes_are_attribute_errors(p: Any) -> None:
    with pytest.raises(AttributeError, match="'Tensor' object has no attribute 'foo'"):
        p.foo  # noqa: B018
    assert not hasattr(p, "foo")
    assert getattr(p.child, "foo", None) is None


def test_pointers_are_true_members_of_collections(p: Any) -> None:
    q = p + 1
    pair = {p, q}
    assert len(pair) == 2
    assert [t is p for t in (p, q)] == [True, False]
