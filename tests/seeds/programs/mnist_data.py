from torchvision import datasets, transforms

#数据集mnist的导入
mnist_data = datasets.MNIST("D:\Python\PycharmProjects\PFLTest\mnist_data2", download=True, train=True, transform=transforms.Compose([
        transforms.ToTensor(),
        transforms.Normalize((0.13066062,), (0.30810776,))
    ]))
