import torch
import syft as sy
hook = sy.TorchHook(torch)
qin = sy.VirtualWorker(hook=hook, id="qin")

train = torch.tensor([2.4, 6.2], requires_grad=True).send(qin)
label = torch.tensor([2, 6.]).send(qin)

loss = (train - label).abs().sum()
loss.backward()
train = train.get()

print(train)
print(train.grad)
# tensor([2.4000, 6.2000], requires_grad=True)
# tensor([1., 1.])
