"""Multi-party computation: values that several holders share, and what they compute without seeing them."""

from syft.encoded.costs import Profile, profile

__all__ = ["Profile", "profile"]
