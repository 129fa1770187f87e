"""Hooking adds the verbs and changes nothing else: local torch behaves as it did."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import syft as sy
from syft.torch_hook import METHODS

SOURCE = Path(sy.__file__).resolve().parents[1]
VERBS = 44

SURFACE = """
import json, sys, warnings
warnings.simplefilter("error")
import torch, torch.utils.data
from torch import nn, optim

PLACES = {
    "torch": torch, "torch.functional": torch.functional, "torch.nn.functional": nn.functional, "torch.nn": nn,
    "torch.autograd": torch.autograd, "torch.linalg": torch.linalg, "torch.optim": optim,
    "torch.nn.utils": nn.utils, "torch.nn.init": nn.init,
    "torch.Tensor": torch.Tensor, "Parameter": nn.Parameter, "Module": nn.Module, "Linear": nn.Linear, "LSTM": nn.LSTM,
    "Optimizer": optim.Optimizer, "Adam": optim.Adam,
    "Dataset": torch.utils.data.Dataset, "DataLoader": torch.utils.data.DataLoader, "TensorBase": torch._C.TensorBase,
}

def surface():
    return {
        place: {name: id(vars(thing).get(name)) for name in dir(thing) if name != "__abstractmethods__"}
        for place, thing in PLACES.items()
    }

import torch._dynamo  # torch imports parts of itself late; not ours to count
optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
before = surface()
import syft as sy
imported = surface()
sy.TorchHook(torch)
hooked = surface()

def changes(old, new):
    return {
        place: {"added": sorted(set(new[place]) - set(old[place])), "gone": sorted(set(old[place]) - set(new[place])),
                "replaced": sorted(n for n in set(old[place]) & set(new[place]) if old[place][n] != new[place][n])}
        for place in new
    }

print(json.dumps({"import": changes(before, imported), "hook": changes(imported, hooked)}))
"""

BEHAVIOUR = """
import copy, gc, io, json, pickle, sys, warnings
import torch
from torch import nn
if sys.argv[1] == "hooked":
    import syft as sy
    sy.TorchHook(torch)

facts = {}

def fact(name, run):
    try:
        facts[name] = repr(run())
    except Exception as error:
        facts[name] = f"{type(error).__name__}: {error}"

def saved(value):
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()

def trained():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 1))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        net(torch.ones(4, 2)).sum().backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
    return net

x = torch.arange(6.0).reshape(2, 3)
leaf = torch.ones(2, requires_grad=True)
net = trained()
fact("repr", lambda: [repr(v) for v in (x, leaf, leaf * 2, x.long(), torch.tensor(3), nn.Parameter(x), torch.empty(0))])
fact("str", lambda: [str(x), f"{torch.tensor(2.5):.3f}", format(torch.tensor(1))])
fact("types", lambda: [type(v).__name__ for v in (x, x + 1, nn.Parameter(x), nn.Parameter(x) * 2, x.max(0), x.shape)])
fact("is_subclass", lambda: [isinstance(leaf, nn.Parameter), isinstance(nn.Parameter(x), torch.Tensor)])
fact("eq_none", lambda: [x == None, x != None, torch.tensor(5) == 5])
fact("len_scalar", lambda: len(torch.tensor(5)))
fact("unknown", lambda: x.nothing_like_it)
fact("child", lambda: x.child)
fact("set", lambda: setattr(x, "anything", 3) or x.anything)
fact("dict", lambda: sorted(vars(leaf)))
fact("hash", lambda: hash(x) == id(x))
fact("bool", lambda: bool(torch.tensor([])))
fact("index", lambda: [1, 2, 3][torch.tensor(1)])
fact("iterate", lambda: [row.tolist() for row in x])
fact("numpy", lambda: x.numpy().tolist())
fact("pickle", lambda: pickle.loads(pickle.dumps(x)))
fact("pickle_names", lambda: b"syft" in pickle.dumps(leaf))
fact("saved", lambda: saved({"x": x, "leaf": leaf, "net": net.state_dict()}))
fact("saved_model", lambda: saved(net))
fact("loaded", lambda: torch.load(io.BytesIO(saved(net.state_dict())))["0.weight"])
fact("deepcopy", lambda: [copy.deepcopy(leaf), copy.copy(x), copy.deepcopy(net)[0].weight])
fact("state_dict", lambda: list(net.state_dict().items()))
fact("named", lambda: [name for name, _ in net.named_parameters()])
fact("vmap", lambda: torch.vmap(lambda row: row.sum())(x))
fact("func_grad", lambda: torch.func.grad(lambda v: (v * v).sum())(x))
fact("jvp", lambda: torch.func.jvp(torch.sin, (x,), (torch.ones_like(x),)))
fact("jacrev", lambda: torch.func.jacrev(lambda v: v**2)(torch.ones(2)))
fact("functional_call", lambda: torch.func.functional_call(net, dict(net.named_parameters()), (torch.ones(4, 2),)))
fact("no_grad", lambda: torch.no_grad()(lambda: (leaf * 2).requires_grad)())
fact("hooks", lambda: type((leaf * 1).register_hook(lambda g: g)).__name__)
fact("subclass", lambda: type(x.as_subclass(type("Mine", (torch.Tensor,), {})) + 1).__name__)
fact("getattr_module", lambda: net.nothing_like_it)
fact("module_id", lambda: hasattr(nn.Linear(1, 1), "id"))
fact("frozen", lambda: trained().requires_grad_(False)[0].weight)
fact("loader", lambda: list(torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x), batch_size=1)))
fact("fx", lambda: str(torch.fx.symbolic_trace(nn.Sequential(nn.Linear(2, 2), nn.ReLU())).graph))
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    scripted = torch.jit.script(nn.Sequential(nn.Linear(2, 2), nn.ReLU()))
    fact("jit", lambda: [scripted.code, scripted(torch.ones(1, 2)).shape])
    fact("jit_trace", lambda: torch.jit.trace(net.eval(), torch.ones(1, 2)).code)
    fact("export", lambda: str(torch.export.export(nn.Linear(2, 2), (torch.ones(1, 2),)).graph))
    fact("compile", lambda: torch.compile(lambda v: (v * 2 + 1).sin(), backend="eager", fullgraph=True)(x))
    compiled = torch.compile(nn.Linear(2, 2), backend="eager", fullgraph=True)
    fact("compile_module", lambda: compiled(torch.ones(1, 2)).shape)
gc.collect()
print(json.dumps(facts))
"""


def run(program: str, *arguments: str) -> Any:
    """What a program printed as JSON, run in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1"}
    finished = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, env=environment, timeout=120
    )
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout.splitlines()[-1])


@cache
def surface() -> dict[str, dict[str, dict[str, list[str]]]]:
    return run(SURFACE)


@cache
def behaviour(kind: str) -> dict[str, str]:
    return run(BEHAVIOUR, kind)


NAMES = {cls.__name__: set(methods) for cls, methods in METHODS.items()}
HEIRS = {
    "torch.Tensor": "Tensor", "Parameter": "Tensor", "Linear": "Module", "LSTM": "Module", "DataLoader": "",
    "Adam": "Optimizer",
}  # fmt: skip


@pytest.mark.timeout(120)
def test_hooking_adds_the_verbs_and_nothing_else() -> None:
    for place, found in surface()["hook"].items():
        verbs = {name for name in NAMES.get(HEIRS.get(place, place), set()) if not name.startswith("__")}
        verbs |= {"torch_hooked"} if place == "torch" else set()
        already = set(surface()["import"][place]["added"])
        assert set(found["added"]) == verbs - already, place
        assert found["gone"] == [], place


@pytest.mark.timeout(120)
def test_hooking_replaces_the_text_of_tensors_and_nothing_else() -> None:
    replaced = {place: set(found["replaced"]) for place, found in surface()["hook"].items() if found["replaced"]}
    assert replaced == {"torch.Tensor": {"__repr__"}}


@pytest.mark.timeout(120)
def test_importing_changes_no_part_of_torch() -> None:
    changed = {place: found for place, found in surface()["import"].items() if found["gone"] or found["replaced"]}
    assert changed == {}
    added = {place: set(found["added"]) for place, found in surface()["import"].items() if found["added"]}
    assert {name for names in added.values() for name in names} <= {"federate", "named_tensors"}


def test_the_verbs_are_few(hook: sy.TorchHook) -> None:
    for cls, methods in METHODS.items():
        assert len(methods) <= VERBS, cls
        assert all(name in vars(cls) for name in methods), cls


def test_verbs_say_what_they_do() -> None:
    for methods in METHODS.values():
        for name, method in methods.items():
            assert name.startswith("__") or inspect.getdoc(method), name


@pytest.mark.timeout(240)
def test_plain_tensors_and_modules_behave_as_before() -> None:
    plain, hooked = behaviour("plain"), behaviour("hooked")
    assert list(plain) == list(hooked)
    assert {name: hooked[name] for name in plain if hooked[name] != plain[name]} == {}


@pytest.mark.timeout(240)
def test_control_the_facts_are_facts() -> None:
    plain = behaviour("plain")
    errors = {name for name, text in plain.items() if text.split(":")[0].endswith("Error")}
    assert errors == {"unknown", "child", "len_scalar", "bool", "getattr_module"}
    assert not any("syft" in text for text in behaviour("hooked").values())
