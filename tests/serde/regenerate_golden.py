"""Writes the golden files anew: ``python -m tests.serde.regenerate_golden`` from the root of the checkout.

Only after a change of `syft.serde.frame.VERSION`: bytes of a released version are never given another meaning.
"""

from __future__ import annotations

from syft.serde import encode
from tests.serde.samples import GOLDEN, samples


def main() -> None:
    """Write one file for each sample and remove those of no sample."""
    for path in GOLDEN.glob("*.bin"):
        path.unlink()
    for name, obj in samples().items():
        (GOLDEN / f"{name}.bin").write_bytes(encode(obj))


if __name__ == "__main__":
    main()
