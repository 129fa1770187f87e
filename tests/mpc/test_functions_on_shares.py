"""Functions of shared numbers, and their gradients, against torch."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import syft as sy
from syft.encoded import functions as f
from syft.encoded.costs import profile
from syft.encoded.tensor import number_of, tensor_of
from syft.exceptions import UnsupportedOp, UsageError

BINARY = {"base": 2, "precision_fractional": 16}


@pytest.fixture(params=[2, 3])
def share(request, hook):
    """Encode and share a tensor among two or three workers."""
    workers = [sy.VirtualWorker(hook, id=name) for name in ("alice", "bob", "carol", "james")]
    holders = workers[: request.param]

    def shared(tensor, requires_grad=False, **encoding):
        out = tensor.detach().fix_precision(**(encoding or BINARY)).share(*holders, crypto_provider=workers[-1])
        return out.requires_grad_(requires_grad)

    return shared


def opened(tensor):
    """What a tensor stands for; it can be used afterwards."""
    link = tensor.detach().child
    raw = link.child if isinstance(link.child, torch.Tensor) else link.child.get(keep=True)
    return link.encoding.decode(raw)


NUMBERS = torch.tensor([1.0, -2.0, 300.0, 0.5, -0.125])
DIVISORS = torch.tensor([-3.0, 0.25, 7.0, 0.0625, -100.0])


@pytest.mark.parametrize(
    "function",
    [
        lambda a, b: a / b,
        lambda a, b: 1 / b,
        lambda a, b: b.reciprocal(),
        lambda a, b: 500 / b,
        lambda a, b: torch.arange(5) / b,
        lambda a, b: a.clone().div_(b),
        lambda a, b: torch.addcdiv(a, a, b, value=0.5),
        lambda a, b: a / 3 + a / -7.5 + a / 1000,
        lambda a, b: a / torch.tensor([1.0, 2.0, 3.0, 1000.0, -4.0]),
    ],
)
def test_quotients(share, function):
    found = opened(function(share(NUMBERS), share(DIVISORS)))
    torch.testing.assert_close(found, function(NUMBERS, DIVISORS), rtol=1e-5, atol=1e-4)


def test_gradients_of_quotients(share):
    a, b = share(NUMBERS, True), share(DIVISORS, True)
    plain_a, plain_b = NUMBERS.clone().requires_grad_(), DIVISORS.clone().requires_grad_()
    for x, y in ((a, b), (plain_a, plain_b)):
        ((x / y) / 3 + y.reciprocal()).sum().backward()
    torch.testing.assert_close(opened(a.grad), plain_a.grad, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(opened(b.grad), plain_b.grad, rtol=1e-4, atol=1e-3)


def test_quotients_with_three_decimal_digits(share):
    found = opened(share(NUMBERS, base=10, precision_fractional=3) / share(DIVISORS, base=10, precision_fractional=3))
    torch.testing.assert_close(found, NUMBERS / torch.tensor([-3.0, 0.25, 7.0, 0.062, -100.0]), rtol=1e-5, atol=4e-3)


def test_what_is_remembered_of_a_divisor_is_not_that_of_its_multiples(share):
    b = share(DIVISORS)
    for divisor, exact in ((b, DIVISORS), (b / 3, DIVISORS / 3), (b.detach(), DIVISORS)):
        torch.testing.assert_close(opened(1 / divisor), 1 / exact, rtol=1e-3, atol=1e-3)


def test_numbers_divided_by_secret_integers(hook):
    alice, bob, james = (sy.VirtualWorker(hook, id=name) for name in ("alice", "bob", "james"))
    a, b = torch.tensor([1.0, 2.0]), torch.tensor([3, -4])
    secret = [t.share(alice, bob, crypto_provider=james) for t in (a.fix_precision(**BINARY), b)]
    torch.testing.assert_close(opened(torch.div(*secret)), a / b, rtol=0, atol=1e-4)
    torch.testing.assert_close(opened(torch.div(*secret[::-1])), b / a, rtol=0, atol=1e-4)


def test_secret_integers_are_divided_to_within_one(hook):
    alice, bob, james = (sy.VirtualWorker(hook, id=name) for name in ("alice", "bob", "james"))
    a, b = torch.tensor([25, 9, -9, 0, 7, 100000]), torch.tensor([5, 2, 2, 3, -2, 3])
    x, y = (t.share(alice, bob, crypto_provider=james) for t in (a, b))
    for found, exact in ((torch.div(x, y), a / b), (x / 2, a / 2), (x / torch.tensor(7), a / 7)):
        assert (found.get() - exact).abs().max() <= 1


X = torch.tensor([[1.5, -3.0, 0.75], [4.5, -1.05, 0.375], [-12.5, 0.0, 30.0]])
Y = torch.tensor([[0.3, 0.9, 0.55], [1.2, 0.4, 0.7], [2.5, 0.15, 0.8]])
CLASSES = torch.tensor([1, 0, 2])
HOT = F.one_hot(CLASSES, 3).float()
LOGITS = X.clamp(-8, 8)

ELEMENTWISE = {
    "exp": lambda x, y: (x.clamp(max=3)).exp() * y,
    "log": lambda x, y: y.log() * x,
    "sqrt": lambda x, y: y.sqrt() * x,
    "rsqrt": lambda x, y: y.rsqrt(),
    "pow -1": lambda x, y: y**-1,
    "pow -2": lambda x, y: (y + 0.5) ** -2,
    "pow 0.5": lambda x, y: y**0.5,
    "pow 1.5": lambda x, y: y**1.5,
    "pow -0.5": lambda x, y: y**-0.5,
    "sigmoid": lambda x, y: x.sigmoid() * y,
    "tanh": lambda x, y: x.tanh() * y,
    "log_sigmoid": lambda x, y: F.logsigmoid(x),
    "softplus": lambda x, y: F.softplus(x, beta=2),
    "gelu": lambda x, y: F.gelu(x),
    "gelu by tanh": lambda x, y: F.gelu(x, approximate="tanh"),
    "silu": lambda x, y: F.silu(x),
    "elu": lambda x, y: F.elu(x, 1.3),
    "selu": lambda x, y: F.selu(x),
    "leaky_relu": lambda x, y: F.leaky_relu(x, 0.1),
    "hardtanh": lambda x, y: F.hardtanh(x),
    "relu6": lambda x, y: F.relu6(x),
    "hardsigmoid": lambda x, y: F.hardsigmoid(x),
    "hardswish": lambda x, y: F.hardswish(x),
}
STATISTICS = {
    "softmax": lambda x, y: x.softmax(1) * y,
    "softmax of the first dimension": lambda x, y: x.softmax(0) * y,
    "log_softmax": lambda x, y: x.log_softmax(-1) * y,
    "logsumexp": lambda x, y: x.logsumexp(1),
    "var": lambda x, y: y.var(1),
    "var of all": lambda x, y: torch.var(y, unbiased=False),
    "std": lambda x, y: y.std(0),
    "norm": lambda x, y: x.norm(),
    "norm 1": lambda x, y: x.norm(1, dim=1),
    "vector_norm": lambda x, y: torch.linalg.vector_norm(y, dim=0, keepdim=True),
    "normalize": lambda x, y: F.normalize(y),
    "cosine": lambda x, y: F.cosine_similarity(y, y.flip(0)),
    "layer_norm": lambda x, y: F.layer_norm(y, (3,), x[0], x[1]),
    "group_norm": lambda x, y: F.group_norm(y.reshape(1, 3, 3), 3, x[0], x[1]),
    "batch_norm": lambda x, y: F.batch_norm(y, None, None, x[0], x[1], training=True),
}
LOSSES = {
    "cross_entropy": lambda x, y: F.cross_entropy(x, CLASSES),
    "its sum": lambda x, y: F.cross_entropy(x, CLASSES, weight=torch.tensor([0.2, 0.5, 0.3]), reduction="sum"),
    "its weighted mean": lambda x, y: F.cross_entropy(x, CLASSES, weight=torch.tensor([0.2, 0.5, 0.3])),
    "without reduction": lambda x, y: F.cross_entropy(x, torch.tensor([1, -100, 2]), reduction="none"),
    "smoothed": lambda x, y: F.cross_entropy(x, CLASSES, label_smoothing=0.1),
    "of pixels": lambda x, y: F.cross_entropy(x.reshape(1, 3, 3, 1), CLASSES.reshape(1, 3, 1)),
    "nll_loss": lambda x, y: F.nll_loss(x, CLASSES),
    "binary_cross_entropy": lambda x, y: F.binary_cross_entropy(y * 0.3 + 0.1, HOT),
    "with logits": lambda x, y: F.binary_cross_entropy_with_logits(x, HOT, weight=Y, reduction="sum"),
}


def check(share, function, x, y, tolerance):
    shared, plain = (share(x, True), share(y, True)), (x.clone().requires_grad_(), y.clone().requires_grad_())
    found, exact = function(*shared), function(*plain)
    torch.testing.assert_close(opened(found), exact.detach(), rtol=tolerance, atol=tolerance)
    found.sum().backward()
    exact.sum().backward()
    for mine, theirs in zip(shared, plain, strict=True):
        assert (mine.grad is None) == (theirs.grad is None)
        if mine.grad is not None:
            torch.testing.assert_close(opened(mine.grad), theirs.grad, rtol=5 * tolerance, atol=5 * tolerance)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_functions_and_gradients(share, name):
    check(share, ELEMENTWISE[name], X, Y, 2e-4)


@pytest.mark.parametrize("name", STATISTICS)
def test_statistics_and_gradients(share, name):
    check(share, STATISTICS[name], LOGITS, Y, 4e-4)


@pytest.mark.parametrize("name", LOSSES)
def test_losses_and_gradients(share, name):
    check(share, LOSSES[name], LOGITS, Y, 2e-4)


@pytest.mark.parametrize("settings", [{"protocol": "fss"}, {"width": 32}, {"protocol": "fss", "width": 32}])
def test_other_ways_to_compare(hook, settings):
    alice, bob, james = (sy.VirtualWorker(hook, id=name) for name in ("alice", "bob", "james"))
    x, y = (t.fix_precision(**BINARY).share(alice, bob, crypto_provider=james, **settings) for t in (10 * X, Y))
    for name in ("exp", "log", "sigmoid", "leaky_relu", "hardtanh"):
        found, exact = opened(ELEMENTWISE[name](x, y)), ELEMENTWISE[name](10 * X, Y)
        torch.testing.assert_close(found, exact, rtol=2e-4, atol=2e-4)
    torch.testing.assert_close(opened(torch.div(x, y)), 10 * X / Y, rtol=2e-4, atol=2e-4)
    assert x.exp().child.child.width == settings.get("width", 64)


@pytest.mark.parametrize("loss", [F.cross_entropy, F.binary_cross_entropy_with_logits])
def test_losses_of_secret_targets(share, loss):
    hot = share(HOT)
    check(share, lambda x, y: loss(x, hot if x.__class__ is not torch.Tensor else HOT), LOGITS, Y, 2e-4)


def test_binary_cross_entropy_of_certainty_is_finite(hook):
    x = torch.tensor([0.0, 1.0, 0.5]).fix_precision(**BINARY).requires_grad_()
    F.binary_cross_entropy(x, torch.tensor([1.0, 1.0, 1.0])).backward()
    assert opened(x.grad).tolist() == pytest.approx([0, 0, -2 / 3], abs=1e-3)


def test_secret_class_numbers_are_refused(share):
    with pytest.raises(UsageError, match="share them one-hot"):
        torch.ops.aten.nll_loss_forward(share(X), share(X[0]), None, 1, -100)


@pytest.mark.parametrize("bounds", [(f.exp, -12, 10, torch.exp, 4e-6), (f.sqrt, 0, 1000, torch.sqrt, 4e-6)])
def test_a_grid_of_shared_numbers(share, bounds):
    function, low, high, exact, relative = bounds
    x = share(torch.linspace(low, high, 1000))
    found, wanted = opened(tensor_of(function(number_of(x)))), exact(opened(x).double())
    assert ((found - wanted).abs() <= 3 * 2**-16 + relative * wanted.abs() + wanted.abs() * 2**-23).all()


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "exp", "reciprocal", "log", "sqrt"])
def test_three_decimal_digits(share, name):
    x = torch.linspace(0.1, 6, 200)
    exact = getattr(torch, name)(x)
    found = opened(getattr(torch, name)(share(x, base=10, precision_fractional=3)))
    rounded = 0.001 * (1 / x.square() if name == "reciprocal" else 1 / x if name == "log" else exact.clamp(min=1) * 2)
    assert ((found - exact).abs() <= 0.004 + rounded).all()


@pytest.mark.parametrize(
    ("name", "rounds"), [("reciprocal", 17), ("exp", 14), ("log", 16), ("sqrt", 18), ("sigmoid", 12), ("tanh", 12)]
)
def test_rounds(share, name, rounds):
    x = share(torch.rand(10) + 0.5)
    with profile() as costs:
        opened(getattr(torch, name)(x))
    assert costs.total.rounds <= rounds


# --- the keywords of 0.2.4 --------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["exp", "maclaurin", "chebyshev"])
def test_methods_of_sigmoid(share, method):
    x = torch.tensor([[-5.0, 1.0], [5.0, 0.0]])
    exact = x.sigmoid()
    if method == "maclaurin":
        exact = 0.5 + 0.191204779 * x - 0.00458667307 * x**3 + 0.0000420690803 * x**5
    torch.testing.assert_close(opened(share(x).sigmoid(method=method)), exact, rtol=0, atol=2e-4)


@pytest.mark.parametrize("method", ["chebyshev", "sigmoid"])
def test_methods_of_tanh(share, method):
    x = torch.tensor([[-3.0, 1.0], [7.0, 0.0]])
    torch.testing.assert_close(opened(share(x).tanh(method)), x.tanh(), rtol=0, atol=1e-4)


def test_iterations_are_accepted(share):
    x = share(torch.tensor([1.0, 2.0]))
    for found, exact in (
        (x.exp(iterations=4), [2.7183, 7.3891]),
        (x.log(iterations=1, exp_iterations=3), [0.0, 0.6931]),
        (x.reciprocal(method="NR", nr_iters=5), [1.0, 0.5]),
    ):
        torch.testing.assert_close(opened(found), torch.tensor(exact), rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "reciprocal"])
def test_methods_that_do_not_exist(share, name):
    with pytest.raises(UsageError, match=f"Invalid method zz given for {name}"):
        getattr(share(X), name)(method="zz")


# --- layers -----------------------------------------------------------------------------------------


def test_batch_norm_trains_and_evaluates(share):
    plain, mine = nn.BatchNorm1d(3), nn.BatchNorm1d(3)
    for name in ("weight", "bias"):
        setattr(mine, name, nn.Parameter(share(getattr(mine, name))))
    for name in ("running_mean", "running_var"):
        setattr(mine, name, share(getattr(mine, name)))
    for _ in range(2):
        torch.testing.assert_close(opened(mine(share(LOGITS))), plain(LOGITS).detach(), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(opened(mine.running_mean), plain.running_mean, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(opened(mine.running_var), plain.running_var, rtol=1e-3, atol=1e-3)
    found, exact = mine.eval()(share(Y)), plain.eval()(Y)
    torch.testing.assert_close(opened(found), exact.detach(), rtol=1e-3, atol=1e-3)


def test_plain_running_statistics_are_not_updated_with_secrets(share):
    with pytest.raises(UsageError, match="running statistics"):
        F.batch_norm(share(X), torch.zeros(3), torch.ones(3), training=True)


@pytest.mark.parametrize("layer", [nn.Dropout(0.4), nn.Dropout1d(0.4)])
def test_dropout(share, layer):
    x = share(Y.reshape(1, 3, 3), True)
    torch.manual_seed(5)
    found = layer(x)
    torch.manual_seed(5)
    torch.testing.assert_close(opened(found), layer(Y.reshape(1, 3, 3)), rtol=0, atol=1e-4)
    found.sum().backward()
    assert set(opened(x.grad).mul(0.6).round(decimals=3).flatten().tolist()) <= {0.0, 1.0}
    assert opened(layer.eval()(x)).equal(opened(x))
    layer.train()


def test_norms_without_a_rule_are_refused(share):
    with pytest.raises(UnsupportedOp, match="p=3"):
        share(X).norm(3)


def test_variance_of_one_number_is_refused(share):
    with pytest.raises(UsageError, match="divides by 0"):
        share(X[0, :1]).var()
