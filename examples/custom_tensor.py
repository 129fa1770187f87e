"""A tensor type of one's own: values that stop at a limit, like those of a sensor. See docs/custom_tensors.md."""

from __future__ import annotations

import torch

import syft as sy
from syft.generic.frameworks.overload import overloaded
from syft.generic.tensor import AbstractTensor


class SaturatingTensor(AbstractTensor):
    """Sums and products stop at ``limit`` and ``-limit``; everything else is torch's."""

    def __init__(self, limit=100.0, **kwargs):
        super().__init__(**kwargs)
        self.limit = limit

    def get_class_attributes(self):
        return {"limit": self.limit}  # what a result needs to be like its operands

    @overloaded.method
    def add(self, _self, other):  # _self and other are what is under the operands
        return (_self + other).clamp(-self.limit, self.limit)

    @overloaded.method
    def mul(self, _self, other):
        return (_self * other).clamp(-self.limit, self.limit)

    @classmethod
    def on_function_call(cls, command):  # every torch function that is not defined below
        print("passes on", command[0])

    @staticmethod
    @overloaded.module
    def torch(module):
        def add(a, b):  # gets saturating tensors, and may call their methods
            return a.add(b)

        module.add = add

        @overloaded.function
        def sub(a, b):  # gets what is under them
            return a - b

        module.sub = sub


def main():
    hook = sy.TorchHook(torch)
    x = SaturatingTensor(limit=50.0).on(torch.tensor([10.0, 30.0]))
    print(x)
    print(x * 2, x + x)
    print(torch.add(x, x), torch.sub(x, x))
    print(torch.div(x, 4).child.limit)
    for wire in (False, True):  # without and with encoding every message
        bob = sy.VirtualWorker(hook, id="bob", wire=wire)
        there = x.send(bob)
        print((there * 3 + there).get())
        there.get()


if __name__ == "__main__":
    main()
