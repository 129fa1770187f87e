"""CKKS and BFV, whose ciphertexts can be multiplied, as often in a row as their keys have levels."""
