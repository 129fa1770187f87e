"""What the library costs, as ratios measured within one run: `python -m benchmarks`."""
