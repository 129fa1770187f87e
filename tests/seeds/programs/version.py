import syft as sy
print(sy.version.__version__)
