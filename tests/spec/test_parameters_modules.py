"""Parameters and modules that live on a worker."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import syft as sy
from syft.exceptions import ObjectNotFoundError, SyftError, TensorsNotCollocatedException

Worker = sy.VirtualWorker


@pytest.fixture
def net(hook: sy.TorchHook) -> nn.Linear:
    """A small module."""
    torch.manual_seed(0)
    return nn.Linear(2, 1)


def with_gradients(module: nn.Module, x: torch.Tensor) -> nn.Module:
    module(x).pow(2).sum().backward()
    return module


# --- parameters -------------------------------------------------------------------------------------


def test_sending_a_parameter_gives_a_new_one(bob: Worker) -> None:
    w = nn.Parameter(torch.tensor([1.0, 2.0]))
    p = w.send(bob)
    assert p is not w
    assert isinstance(p, nn.Parameter)
    assert w.tolist() == [1.0, 2.0]
    assert p.id_at_location == w.id


def test_a_parameter_can_be_sent_in_place(bob: Worker) -> None:
    w = nn.Parameter(torch.tensor([1.0, 2.0]))
    id = w.id
    assert w.send_(bob) is w
    assert w.id_at_location == id
    assert isinstance(w, nn.Parameter)
    assert repr(w) == f"Parameter containing:\n(Wrapper)>{w.child}"


def test_a_parameter_comes_back_with_its_id(bob: Worker) -> None:
    w = nn.Parameter(torch.tensor([1.0, 2.0]))
    id = w.id
    back = w.send(bob).get()
    assert type(back) is nn.Parameter
    assert (back.tolist(), back.id, back.requires_grad, back.is_leaf) == ([1.0, 2.0], id, True, True)
    w.send_(bob)
    assert w.get_() is w
    assert (type(w), w.tolist(), w.id) == (nn.Parameter, [1.0, 2.0], id)


def test_a_frozen_parameter_comes_back_frozen(bob: Worker) -> None:
    w = nn.Parameter(torch.tensor([1.0]), requires_grad=False)
    assert w.send(bob).get().requires_grad is False
    w.send_(bob)
    assert w.requires_grad is False
    assert w.get_().requires_grad is False


def test_a_fetched_parameter_has_its_gradient(bob: Worker) -> None:
    w = nn.Parameter(torch.tensor([1.0, 2.0])).send(bob)
    (w * 3).sum().backward()
    back = w.get()
    assert back.grad is not None
    assert back.grad.tolist() == [3.0, 3.0]


def test_a_remote_parameter_answers_truly(bob: Worker) -> None:
    w = nn.Parameter(torch.zeros(2, 3)).send(bob)
    assert (w.requires_grad, w.is_leaf, w.shape) == (True, True, (2, 3))
    assert str(w.data).endswith("::data")
    assert w.grad is None
    w.sum().backward()
    assert str(w.grad).endswith("::grad")


def test_the_grad_of_a_missing_parameter(bob: Worker) -> None:
    w = nn.Parameter(torch.zeros(2)).send(bob)
    bob.clear_objects()
    try:
        assert w.grad is None
    except ObjectNotFoundError:
        pass


def test_a_parameter_can_be_made_of_a_pointer(bob: Worker) -> None:
    p = torch.tensor([1.0, 2.0]).send(bob)
    w = nn.Parameter(p)
    assert isinstance(w, torch.Tensor)
    assert w.get().tolist() == [1.0, 2.0]


def test_an_empty_parameter_is_empty(hook: sy.TorchHook) -> None:
    assert nn.Parameter().shape == (0,)


def test_integer_parameters_need_no_grad(hook: sy.TorchHook) -> None:
    with pytest.raises(RuntimeError):
        nn.Parameter(torch.tensor([1]))


def test_arithmetic_on_a_parameter_gives_an_ordinary_pointer(bob: Worker) -> None:
    w = nn.Parameter(torch.tensor([1.0, 2.0])).send(bob)
    for result in (w + w, w * 2, w.copy(), w.clone(), -w, w.data + 1):
        assert not isinstance(result, nn.Parameter)
        assert str(result).startswith("(Wrapper)>[PointerTensor | me:")


def test_a_parameter_is_moved(bob: Worker, alice: Worker) -> None:
    w = nn.Parameter(torch.tensor([1.0])).send(bob)
    assert w.move(alice) is w
    assert isinstance(w, nn.Parameter)
    assert w.get().tolist() == [1.0]


# --- send and get -----------------------------------------------------------------------------------


def test_send_is_in_place_and_returns_the_module(net: nn.Linear, bob: Worker) -> None:
    weight, ids = net.weight, [net.weight.id, net.bias.id]
    assert net.send(bob) is net
    assert net.weight is weight
    assert isinstance(net.weight, nn.Parameter)
    assert [net.weight.id_at_location, net.bias.id_at_location] == ids
    assert repr(net.weight) == f"Parameter containing:\n(Wrapper)>[PointerTensor | me:{weight.id} -> bob:{ids[0]}]"


def test_get_is_in_place_and_returns_the_module(net: nn.Linear, bob: Worker) -> None:
    weight, ids = net.weight, [net.weight.id, net.bias.id]
    before = [p.detach().clone() for p in net.parameters()]
    net.send(bob)
    assert net.get() is net
    assert net.weight is weight
    assert [net.weight.id, net.bias.id] == ids
    assert all(type(p) is nn.Parameter for p in net.parameters())
    assert all(torch.equal(p, b) for p, b in zip(net.parameters(), before, strict=True))
    assert bob._objects == {}


def test_the_underscored_spellings_do_the_same(net: nn.Linear, bob: Worker) -> None:
    assert net.send_(bob) is net
    assert net.location is bob
    assert net.get_() is net
    assert net.location is None


def test_the_worker_holds_parameters_in_order_and_nothing_else(net: nn.Linear, bob: Worker) -> None:
    net.send(bob)
    assert list(bob._objects) == [net.weight.id_at_location, net.bias.id_at_location]
    text = str(bob._objects[net.weight.id_at_location])
    assert text.startswith("Parameter containing:\ntensor(")
    assert text.endswith("requires_grad=True)")


def test_gradients_travel_both_ways(net: nn.Linear, bob: Worker) -> None:
    with_gradients(net, torch.ones(3, 2))
    expected = [p.grad.clone() for p in net.parameters() if p.grad is not None]
    net.send(bob)
    assert [net.weight.grad.copy().get().tolist(), net.bias.grad.copy().get().tolist()] == [
        e.tolist() for e in expected
    ]
    net.get()
    assert [p.grad.tolist() for p in net.parameters() if p.grad is not None] == [e.tolist() for e in expected]


def test_gradients_that_were_none_stay_none(net: nn.Linear, bob: Worker) -> None:
    net.weight.grad = torch.ones(1, 2)
    net.send(bob)
    assert net.weight.grad is not None
    assert net.bias.grad is None
    net.get()
    assert net.weight.grad.tolist() == [[1.0, 1.0]]
    assert net.bias.grad is None


def test_models_can_be_sent_under_no_grad(net: nn.Linear, bob: Worker) -> None:
    with torch.no_grad():
        net.send(bob)
        out = net(torch.ones(1, 2).send(bob))
        net.get()
    assert out.requires_grad is False
    assert net.weight.requires_grad


def test_a_module_goes_to_one_worker(net: nn.Linear, bob: Worker, alice: Worker) -> None:
    with pytest.raises(NotImplementedError):
        net.send(bob, alice)
    assert net.location is None
    assert bob._objects == alice._objects == {}


def test_force_send_is_accepted(net: nn.Linear, bob: Worker) -> None:
    assert net.send(bob, force_send=True).location is bob


def test_fetching_a_local_module(net: nn.Linear) -> None:
    before = net.weight.tolist()
    try:
        assert net.get() is net
    except AttributeError:
        pass
    assert net.weight.tolist() == before


def test_a_remote_module_computes_at_its_place(net: nn.Linear, bob: Worker) -> None:
    x = torch.tensor([[1.0, 2.0]])
    expected = net(x)
    net.send(bob)
    out = net(x.send(bob))
    assert out.location is net.location is bob
    assert torch.equal(out.get(), expected)


def test_a_remote_module_needs_its_data_there(net: nn.Linear, bob: Worker, alice: Worker) -> None:
    net.send(bob)
    for x in (torch.ones(1, 2), torch.ones(1, 2).send(alice)):
        with pytest.raises(TensorsNotCollocatedException):
            net(x)
    assert net.get().weight.shape == (1, 2)


def test_after_get_only_what_is_referenced_remains(net: nn.Linear, bob: Worker) -> None:
    x = torch.ones(4, 2).send(bob)
    net.send(bob)
    loss = net(x).pow(2).sum()
    loss.backward()
    net.get()
    assert sorted(bob._objects) == sorted([x.id_at_location, loss.id_at_location])


def test_a_deleted_remote_module_takes_its_parameters_along(bob: Worker) -> None:
    net = nn.Linear(2, 1).send(bob)
    assert len(bob._objects) == 2
    del net
    assert bob._objects == {}


def test_a_module_sent_without_collection_leaves_its_parameters(bob: Worker) -> None:
    net = nn.Linear(2, 1).send(bob, garbage_collect_data=False)
    del net
    assert len(bob._objects) == 2


def test_sending_to_where_it_is_changes_nothing(net: nn.Linear, bob: Worker) -> None:
    before = net.weight.tolist()
    net.send(bob)
    ids = list(bob._objects)
    assert net.send(bob) is net
    assert list(bob._objects) == ids
    assert net.get().weight.tolist() == before


def test_sending_to_another_worker_moves_or_says_how(net: nn.Linear, bob: Worker, alice: Worker) -> None:
    before = net.weight.tolist()
    net.send(bob)
    try:
        net.send(alice)
        assert net.location is alice
        assert bob._objects == {}
    except SyftError as error:
        assert "move" in str(error)  # noqa: PT017
    assert net.get().weight.tolist() == before


def test_a_failed_send_leaves_the_module_here(net: nn.Linear) -> None:
    with pytest.raises(SyftError):
        net.send("nobody")
    assert net.location is None
    assert type(net.weight) is nn.Parameter


def test_a_failed_get_leaves_the_module_there(net: nn.Linear, bob: Worker) -> None:
    net.send(bob)
    lost = bob._objects.pop(net.bias.id_at_location)
    with pytest.raises(ObjectNotFoundError):
        net.get()
    assert net.location is bob
    bob._objects[net.bias.id_at_location] = lost
    assert net.get().location is None


# --- move, copy, location, owner --------------------------------------------------------------------


def test_move_goes_from_worker_to_worker_and_returns_the_module(net: nn.Linear, bob: Worker, alice: Worker) -> None:
    before, ids = net.weight.tolist(), [net.weight.id, net.bias.id]
    weight = net.weight
    net.send(bob)
    assert net.move(alice) is net
    assert net.weight is weight
    assert net.location is alice
    assert bob._objects == {}
    assert list(alice._objects) == ids
    assert net.get().weight.tolist() == before


def test_gradients_move_along(net: nn.Linear, bob: Worker, alice: Worker) -> None:
    with_gradients(net, torch.ones(1, 2))
    assert net.weight.grad is not None
    expected = net.weight.grad.tolist()
    net.send(bob).move(alice).get()
    assert net.weight.grad.tolist() == expected


def test_a_copy_is_deep_and_has_no_gradients(net: nn.Linear) -> None:
    with_gradients(net, torch.ones(1, 2))
    twin = net.copy()
    assert torch.equal(twin.weight, net.weight)
    assert twin.weight is not net.weight
    assert twin.weight.id != net.weight.id
    assert twin.weight.grad is None
    with torch.no_grad():
        twin.weight.zero_()
    assert net.weight.abs().sum() > 0


def test_a_remote_module_is_copied_where_it_is(net: nn.Linear, bob: Worker) -> None:
    before = net.weight.tolist()
    net.send(bob)
    twin = net.copy()
    assert twin.location is bob
    assert len(bob._objects) == 4
    assert isinstance(twin.weight, nn.Parameter)
    with torch.no_grad():
        twin.weight.zero_()
    assert net.get().weight.tolist() == before
    assert twin.get().weight.tolist() == [[0.0, 0.0]]
    assert type(twin.weight) is nn.Parameter
    assert twin.weight.requires_grad


def test_location_is_none_for_local_and_empty_modules(net: nn.Linear, bob: Worker) -> None:
    assert net.location is None
    assert nn.ReLU().location is None
    assert net.send(bob).location is bob


def test_owner_is_that_of_the_first_parameter(net: nn.Linear, bob: Worker, me: Any) -> None:
    assert net.owner is me
    assert nn.ReLU().owner is None
    assert net.send(bob).owner is me


def test_a_module_may_have_a_layer_called_location(bob: Worker) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.location = nn.Linear(1, 1)
            self.owner = nn.Linear(1, 1)

    net = Net()
    assert isinstance(net.location, nn.Linear)
    assert isinstance(net.owner, nn.Linear)


# --- state, mode, buffers ---------------------------------------------------------------------------


def test_the_state_of_a_remote_module_is_made_of_data_pointers(net: nn.Linear, bob: Worker) -> None:
    net.send(bob)
    state = net.state_dict()
    assert list(state) == ["weight", "bias"]
    for name, value in state.items():
        parameter = getattr(net, name)
        ids = f"me:{parameter.id} -> bob:{parameter.id_at_location}"
        assert str(value) == f"(Wrapper)>[PointerTensor | {ids}]::data"


def test_the_state_of_a_remote_module_cannot_be_saved(net: nn.Linear, bob: Worker) -> None:
    net.send(bob)
    with pytest.raises(SyftError, match="get"):
        torch.save(net.state_dict(), io.BytesIO())
    with pytest.raises(SyftError, match="get"):
        torch.save(net, io.BytesIO())


def test_the_state_after_get_is_plain(net: nn.Linear, bob: Worker) -> None:
    net.send(bob).get()
    file = io.BytesIO()
    torch.save(net.state_dict(), file)
    file.seek(0)
    back = torch.load(file, weights_only=True)
    assert all(type(v) is torch.Tensor for v in back.values())
    assert torch.equal(back["weight"], net.weight)


def test_mode_text_and_zero_grad_are_torch_s(net: nn.Linear, bob: Worker) -> None:
    text = str(net)
    net.send(bob)
    assert net.train().training
    assert not net.eval().training
    assert str(net) == text
    net(torch.ones(1, 2).send(bob)).sum().backward()
    assert net.weight.grad is not None
    net.zero_grad()
    assert net.weight.grad is None
    net(torch.ones(1, 2).send(bob)).sum().backward()
    net.zero_grad(set_to_none=False)
    assert net.weight.grad.copy().get().tolist() == [[0.0, 0.0]]


def test_buffers_travel(bob: Worker) -> None:
    norm = nn.BatchNorm1d(2)
    here = nn.BatchNorm1d(2)
    x = torch.tensor([[1.0, 2.0], [3.0, 6.0], [5.0, 1.0]])
    norm.send(bob)
    out = norm(x.send(bob)).get()
    norm.get()
    assert torch.equal(out, here(x))
    assert not torch.equal(out, x)
    assert norm.running_mean is not None
    assert here.running_mean is not None
    assert torch.equal(norm.running_mean, here.running_mean)
    assert norm.num_batches_tracked.item() == 1
    assert type(norm.running_mean) is torch.Tensor


FROZEN: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    "SGD": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.1),
    "Adam": lambda p: torch.optim.Adam(p, lr=0.1),
}


@pytest.mark.parametrize("make", FROZEN.values(), ids=FROZEN.keys())
def test_frozen_parameters_are_skipped(bob: Worker, make: Any) -> None:
    torch.manual_seed(1)
    net = nn.Linear(2, 1)
    net.bias.requires_grad_(False)
    bias, weight = net.bias.tolist(), net.weight.tolist()
    optimizer = make(net.parameters())
    net.send(bob)
    optimizer.zero_grad()
    net(torch.ones(3, 2).send(bob)).pow(2).sum().backward()
    optimizer.step()
    optimizer.zero_grad()
    net.get()
    assert net.bias.tolist() == bias
    assert net.weight.tolist() != weight
    assert net.bias.requires_grad is False


def test_to_moves_a_remote_model_at_its_place(net: nn.Linear, bob: Worker) -> None:
    weight, before = net.weight, net.weight.tolist()
    net.send(bob)
    assert net.to(torch.device("cpu")) is net
    assert net.location is bob
    net.double()
    assert net.weight.dtype is torch.float64
    assert net(torch.ones(1, 2, dtype=torch.float64).send(bob)).dtype is torch.float64
    net.float().get()
    assert net.weight is weight
    assert net.weight.tolist() == before


def test_a_state_can_be_loaded_into_a_remote_model_or_is_refused(net: nn.Linear, bob: Worker) -> None:
    other = nn.Linear(2, 1)
    net.send(bob)
    try:
        net.load_state_dict(other.state_dict())
    except (SyftError, RuntimeError):
        assert net.location is bob
        return
    assert torch.equal(net.get().weight, other.weight)


def test_shared_parameters_stay_shared(bob: Worker) -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    net[1].weight = net[0].weight
    net.send(bob)
    assert len(bob._objects) == 3
    assert net[1].weight is net[0].weight
    net.get()
    assert net[1].weight is net[0].weight
    assert bob._objects == {}


RECURRENT: dict[str, Callable[[], nn.Module]] = {
    "LSTM": lambda: nn.LSTM(2, 3, num_layers=2, batch_first=True), "GRU": lambda: nn.GRU(2, 3),
    "RNN": lambda: nn.RNN(2, 3), "GRUCell": lambda: nn.GRUCell(2, 3), "LSTMCell": lambda: nn.LSTMCell(2, 3),
}  # fmt: skip


@pytest.mark.parametrize("name", list(RECURRENT))
def test_recurrent_layers_run_remotely(bob: Worker, name: str) -> None:
    torch.manual_seed(0)
    layer = RECURRENT[name]()
    x = torch.randn(4, 2) if name.endswith("Cell") else torch.randn(2, 4, 2)
    expected = layer(x)
    layer.send(bob)
    out = layer(x.send(bob))
    flat, expected_flat = (flatten(out), flatten(expected))
    assert len(flat) == len(expected_flat)
    for a, b in zip(flat, expected_flat, strict=True):
        assert torch.allclose(a.copy().get(), b)
    flat[0].sum().backward()
    layer.get()
    assert all(p.grad is not None for p in layer.parameters())
    assert torch.allclose(flatten(layer(x))[0], expected_flat[0])


def flatten(out: Any) -> list[Any]:
    if isinstance(out, torch.Tensor):
        return [out]
    return [t for part in out for t in flatten(part)]


def test_a_hand_written_rnn_runs_remotely(bob: Worker) -> None:
    class Rnn(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.hidden = nn.Linear(2 + 3, 3)
            self.out = nn.Linear(2 + 3, 1)

        def forward(self, x: torch.Tensor, h: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            both = torch.cat((x, h), 1)
            return torch.sigmoid(self.out(both)), torch.tanh(self.hidden(both))

    torch.manual_seed(0)
    net = Rnn()
    x, h = torch.randn(3, 1, 2), torch.zeros(1, 3)
    expected, state = [], h
    for step in x:
        y, state = net(step, state)
        expected.append(y)
    net.send(bob)
    xs, remote_state = x.send(bob), h.send(bob)
    for i in range(3):
        y, remote_state = net(xs[i], remote_state)
        assert torch.allclose(y.copy().get(), expected[i])
    y.sum().backward()
    for p in net.parameters():
        p.data.add_(-0.1 * p.grad) if p.grad is not None else None
    net.get()


# --- clipping ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("norm_type", [2, 1, float("inf")])
def test_gradients_are_clipped_remotely_as_locally(net: nn.Linear, bob: Worker, norm_type: float) -> None:
    with_gradients(net, torch.ones(3, 2))
    twin = net.copy()
    for a, b in zip(twin.parameters(), net.parameters(), strict=True):
        a.grad = None if b.grad is None else b.grad.clone()
    total = nn.utils.clip_grad_norm_(twin.parameters(), 0.5, norm_type)
    net.send(bob)
    remote = nn.utils.clip_grad_norm_(net.parameters(), 0.5, norm_type)
    assert torch.allclose(remote.get(), torch.as_tensor(total))
    net.get()
    for a, b in zip(twin.parameters(), net.parameters(), strict=True):
        assert a.grad is not None
        assert b.grad is not None
        assert torch.allclose(a.grad, b.grad)


def test_clipping_takes_a_single_tensor(bob: Worker) -> None:
    w = nn.Parameter(torch.tensor([3.0, 4.0])).send(bob)
    (w * w).sum().backward()
    nn.utils.clip_grad_norm_(w, 1.0)
    assert torch.allclose(w.get().grad, torch.tensor([0.6, 0.8]), atol=1e-5)


def test_clipping_local_gradients_is_torch_s(net: nn.Linear) -> None:
    with_gradients(net, torch.ones(1, 2))
    assert float(nn.utils.clip_grad_norm_(net.parameters(), 1.0)) > 0


def test_averaging_remote_models_under_no_grad(bob: Worker, alice: Worker) -> None:
    net = nn.Linear(2, 1)
    a, b = net.copy().send(bob), net.copy().send(alice)
    with torch.no_grad():
        b.weight.data.add_(2.0)
    a.move(alice)
    with torch.no_grad():
        mean = (a.weight.data + b.weight.data) / 2
        net.weight.set_(mean.get())
    assert torch.allclose(net.weight, a.get().weight + 1)
