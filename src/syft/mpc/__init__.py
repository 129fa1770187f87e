"""Secure multi-party computation: what holders of shares and a dealer compute."""
