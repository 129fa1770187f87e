"""Functions of shared numbers, and their gradients, against torch."""

import pytest
import torch

import syft as sy

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
    return tensor.detach().copy().get().float_precision()


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
