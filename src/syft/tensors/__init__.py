"""The tensor chain: what users hold, and the links under it."""
