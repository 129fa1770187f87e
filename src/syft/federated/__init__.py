"""Federated learning: data that stays with its workers, local training, averages of models."""

from __future__ import annotations

from syft.federated.averaging import accuracy, add_model, average_state_dicts, federated_avg, scale_model
from syft.federated.batches import extract_batches_per_worker
from syft.federated.callbacks import BatchReport, Callback
from syft.federated.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from syft.federated.client import Client, clients_from
from syft.federated.dataset import BaseDataset, PointerDataset
from syft.federated.evaluation import Evaluation
from syft.federated.federate import FederatedDataset, distribute
from syft.federated.history import ClientRecord, History, RoundRecord
from syft.federated.idx import load_mnist, read_idx
from syft.federated.loader import FederatedDataLoader
from syft.federated.optimizer_state import state_follows_model
from syft.federated.optimizers import Optims
from syft.federated.partition import Dirichlet, Iid, Partitioner, QuantitySkew, Shards, split
from syft.federated.secure import key_holder as _key_holder_service  # noqa: F401 - registers it
from syft.federated.secure import service as _aggregation_service  # noqa: F401 - registers it
from syft.federated.secure.homomorphic import PaillierAggregation
from syft.federated.secure.strategy import SecureAggregation
from syft.federated.strategies import ClientUpdate, FedAvg, FedOpt, FedProx, Strategy
from syft.federated.trainer import FederatedTrainer

__all__ = [
    "BaseDataset",
    "BatchReport",
    "Callback",
    "Checkpoint",
    "Client",
    "ClientRecord",
    "ClientUpdate",
    "Dirichlet",
    "Evaluation",
    "FedAvg",
    "FedOpt",
    "FedProx",
    "FederatedDataLoader",
    "FederatedDataset",
    "FederatedTrainer",
    "History",
    "Iid",
    "Optims",
    "PaillierAggregation",
    "Partitioner",
    "PointerDataset",
    "QuantitySkew",
    "RoundRecord",
    "SecureAggregation",
    "Shards",
    "Strategy",
    "accuracy",
    "add_model",
    "average_state_dicts",
    "clients_from",
    "distribute",
    "extract_batches_per_worker",
    "federated_avg",
    "load_checkpoint",
    "load_mnist",
    "read_idx",
    "save_checkpoint",
    "scale_model",
    "split",
    "state_follows_model",
]
