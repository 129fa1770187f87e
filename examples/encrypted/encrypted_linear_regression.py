"""PySyft's advanced tutorial: house prices fitted on the data of six owners, none of whom shows a row to anybody.

    python examples/encrypted/encrypted_linear_regression.py

Each owner computes sums of products of its own columns and shares them between an owner, drawn at random, and a worker
that is honest but curious. These two solve the normal equations on shares. Only the coefficients, their standard errors
and the variance of the residuals are opened.
"""

from __future__ import annotations

import time

import torch

import syft as sy
from syft.frameworks.torch.linalg import EncryptedLinearRegression

FEATURES = ("rooms", "distance", "tax", "pupils per teacher")
COLUMNS = (5, 7, 9, 10)


def main() -> EncryptedLinearRegression:
    """Find the data, fit and print a table; returns the regression."""
    lab = {"torch": torch}
    sy.create_sandbox(lab, verbose=False)
    hook, owners = lab["hook"], lab["workers"]
    crypto_provider = sy.VirtualWorker(hook, id="crypto_provider")
    hbc_worker = sy.VirtualWorker(hook, id="hbc_worker")

    me = hook.local_worker
    X_ptrs, y_ptrs = [], []
    for owner in owners:
        (data,) = me.request_search(["#boston", "#data"], location=owner)
        (target,) = me.request_search(["#boston", "#target"], location=owner)
        X_ptrs.append(torch.stack([data[:, column] for column in COLUMNS], 1))  # computed at the owner
        y_ptrs.append(target)
    print("owners:", ", ".join(owner.id for owner in owners))

    model = EncryptedLinearRegression(crypto_provider, hbc_worker)
    start = time.perf_counter()
    model.fit(X_ptrs, y_ptrs)
    print(f"{model.total_size} rows, fitted in {time.perf_counter() - start:.2f} s")
    print("features:", ", ".join(f"coef{i} is {name}" for i, name in enumerate(FEATURES, 1)))
    model.summarize()

    predicted = model.predict(X_ptrs[0])  # stays at the owner
    print(f"predicted for {predicted.location.id}: {tuple(predicted.shape)}, still there")
    return model


if __name__ == "__main__":
    main()
