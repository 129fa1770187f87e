"""Differential privacy: results that say almost the same whether or not any one person is in the data."""
