"""Multi-party computation: values that several holders share, and what they compute without seeing them."""

from syft.tensors.costs import Profile, profile

__all__ = ["Profile", "profile"]
