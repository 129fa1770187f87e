#初始化
import torch
import syft as sy
hook = sy.TorchHook(torch)#增加额外的功能
kong = sy.VirtualWorker(hook=hook,id='kong')

data = torch.tensor([0, 1, 2, 1, 2])#创建tensor数据
data_ptr = data.send(kong)#指针指向这个数据
print(data_ptr)
# (Wrapper)>[PointerTensor | me:88077243152 -> kong:2511276968]


print(kong._objects)
# {2511276968: tensor([0, 1, 2, 1, 2])}

data = data_ptr.get()#取回数据
print(data)
# tensor([0, 1, 2, 1, 2])

print(kong._objects)#看看此时打工人手上有啥
# {}

a = torch.tensor([3.14, 6.28]).send(kong)
b = torch.tensor([6.14, 3.28]).send(kong)
c = a + b
print(c)
# (Wrapper)>[PointerTensor | me:64012315468 -> kong:12403764116]
