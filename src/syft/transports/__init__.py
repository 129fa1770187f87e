"""Bytes and connections: how messages reach a worker in another process, and who may bring them."""
