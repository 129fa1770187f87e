import torch
import syft as sy

# 创建hook,hook是一个初始化操作:
hook = sy.TorchHook(torch)

# 虚拟一个bob机器:
# 去中心化机器学习的目标之一就是能够操作不在本地的数据，因此syft里面的hook机制就是创建虚拟节点，模拟多节点联合建模的过程。
# 此时，本地为Me，远程有Bob，Bob在哪里不用关心，也许在火星。
bob = sy.VirtualWorker(hook, id='bob')

# 创建两个Tensor:
x = torch.tensor([1,2,3,4,5])
y = torch.tensor([1,1,1,1,1])

# 把这两个Tensor发给bob:
x_ptr = x.send(bob)
y_ptr = y.send(bob)

# 看看bob有的数据对象:
print('bob._objects = ', bob._objects, 'after send')
# bob._objects =  {47264313560: tensor([1, 2, 3, 4, 5]), 11757937222: tensor([1, 1, 1, 1, 1])} after send

# 此时，x_ptr和y_ptr是两个指向bob的对象，可以理解为指针的功能，对这两个指针对象做加法:
z = x_ptr + y_ptr
print('z = ', z)
# z =  (Wrapper)>[PointerTensor | me:92333043891 -> bob:12930483167]

# 使用Tensor指针
# 上面的操作不够方便，在创建Tensor时可以直接发给bob
x = torch.tensor([1,2,3,4,5]).send(bob)
y = torch.tensor([1,1,1,1,1]).send(bob)
z = x + y
print(z)
# (Wrapper)>[PointerTensor | me:20992276262 -> bob:501242833]
print(z.get())
# tensor([2, 3, 4, 5, 6])

# 梯度操作
# x、y增加梯度:
x = torch.tensor([1,2,3,4,5.], requires_grad=True).send(bob)
y = torch.tensor([1,1,1,1,1.], requires_grad=True).send(bob)

# 求和
z = (x + y).sum()
# 反向传播
z.backward()

print(z)
# (Wrapper)>[PointerTensor | me:45617407530 -> bob:9347229155]
print(z.backward())
# (Wrapper)>[PointerTensor | me:87874788594 -> bob:53673560597]
print(x.grad)
# (Wrapper)>[PointerTensor | me:50524552071 -> bob:6037595972]::grad
