"""Other libraries that compute on secret-shared values, each run by the Python of an environment of its own.

Nothing here may import syft or, outside the module of one peer, anything but numpy: no environment has more in common.
"""
