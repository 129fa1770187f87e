"""Homomorphic encryption: computing on numbers that only the holder of a key can read."""
