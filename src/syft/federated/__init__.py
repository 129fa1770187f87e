"""Federated learning: data that stays with its workers, local training, averages of models."""
