"""Multi-party computation: values that several holders share, and what they compute without seeing them."""
