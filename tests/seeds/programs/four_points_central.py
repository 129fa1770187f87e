import torch
from torch import nn
from torch import optim
import pdb
# 数据集
# 上面四个点的坐标为训练集data，用0代表圆，1代表三角形，标签为target，用张量表示如下:
data = torch.tensor([[0,0],[0,1],[1,0],[1,1.]], requires_grad=True)
target = torch.tensor([[0],[0],[1],[1.]], requires_grad=True)

# 集中式训练

# 初始化模型
model = nn.Linear(2,1)

# 模型训练
def train():
    # SGD优化器
    opt = optim.SGD(params=model.parameters(),lr=0.1)

    for iter in range(20):
        # 1) 梯度清零
        opt.zero_grad()

        # 2) 预测
        pred = model(data)

        # 3) 计算损失
        loss = ((pred - target)**2).sum()

        # 4) 反向传播
        loss.backward()

        # 5) 梯度更新
        opt.step()

        # 6) 打印loss
        print(loss.data)


train()
# tensor(5.9401)
# tensor(1.5482)
# tensor(0.9018)
# tensor(0.6321)
# tensor(0.4559)
# tensor(0.3317)
# tensor(0.2429)
# tensor(0.1788)
# tensor(0.1324)
# tensor(0.0984)
# tensor(0.0734)
# tensor(0.0550)
# tensor(0.0413)
# tensor(0.0311)
# tensor(0.0235)
# tensor(0.0178)
# tensor(0.0135)
# tensor(0.0102)
# tensor(0.0078)
# tensor(0.0059)

# 打印模型参数
for param_tensor in model.state_dict():
    pdb.set_trace()
    print(param_tensor,'\t',model.state_dict()[param_tensor])
# weight   tensor([[ 0.9474, -0.0380]])
# bias     tensor([0.0537])
