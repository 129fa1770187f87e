"""Every call that torch hands over is in the op table or denied, and its result is what ``returns`` promises.

A recording subclass runs torch's own samples, its modules and its optimizers.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
import torch
from torch import nn
from torch.utils._pytree import tree_map_only

from syft.core.ops import BY_NAME, KERNEL, Op, Returns, op_named, op_of
from syft.exceptions import UnsupportedOp

SNAPSHOT_TORCH = (2, 13)
HERE = tuple(int(part) for part in torch.__version__.split(".")[:2])

# Reached by the samples of op_db only, and not meant for users.
INTERNAL = {
    "torch._native_batch_norm_legit",
    "torch._unsafe_masked_index",
    "torch._unsafe_masked_index_put_accumulate",
    "torch._chunk_cat",
}


class Recorder(torch.Tensor):
    """Runs every call through the table and holds the result against ``returns``."""

    seen: ClassVar[set[str]] = set()
    gaps: ClassVar[set[str]] = set()

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        try:
            op = op_of(func)
        except UnsupportedOp as error:
            if "is not allowed" not in str(error):
                cls.gaps.add(str(error).split("'")[1])
            return super().__torch_function__(func, types, args, kwargs)
        with torch._C.DisableTorchFunctionSubclass():
            result = op.fn(*args, **kwargs)
        check(op, result, args)
        return wrapped(result)


def check(op: Op, result: Any, args: tuple[Any, ...]) -> None:
    """Fails unless ``result`` is what the table promises."""
    Recorder.seen.add(op.name)
    if op.returns is Returns.TENSOR:
        truth = isinstance(result, torch.Tensor)
    elif op.returns is Returns.NOTHING:
        truth = result is None
    elif op.returns is Returns.SELF and isinstance(args[0], list | tuple):
        truth = all(new is old for new, old in zip(result, args[0], strict=True))
    else:
        truth = op.returns is Returns.ANY or result is args[0]
    if not truth:
        pytest.fail(f"{op.name} is {op.returns} and returned {type(result)}")


def wrapped(value: Any) -> Any:
    if type(value) is torch.Tensor and value.layout is torch.strided:
        return value.as_subclass(Recorder)
    if type(value) in (list, tuple):
        return type(value)(wrapped(item) for item in value)
    if type(value) is dict:
        return {key: wrapped(item) for key, item in value.items()}
    return value


def fresh(value: Any) -> Any:
    return tree_map_only(torch.Tensor, torch.clone, value)


@pytest.fixture
def quiet() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with warnings.catch_warnings(), torch.random.fork_rng():
        warnings.simplefilter("ignore")
        yield
    torch.set_num_threads(threads)


@pytest.fixture
def no_gaps() -> Iterator[None]:
    Recorder.gaps.clear()
    yield
    assert {gap for gap in Recorder.gaps if not gap.startswith("aten.")} <= INTERNAL


def run_op_db() -> tuple[int, int]:
    """Runs torch's own samples and says how many there were and how many torch refused."""
    common = pytest.importorskip("torch.testing._internal.common_methods_invocations")
    ran = failed = 0
    for info in common.op_db:
        dtype = next((d for d in (torch.float32, torch.int64, torch.complex64) if d in info.dtypes), None)
        if dtype is None or "jiterator" in info.name:
            continue
        variants = {info.op, info.method_variant, info.inplace_variant, info.operator_variant}
        for sample in itertools.islice(info.sample_inputs("cpu", dtype), 6):
            for variant in (variants | {info.inplace_operator_variant}) - {None}:
                operands = wrapped(fresh((sample.input, *sample.args)))
                ran += 1
                try:
                    variant(*operands, **wrapped(sample.kwargs))
                except Exception:
                    failed += 1  # in-place variants of samples that broadcast, and the like
    return ran, failed


def run_trials() -> None:
    """Tries the promises that no sample reached with a few arguments of many kinds."""
    real, whole = torch.rand(3, 3) + 0.1, torch.randint(1, 3, (3, 3))
    leaves = [real, whole, real > 0.5, torch.complex(real, real), real[0], whole[0], real[0, 0]]
    leaves += [torch.rand(1, *[4] * n) for n in (2, 3, 4)] + [real.clone().requires_grad_().sum()]
    leaves += [real.to_sparse(), real.to_sparse_csr(), real.to_sparse_csc(), real.to_sparse_bsr((1, 1))]
    trials = [(), (1,), (0,), (2.0,), (3, 3), ("self",), (0, 1), (1, "self"), ("self", "self"), ((3, 3),), (0, "self")]
    trials += [(0, 1, 1), (0.5, True), (True,), ((1, 1),), ((1, 1, 1, 1),), ([1] * 6,), ((8,), True), ((8, 8), True)]
    trials += [((8, 8, 8), True), ((8,), None), ((8, 8), None), ((8, 8, 8), None), (whole, "self", "self"), (whole[0],)]
    trials += [((2, 2), (1, 1), (0, 0), (1, 1)), (2, 1), (1, 2), ([1, 2], whole)]
    bare = [(3,), (3, 3), ((3,),), ((3,), 1.0), (0, 5, (3,)), ((3, 3), (1, 0)), ((3, 3), (3, 1))]
    for op in BY_NAME.values():
        if op.name in Recorder.seen or op.returns is Returns.ANY:
            continue
        for leaf in leaves:
            for trial in trials:
                many = "_foreach_" in op.name or "cat" in op.name or "stack" in op.name
                first = [leaf.clone()] if many else leaf.clone()
                attempt(op, (first, *(leaf.clone() if isinstance(item, str) else item for item in trial)))
        for arguments in bare:
            attempt(op, arguments)


def attempt(op: Op, args: tuple[Any, ...]) -> None:
    try:
        result = op.fn(*args)
    except Exception:
        return  # the arguments do not fit this op
    check(op, result, args)


def wrap_module(module: nn.Module) -> nn.Module:
    for part in module.modules():
        for name, parameter in part._parameters.items():
            if parameter is not None:
                part._parameters[name] = parameter.detach().as_subclass(Recorder).requires_grad_()
        for name, buffer in part._buffers.items():
            part._buffers[name] = wrapped(buffer)
        if isinstance(part, nn.RNNBase):
            part._flat_weights = [getattr(part, name) for name in part._flat_weights_names]
    return module


# Promises that neither samples nor trials reach: what they need is made by hand here.
X, M, V, PAIR = torch.rand(1, 2, 4, 4), torch.rand(4, 4), torch.rand(4), torch.tensor([1, 0])
BY_HAND: dict[str, tuple[Any, ...]] = {
    "Tensor.float_power_": (V.double(), 2.0),
    "Tensor.orgqr": (M, V),
    "Tensor.smm": (M.to_sparse(), M),
    "Tensor.sspaddmm": (M.to_sparse(), M.to_sparse(), M),
    "torch._C._nn.col2im": (torch.rand(1, 4, 4), (4, 4), (2, 2), (1, 1), (0, 0), (2, 2)),
    "torch._C._nn.max_unpool2d": (X, torch.arange(32).view(1, 2, 4, 4) % 16, (4, 4)),
    "torch._C._nn.max_unpool3d": (X, torch.arange(32).view(1, 2, 4, 4), (2, 4, 4), (1, 1, 1), (0, 0, 0)),
    "torch._C._nn.nll_loss2d": (X, torch.zeros(1, 4, 4, dtype=torch.long)),
    "torch._C._nn.pad_sequence": ([V, V[:2]],),
    "torch._C._nn.replication_pad1d": (M, (1, 1)),
    "torch._C._nn.replication_pad2d": (X, (1, 1, 1, 1)),
    "torch._C._nn.replication_pad3d": (X, (1, 1, 1, 1, 1, 1)),
    "torch._VF.block_diag": ([M, M],),
    "torch._VF.cartesian_prod": ([V, V],),
    "torch._VF.chain_matmul": ([M, M],),
    "torch._VF.einsum": ("ij->i", [M]),
    "torch._VF.tensordot": (M, M, [1], [0]),
    "torch._foreach_addcdiv_": ([V], [V], [V]),
    "torch._foreach_addcmul_": ([V], [V], [V]),
    "torch._foreach_copy_": ([V], [V]),
    "torch._foreach_lerp_": ([V], [V], 0.5),
    "torch.addmv_": (V, M, V),
    "torch.affine_grid_generator": (torch.rand(1, 2, 3), (1, 2, 4, 4), False),
    "torch.batch_norm": (X, None, None, V[:2], V[:2], False, 0.1, 1e-5, False),
    "torch.conv_tbc": (torch.rand(4, 1, 2), torch.rand(3, 2, 2), V[:2]),
    "torch.convolution": (X, torch.rand(2, 2, 3, 3), None, (1, 1), (0, 0), (1, 1), False, (0, 0), 1),
    "torch.cosine_embedding_loss": (M, M, torch.ones(4)),
    "torch.ctc_loss": (torch.rand(5, 1, 3).log_softmax(2), torch.tensor([[1, 2]]), torch.tensor([5]), PAIR[:1] + 1),
    "torch.embedding_renorm_": (M, PAIR, 1.0, 2.0),
    "torch.grid_sampler": (X, torch.rand(1, 2, 2, 2), 0, 0, False),
    "torch.gru_cell": (M, M, torch.rand(12, 4), torch.rand(12, 4)),
    "torch.index_put_": (V, (PAIR,), V[0]),
    "torch.instance_norm": (X, None, None, None, None, True, 0.1, 1e-5, False),
    "torch.nn.functional.affine_grid": (torch.rand(1, 2, 3), (1, 2, 4, 4)),
    "torch.orgqr": (M, V),
    "torch.poisson_nll_loss": (V, V, True, False, 1e-8, 1),
    "torch.smm": (M.to_sparse(), M),
    "torch.view_as_complex_copy": (torch.rand(3, 2),),
}
UNTRIED = {
    "Tensor.cuda",
    "torch.indices_copy",
    "torch._transformer_encoder_layer_fwd",  # test_modules runs this one
    *(f"torch._fused_{name}_" for name in ("adagrad", "adam", "adamw", "sgd")),  # test_fused_optimizers runs these
}


@pytest.mark.usefixtures("quiet", "no_gaps")
@pytest.mark.skipif(HERE != SNAPSHOT_TORCH, reason="what torch hands over is reviewed for one version of torch")
class TestWhatTorchHandsOver:
    """Runs parts of torch over `Recorder`: all that it meets is listed or denied, and keeps its promise."""

    @pytest.mark.timeout(180)  # seven thousand calls; half a minute on a busy machine
    def test_op_db_and_trials(self) -> None:
        Recorder.seen.clear()
        ran, failed = run_op_db()
        assert ran > 3000
        assert failed < ran / 10
        run_trials()
        for name, arguments in BY_HAND.items():
            arguments = fresh(arguments)
            check(op_named(name), op_named(name).fn(*arguments), arguments)
        promised = {
            name for name, op in BY_NAME.items() if op.returns is not Returns.ANY and not name.startswith(KERNEL)
        }
        assert promised - Recorder.seen <= UNTRIED

    def test_modules(self) -> None:
        x = torch.randn(4, 6, 8).as_subclass(Recorder)
        image = torch.randn(2, 3, 8, 8).as_subclass(Recorder)
        for module in (nn.RNN(8, 3), nn.RNN(8, 3, nonlinearity="relu"), nn.LSTM(8, 3, 2, bidirectional=True),
                       nn.GRU(8, 3), nn.TransformerEncoderLayer(8, 2, 8), nn.Transformer(8, 2, 1, 1, 8)):  # fmt: skip
            wrap_module(module)
            out = module(x, x) if isinstance(module, nn.Transformer) else module(x)
            (out[0] if isinstance(out, tuple) else out).sum().backward()
        for module in (nn.RNNCell(8, 3), nn.LSTMCell(8, 3), nn.GRUCell(8, 3), nn.BatchNorm1d(8), nn.LayerNorm(8),
                       nn.Linear(8, 2), nn.GroupNorm(2, 8), nn.RMSNorm(8), nn.PReLU()):  # fmt: skip
            out = wrap_module(module)(x[0])
            (out[0] if isinstance(out, tuple) else out).sum().backward()
        for module in (nn.Conv2d(3, 2, 3), nn.ConvTranspose2d(3, 2, 3), nn.BatchNorm2d(3), nn.InstanceNorm2d(3),
                       nn.MaxPool2d(2), nn.MaxPool2d(2, return_indices=True), nn.AvgPool2d(2), nn.AdaptiveMaxPool2d(2),
                       nn.AdaptiveAvgPool2d(2), nn.Dropout2d(), nn.Upsample(scale_factor=2), nn.ReLU(inplace=False),
                       nn.Hardswish(), nn.Hardsigmoid(), nn.SiLU(), nn.Softmax(1), nn.PixelShuffle(1)):  # fmt: skip
            wrap_module(module)(image)
        wrap_module(nn.MultiheadAttention(8, 2))(x, x, x)
        wrap_module(nn.Embedding(5, 3))(wrapped(torch.tensor([1, 2])))
        wrap_module(nn.EmbeddingBag(5, 3))(wrapped(torch.tensor([[1, 2]])))
        with torch.no_grad():
            wrap_module(nn.TransformerEncoderLayer(8, 2, 8, batch_first=True)).eval()(x)
        packed = nn.utils.rnn.pack_padded_sequence(x, torch.tensor([6, 5, 2, 1]), batch_first=True)
        nn.utils.rnn.pad_packed_sequence(wrap_module(nn.LSTM(8, 3))(packed)[0])
        nn.utils.vector_to_parameters(nn.utils.parameters_to_vector([x, x]), [x, x])
        model = wrap_module(nn.Linear(8, 2))
        model.load_state_dict(nn.Linear(8, 2).state_dict())
        for loss in (nn.MSELoss(), nn.L1Loss(), nn.SmoothL1Loss(), nn.HuberLoss(), nn.BCEWithLogitsLoss()):
            loss(x, wrapped(torch.rand(4, 6, 8)))
        for loss in (nn.CrossEntropyLoss(), nn.NLLLoss()):
            loss(x[0], wrapped(torch.zeros(6, dtype=torch.long)))

    @pytest.mark.parametrize("foreach", [True, False])
    @pytest.mark.parametrize(
        ("name", "options"),
        [("SGD", {"momentum": 0.9, "nesterov": True}), ("SGD", {}), ("Adam", {"amsgrad": True}), ("AdamW", {}),
         ("Adamax", {}), ("Adagrad", {"lr_decay": 0.1}), ("Adadelta", {}),
         ("RMSprop", {"centered": True, "momentum": 0.9}), ("Rprop", {}), ("ASGD", {}), ("NAdam", {}),
         ("RAdam", {}), ("LBFGS", {"line_search_fn": "strong_wolfe"})],
    )  # fmt: skip
    def test_optimizers(self, name: str, options: dict[str, Any], foreach: bool) -> None:
        parameters = [torch.randn(3, 3).as_subclass(Recorder).requires_grad_() for _ in range(2)]
        if name != "LBFGS":
            options = options | {"foreach": foreach}
            if name not in ("Rprop", "LBFGS"):
                options |= {"weight_decay": 0.1}
        optimizer = getattr(torch.optim, name)(parameters, lr=0.1, **options)
        plan = torch.optim.lr_scheduler.StepLR(optimizer, 1)

        def closure() -> torch.Tensor:
            optimizer.zero_grad()
            loss = sum(((p @ p - 1) ** 2).mean() for p in parameters)
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            nn.utils.clip_grad_value_(parameters, 0.5)
            return loss

        for _ in range(3):
            if name == "LBFGS":
                optimizer.step(closure)
            else:
                closure()
                optimizer.step()
            plan.step()
        optimizer.zero_grad(set_to_none=False)
        optimizer.load_state_dict(optimizer.state_dict())

    @pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "Adagrad"])
    def test_fused_optimizers(self, name: str) -> None:
        parameter = torch.randn(3, 3).as_subclass(Recorder).requires_grad_()
        optimizer = getattr(torch.optim, name)([parameter], lr=0.1, fused=True)
        parameter.sum().backward()
        optimizer.step()
