"""Models, optimizers and local torch, with the data on a worker."""
