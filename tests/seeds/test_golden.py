"""The four points give the values that the published 0.2.4 gives, by reference and over serialised messages."""

from __future__ import annotations

import pytest
import torch
from torch import nn, optim

import syft as sy

from .four_points import (
    HALVES,
    LABELS,
    POINTS,
    fixed_model,
    seeded_model,
    squared_error,
    train_locally,
    train_with_optims,
)

Workers = tuple[sy.VirtualWorker, sy.VirtualWorker]

# Printed by 0.2.4 from torch.manual_seed(0): nn.Linear(2, 1), Optims over Adam(lr=0.1), 20 passes over two workers.
GOLDEN_LOSSES = [
    *(0.379772, 3.227953, 0.184853, 1.848431, 0.261569, 1.0633, 0.411733, 0.638704, 0.532091, 0.408724),
    *(0.587672, 0.280922, 0.57841, 0.20511, 0.516428, 0.153908, 0.4195, 0.114204, 0.307562, 0.081883),
    *(0.199419, 0.057326, 0.109822, 0.041631, 0.047361, 0.03413, 0.013618, 0.031724, 0.003913, 0.030069),
    *(0.009611, 0.025814, 0.021294, 0.018508, 0.031615, 0.010986, 0.036803, 0.007953, 0.036525, 0.013563),
]
GOLDEN_PARAMETERS = [1.2387, -0.1097, -0.0604]

# Printed by 0.2.4 to four decimals from weight [[0.1, -0.2]], bias [0.3].
ADAM_LOSSES = [
    *(0.1, 1.49, 0.1, 1.17, 0.0995, 0.8933, 0.0981, 0.6607, 0.0954, 0.4717, 0.091, 0.3244, 0.0848, 0.2152),
    *(0.0767, 0.1389, 0.0673, 0.0896, 0.0571, 0.0606, 0.0468, 0.0459, 0.0369, 0.0411, 0.0276, 0.0432, 0.019),
    *(0.0503, 0.0116, 0.0603, 0.0061, 0.071, 0.0034, 0.0807, 0.004, 0.0877, 0.0078, 0.0917, 0.0142, 0.0927),
]
ADAM_PARAMETERS = [1.2921, 0.1107, -0.1457]
CENTRAL_LOSSES = [
    *(1.1, 0.4904, 0.3313, 0.239, 0.1746, 0.1284, 0.0949, 0.0705, 0.0525, 0.0393),
    *(0.0295, 0.0222, 0.0168, 0.0127, 0.0096, 0.0073, 0.0055, 0.0042, 0.0032, 0.0024),
]
CENTRAL_PARAMETERS = [0.9668, -0.0252, 0.0346]
SGD_LOSSES = [0.1, 1.2724, 0.5333, 0.2196, 0.3698, 0.1221, 0.2384, 0.0776, 0.1546, 0.0507]
SGD_PARAMETERS = [0.7718, -0.0924, 0.2668]

FOUR_DECIMALS = 6e-5


def adam(parameters: object) -> optim.Optimizer:
    """The seeds' optimizer."""
    return optim.Adam(params=parameters, lr=0.1)


def test_the_oracle_is_the_published_run() -> None:
    model = seeded_model()
    oracle = train_locally(model, [adam(model.parameters()), adam(model.parameters())], passes=20)
    assert oracle.losses == pytest.approx(GOLDEN_LOSSES, abs=1e-6)
    assert oracle.parameters() == pytest.approx(GOLDEN_PARAMETERS, abs=FOUR_DECIMALS)


def test_golden_run(bob_and_alice: Workers) -> None:
    run = train_with_optims(seeded_model(), bob_and_alice, adam, passes=20)
    assert run.losses == pytest.approx(GOLDEN_LOSSES, abs=1e-5)
    assert run.parameters() == pytest.approx(GOLDEN_PARAMETERS, abs=FOUR_DECIMALS)
    model = seeded_model()
    oracle = train_locally(model, [adam(model.parameters()), adam(model.parameters())], passes=20)
    assert run.losses == pytest.approx(oracle.losses, abs=1e-6)
    assert run.parameters() == pytest.approx(oracle.parameters(), abs=1e-6)


def test_golden_run_leaves_data_and_moments(bob_and_alice: Workers) -> None:
    bob, alice = bob_and_alice
    points, labels = (part.send(bob) for part in HALVES[0])
    model = seeded_model()
    optimizer = adam(model.parameters())
    for _ in range(3):
        model.send(bob)
        optimizer.zero_grad()
        loss = squared_error(model, points, labels)
        loss.backward()
        optimizer.step()
        model.get()
        loss.get()
    # Two data tensors, and two Adam moments for each of the two parameters.
    assert len(bob._objects) == 6
    assert len(alice._objects) == 0


def test_adam_acceptance_values(bob_and_alice: Workers) -> None:
    run = train_with_optims(fixed_model(), bob_and_alice, adam, passes=20)
    assert run.losses == pytest.approx(ADAM_LOSSES, abs=FOUR_DECIMALS)
    assert run.parameters() == pytest.approx(ADAM_PARAMETERS, abs=FOUR_DECIMALS)


def test_central_acceptance_values(hook: sy.TorchHook) -> None:
    assert hook is not None
    model = fixed_model()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = squared_error(model, POINTS, LABELS)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses == pytest.approx(CENTRAL_LOSSES, abs=FOUR_DECIMALS)
    assert [*model.weight.flatten().tolist(), model.bias.item()] == pytest.approx(CENTRAL_PARAMETERS, abs=FOUR_DECIMALS)


def test_sequential_sgd_acceptance_values(bob_and_alice: Workers) -> None:
    model = fixed_model()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    datasets = [
        (points.send(worker), labels.send(worker))
        for (points, labels), worker in zip(HALVES, bob_and_alice, strict=True)
    ]
    losses = []
    for _ in range(5):
        for points, labels in datasets:
            model.send(points.location)
            optimizer.zero_grad()
            loss = squared_error(model, points, labels)
            loss.backward()
            optimizer.step()
            model.get()
            losses.append(loss.get().item())
    assert losses == pytest.approx(SGD_LOSSES, abs=FOUR_DECIMALS)
    assert [*model.weight.flatten().tolist(), model.bias.item()] == pytest.approx(SGD_PARAMETERS, abs=FOUR_DECIMALS)


def test_one_shared_adam_would_give_other_values() -> None:
    model = seeded_model()
    shared = adam(model.parameters())
    run = train_locally(model, [shared, shared], passes=20)
    assert max(abs(a - b) for a, b in zip(run.losses, GOLDEN_LOSSES, strict=True)) > 0.01


def test_a_slice_that_needs_gradients_arrives_as_a_leaf(bob_and_alice: Workers) -> None:
    bob, _ = bob_and_alice
    data = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1.0]], requires_grad=True)
    pointer = data[0:2].send(bob)
    (held,) = bob._objects.values()
    assert held.is_leaf
    assert held.requires_grad
    assert pointer.location is bob
    assert torch.equal(held, data[0:2])


def test_the_model_is_the_same_object_all_the_way(bob_and_alice: Workers) -> None:
    bob, _ = bob_and_alice
    model = nn.Linear(2, 1)
    before = list(model.parameters())
    assert model.send(bob) is model
    assert model.get() is model
    assert all(new is old for new, old in zip(model.parameters(), before, strict=True))
    assert all(type(parameter) is nn.Parameter and parameter.is_leaf for parameter in before)
