"""The op table: what it holds, what it refuses and what it guards."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import BuiltinFunctionType, FunctionType
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from syft.core import ops
from syft.core.ops import BY_FUNC, BY_NAME, DENIED, KERNEL, Op, Returns, op_named, op_of
from syft.exceptions import SyftError, UnsupportedOp

SNAPSHOT_TORCH = (2, 13)
ROOT = Path(__file__).parents[2]
LINES = (ROOT / "src/syft/core/ops.txt").read_text(encoding="utf-8").splitlines()
HERE = tuple(int(part) for part in torch.__version__.split(".")[:2])
ACCESSORS = ("__get__", "__set__", "__delete__")


def last_part(name: str) -> str:
    parts = name.split(".")
    return parts[-2] if parts[-1] in ACCESSORS else parts[-1]


OF_TORCH = {name: op for name, op in BY_NAME.items() if not name.startswith(KERNEL)}


class TestSnapshot:
    def test_is_sorted_and_has_each_name_once(self) -> None:
        assert sorted(LINES) == LINES
        assert len({line.split(" ")[0] for line in LINES}) == len(LINES)

    def test_holds_no_denied_name(self) -> None:
        assert [line for line in LINES if last_part(line.split(" ")[0]) in DENIED] == []

    @pytest.mark.parametrize("word", ["load", "save", "file", "storage", "strided", "ptr", "dlpack", "hook", "share_"])
    def test_holds_nothing_that_sounds_dangerous(self, word: str) -> None:
        zeroed = {"Tensor.new_empty_strided", "torch.empty_strided", "Tensor.storage_offset"}
        assert [name for name in BY_NAME if word in name and name not in zeroed] == []

    @pytest.mark.skipif(HERE != SNAPSHOT_TORCH, reason="the snapshot is taken from one version of torch")
    def test_is_what_the_generator_writes(self) -> None:
        # In a process of its own: here torch may be hooked, and its dir() has our verbs too.
        script = ROOT / "scripts/snapshot_ops.py"
        done = subprocess.run(
            [sys.executable, str(script), "--check"], capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    @pytest.mark.skipif(HERE != SNAPSHOT_TORCH, reason="the snapshot is taken from one version of torch")
    def test_all_names_resolve_on_its_own_torch(self) -> None:
        kernels = [name for name in BY_NAME if name.startswith(KERNEL)]
        assert len(BY_NAME) == len(LINES)
        assert len(BY_FUNC) == len(BY_NAME) - len(kernels)

    @pytest.mark.parametrize("op", [pytest.param(op, id=name) for name, op in list(OF_TORCH.items())[::7]])
    def test_entries_agree_with_themselves(self, op: Op) -> None:
        assert op_named(op.name) is op
        assert ops._resolve(op.name) in BY_FUNC

    def test_no_name_leads_outside_torch(self) -> None:
        for name, op in OF_TORCH.items():
            func = ops._resolve(name)
            assert name.split(".")[0] in ("torch", "Tensor")
            assert not isinstance(func, type), name
            module = getattr(func, "__module__", None) or "torch"
            assert module == "builtins" or module.split(".")[0] == "torch", (name, module)
            assert callable(op.fn)
            if isinstance(func, BuiltinFunctionType):
                assert "torch" in repr(func.__self__) or func.__self__ is None, name
            elif not isinstance(func, FunctionType):
                owner = getattr(func, "__objclass__", torch._C.TensorBase)
                assert issubclass(torch.Tensor, owner) or last_part(name) in vars(torch.Tensor) or ".__" in name, name

    def test_the_tables_cannot_be_written(self) -> None:
        for table in (BY_NAME, BY_FUNC, DENIED):
            with pytest.raises(TypeError):
                table["Tensor.item"] = op_named("torch.add")  # type: ignore[index]


class TestNames:
    @pytest.mark.parametrize(
        ("key", "spellings"),
        {
            "add": ["torch.add", "Tensor.add", "Tensor.__add__", "Tensor.__radd__"],
            "add_": ["Tensor.add_", "Tensor.__iadd__"],
            "sub": ["torch.sub", "Tensor.__sub__", "torch.subtract"],
            "rsub": ["torch.rsub", "Tensor.__rsub__"],
            "mul": ["torch.mul", "torch.multiply", "Tensor.__rmul__"],
            "div": ["torch.div", "Tensor.__truediv__", "torch.true_divide"],
            "rdiv": ["Tensor.__rdiv__"],
            "pow": ["torch.pow", "Tensor.__pow__"],
            "rpow": ["Tensor.__rpow__"],
            "matmul": ["torch.matmul", "Tensor.__matmul__"],
            "rmatmul": ["Tensor.__rmatmul__"],
            "neg": ["torch.neg", "Tensor.__neg__", "Tensor.negative"],
            "abs": ["torch.abs", "Tensor.__abs__", "torch.absolute"],
            "eq": ["torch.eq", "Tensor.__eq__"],
            "bitwise_not": ["Tensor.__invert__", "torch.bitwise_not"],
            "bitwise_and": ["Tensor.__and__", "Tensor.__rand__"],
            "getitem": ["Tensor.__getitem__"],
            "setitem": ["Tensor.__setitem__"],
            "relu": ["torch.relu", "Tensor.relu", "torch.nn.functional.relu"],
            "relu_": ["torch.relu_", "Tensor.relu_"],
            "shape": ["Tensor.shape.__get__"],
            "grad": ["Tensor.grad.__get__"],
            "grad.set": ["Tensor.grad.__set__"],
            "linalg.norm": ["torch.linalg.norm"],
            "softmax": ["torch.softmax", "Tensor.softmax", "torch.nn.functional.softmax"],
            "where": ["torch.where", "Tensor.where"],
        }.items(),
    )
    def test_spellings_share_a_key(self, key: str, spellings: list[str]) -> None:
        assert {op_named(spelling).key for spelling in spellings} == {key}

    def test_other_argument_orders_have_other_keys(self) -> None:
        assert op_of(F.embedding).key == "embedding"
        assert op_of(torch.embedding).key == "native.embedding"
        assert op_of(F.batch_norm).key != op_of(torch.batch_norm).key
        assert op_named("Tensor.bool").key != op_named("Tensor.__bool__").key

    @pytest.mark.parametrize(
        ("func", "name"),
        [
            (torch.nn.functional.relu, "torch.nn.functional.relu"),
            (torch.nn.functional.conv2d, "torch.conv2d"),
            (torch.nn.functional.linear, "torch.nn.functional.linear"),
            (torch._C._VariableFunctions.add, "torch.add"),
            (torch._VF.lstm, "torch.lstm"),
            (torch._VF._pack_padded_sequence, "torch._pack_padded_sequence"),
            (torch.Tensor.grad.__get__, "Tensor.grad.__get__"),
            (torch.Tensor.grad.__set__, "Tensor.grad.__set__"),
            (torch.Tensor.grad.__delete__, "Tensor.grad.__delete__"),
            (torch.Tensor.__rtruediv__, "Tensor.__rdiv__"),
            (torch.nn.init.uniform_, "torch.nn.init.uniform_"),
            (torch.autograd.grad, "torch.autograd.grad"),
            (torch.functional.split, "torch.split"),
        ],
    )
    def test_aliases_have_one_name(self, func: Callable[..., Any], name: str) -> None:
        assert op_of(func).name == name


class TestRefusals:
    @pytest.mark.parametrize(
        ("func", "words"),
        [
            (torch.Tensor.item, r"'Tensor\.item' is not allowed.*\.get\(\)"),
            (torch.Tensor.numpy, r"\.get\(\)"),
            (torch.Tensor.apply_, "runs code"),
            (torch.Tensor.register_hook, "hooks run code"),
            (torch.Tensor.data_ptr, "raw memory"),
            (torch.as_strided, "use slices"),
            (torch.Tensor.resize_, "nobody wrote"),
            (torch.Tensor._base.__get__, r"'Tensor\._base\.__get__'"),
            (torch.Tensor.__cuda_array_interface__.__get__, "raw memory"),
            (torch.save, r"\.send\(\)"),
            (print, "'builtins.print' is not in the op table"),
            ([], "not in the op table"),
        ],
    )
    def test_op_of(self, func: Any, words: str) -> None:
        with pytest.raises(UnsupportedOp, match=words):
            op_of(func)

    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("Tensor.item", "not allowed"),
            ("Tensor._cdata.__get__", "not allowed"),
            ("torch.load", "not allowed"),
            ("os.system", "not in the op table"),
            ("torch.os.system", "not in the op table"),
            ("Tensor.__class__.__subclasses__", "not in the op table"),
            ("add", "not in the op table"),
            ("", "not in the op table"),
            (["torch.add"], "not in the op table"),
            ("x" * 10**6, "not in the op table"),
        ],
    )
    def test_op_named(self, name: Any, words: str) -> None:
        with pytest.raises(UnsupportedOp, match=words) as caught:
            op_named(name)
        assert isinstance(caught.value, SyftError)
        assert not isinstance(caught.value, TypeError)
        assert len(str(caught.value)) < 400


class TestGuards:
    @pytest.mark.parametrize(
        ("name", "arguments"),
        [
            ("torch.empty", (64, 64)),
            ("torch.empty_like", (torch.ones(64, 64),)),
            ("torch.empty_strided", ((64, 64), (64, 1))),
            ("torch.empty_permuted", ((64, 64), (1, 0))),
            ("Tensor.new_empty", (torch.ones(2), (64, 64))),
            ("Tensor.new_empty_strided", (torch.ones(2), (64, 64), (64, 1))),
        ],
    )
    def test_memory_is_written_before_it_is_handed_out(self, name: str, arguments: tuple[Any, ...]) -> None:
        for _ in range(5):
            dirty = torch.full((64, 64), 7.0)
            del dirty
            result = op_named(name).fn(*arguments, requires_grad=True)
            assert result.shape == (64, 64)
            assert result.requires_grad
            assert not result.any()

    def test_indices_of_a_sparse_tensor_are_a_copy(self) -> None:
        sparse = torch.eye(3).to_sparse()
        op_named("Tensor.indices").fn(sparse).fill_(10**6)
        assert sparse.to_dense().equal(torch.eye(3))

    @pytest.mark.parametrize("pool", [F.max_pool2d, F.adaptive_max_pool2d])
    def test_pooling_without_indices_returns_one_tensor(self, pool: Callable[..., Any]) -> None:
        op, image = op_of(pool), torch.rand(1, 1, 4, 4)
        assert op.returns is Returns.TENSOR
        assert op.fn(image, 2).equal(pool(image, 2))
        with pytest.raises(UnsupportedOp, match="_with_indices"):
            op.fn(image, 2, return_indices=True)
