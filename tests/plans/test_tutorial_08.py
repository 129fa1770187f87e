"""Part 08 of the tutorials, as a user would type it, in a process of its own."""

from __future__ import annotations

from typing import Any

import pytest

TUTORIAL = """
import torch
import torch.nn as nn
import torch.nn.functional as F
import syft as sy

hook = sy.TorchHook(torch)
server = hook.local_worker
server.is_client_worker = False

x11 = torch.tensor([-1, 2.]).tag("input_data")
x12 = torch.tensor([1, -2.]).tag("input_data2")
x21 = torch.tensor([-1, 2.]).tag("input_data")
x22 = torch.tensor([1, -2.]).tag("input_data2")
device_1 = sy.VirtualWorker(hook, id="device_1", data=(x11, x12), wire=WIRE)
device_2 = sy.VirtualWorker(hook, id="device_2", data=(x21, x22), wire=WIRE)
devices = device_1, device_2

# --- a function as a plan
@sy.func2plan()
def plan_double_abs(x):
    x = x + x
    x = torch.abs(x)
    return x

try:
    plan_double_abs.send(device_1)
except RuntimeError as error:
    print("not built:", error)

print("built:", plan_double_abs.is_built)
pointer_to_data = device_1.search("input_data")[0]
print(plan_double_abs.build(torch.tensor([1., -2.])))
print("built:", plan_double_abs.is_built)

pointer_plan = plan_double_abs.send(device_1)
print(pointer_plan.location.id, pointer_plan.id_at_location == plan_double_abs.id)
(pointer_to_data,) = server.request_search(["input_data"], device_1)
pointer_to_result = pointer_plan(pointer_to_data)
print(type(pointer_to_result.child).__name__, pointer_to_result.location.id)
print(pointer_to_result.get())

# --- a network
class Net(sy.Plan):
    def __init__(self):
        super(Net, self).__init__()
        self.fc1 = nn.Linear(2, 3)
        self.fc2 = nn.Linear(3, 2)

    def forward(self, x):
        x = F.relu(self.fc1(x))
        x = self.fc2(x)
        return F.log_softmax(x, dim=0)

torch.manual_seed(1)
net = Net()
net.build(torch.tensor([1., 2.]))
pointer_to_net = net.send(device_1)
(pointer_to_data,) = server.request_search(["input_data"], device_1)
print("as here:", torch.equal(pointer_to_net(pointer_to_data).get(), net(torch.tensor([-1, 2.]))))

# --- the other device
pointer_to_net_2 = net.send(device_2)
(pointer_to_data,) = server.request_search(["input_data"], device_2)
print("as there:", torch.equal(pointer_to_net_2(pointer_to_data).get(), net(torch.tensor([-1, 2.]))))
print(sorted(net.pointers))

# --- built by its shapes
@sy.func2plan(args_shape=[(-1, 1)])
def plan_double_abs(x):
    x = x + x
    x = torch.abs(x)
    return x

print("built:", plan_double_abs.is_built)

@sy.func2plan(args_shape=[(1,), (-1, 1)])
def plan_sum_double_abs(x, y):
    s = x + y
    x = torch.abs(s)
    return x

print("built:", plan_sum_double_abs.is_built)

# --- with state
@sy.func2plan(args_shape=[(1,)], state=(torch.tensor([1]),))
def plan_abs(x, state):
    bias, = state.read()
    x = x.abs()
    return x + bias

pointer_plan = plan_abs.send(device_1)
x_ptr = torch.tensor([-1, 0]).send(device_1)
p = pointer_plan(x_ptr)
print(p.get())

# --- fetched by another
fetched_plan = server.fetch_plan(plan_abs.id, device_1)
print(fetched_plan.forward, fetched_plan.is_built)
print(fetched_plan(torch.tensor([-1, 0])))
"""

PRINTED = """
not built: A plan needs to be built before being sent to a worker.
built: False
None
built: True
device_1 True
PointerTensor device_1
tensor([2., 4.])
as here: True
as there: True
['device_1', 'device_2']
built: True
built: True
tensor([2, 1])
None True
tensor([2, 1])
"""


@pytest.mark.parametrize("wire", [False, True])
def test_part_08_prints_its_numbers(run_script: Any, wire: bool) -> None:
    assert run_script(TUTORIAL.replace("WIRE", str(wire))).strip() == PRINTED.strip()
