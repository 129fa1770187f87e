"""The notes that the product was asked from, as programs and as tests."""
