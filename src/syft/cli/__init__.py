"""The ``syft`` command."""
