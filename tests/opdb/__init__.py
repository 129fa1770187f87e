"""Torch's own operator test database, run through pointers."""
