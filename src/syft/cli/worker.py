"""``syft worker``: a worker that other machines reach, until it is told to stop."""

from __future__ import annotations

import gc
import json
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import torch
import typer
from rich.console import Console

from syft.cli.approvals import requests
from syft.cli.credentials import cert, token
from syft.cli.privacy_options import LedgerOption, PrivacyOption, PrivacyPolicy, check_rules, ledger_path
from syft.cli.worker_options import (
    AdvertiseOption,
    CertificateOption,
    ClientCaOption,
    DataOption,
    DialCaOption,
    DialOption,
    HostOption,
    IdOption,
    InsecureOption,
    KeepaliveOption,
    KeyOption,
    LeaseOption,
    LogFormat,
    LogFormatOption,
    LogLevel,
    LogLevelOption,
    MaxClientsOption,
    MaxMessageOption,
    MaxPublishedOption,
    MaxResultOption,
    MaxSecondsOption,
    MaxStoredOption,
    MaxTrainingSecondsOption,
    PortOption,
    PublishOption,
    RunOption,
    SearchOption,
    StatusPortOption,
    StoreOption,
    TakeOption,
    ThreadsOption,
    TokensOption,
    TorchScriptOption,
    VerboseOption,
)
from syft.exceptions import UsageError
from syft.federated.data_files import DataSpec, load_data_file
from syft.federated.dataset import BaseDataset
from syft.status.server import StatusServer
from syft.status.worker_view import ServedWorkerView
from syft.torch_hook import TorchHook
from syft.workers.access import Access
from syft.workers.limits import WorkerLimits
from syft.workers.persistence import PersistentStore
from syft.workers.websocket_server import WebsocketServerWorker

_MIB = 1 << 20

worker_app = typer.Typer(
    name="worker",
    help="Run a worker, or make the tokens and certificates that a safe one needs.",
    invoke_without_command=True,
    rich_markup_mode="markdown",
)
worker_app.command("token")(token)
worker_app.command("cert")(cert)
worker_app.command("requests")(requests)


@worker_app.callback()
def worker(
    context: typer.Context,
    id: IdOption = "worker",
    host: HostOption = "localhost",
    port: PortOption = 8777,
    data: DataOption = None,
    store: StoreOption = None,
    status_port: StatusPortOption = None,
    certificate: CertificateOption = None,
    key: KeyOption = None,
    tokens: TokensOption = None,
    client_ca: ClientCaOption = None,
    insecure: InsecureOption = False,
    advertise: AdvertiseOption = None,
    dial: DialOption = None,
    dial_ca: DialCaOption = None,
    search: SearchOption = "all",
    run: RunOption = "all",
    take: TakeOption = "all",
    publish: PublishOption = "all",
    privacy: PrivacyOption = None,
    ledger: LedgerOption = None,
    torchscript: TorchScriptOption = False,
    max_message: MaxMessageOption = 1024,
    max_result: MaxResultOption = 1024,
    max_stored: MaxStoredOption = 4096,
    max_published: MaxPublishedOption = 4096,
    max_clients: MaxClientsOption = 256,
    max_seconds: MaxSecondsOption = 600.0,
    max_training_seconds: MaxTrainingSecondsOption = 86_400.0,
    lease: LeaseOption = 60.0,
    keepalive: KeepaliveOption = 10.0,
    threads: ThreadsOption = 16,
    log_level: LogLevelOption = LogLevel.info,
    log_format: LogFormatOption = LogFormat.text,
    verbose: VerboseOption = False,
) -> None:
    """Run a worker until it is interrupted (Ctrl-C) or terminated; it then closes its connections and exits with 0.

    Without options it serves programs of this machine:

        syft worker --id bob

    At any other address it needs a certificate and a token file, which `syft worker cert` and `syft worker token` make:

        syft worker --id bob --host 0.0.0.0 --cert certs/syft.pem --key certs/syft.key --tokens tokens.jsonl

    Exit codes: 0 stopped, 1 failed while it ran, 2 wrong options, files or address.
    """
    if context.invoked_subcommand is not None:
        return
    _set_up_log(log_level, log_format)
    limits = WorkerLimits(
        message_bytes=max_message * _MIB,
        result_bytes=max_result * _MIB,
        stored_bytes=max_stored * _MIB,
        published_bytes=max_published * _MIB,
        sessions=max_clients,
        lease=lease,
        keepalive=keepalive,
        threads=threads,
        command_seconds=max_seconds,
        training_seconds=max_training_seconds,
    )
    served = WebsocketServerWorker(
        TorchHook(torch), host, port, id, verbose=verbose, cert_path=certificate, key_path=key, client_ca=client_ca,
        tokens=tokens, insecure=insecure, access=Access.of(search, run, take, publish), limits=limits,
        advertise=advertise, dial=dial or None, dial_ca=dial_ca, torchscript=torchscript,
    )  # fmt: skip
    policy = PrivacyPolicy.parse(privacy or [])
    if privacy:
        check_rules(policy, take, named=tokens is not None or client_ca is not None)
        policy.settle(served.service("privacy"), ledger_path(ledger, store))
    _serve(served, _loaded(served, store, data or [], policy), _status_of(served, status_port, certificate, key))


def _loaded(served: WebsocketServerWorker, store: str | None, data: list[str], policy: PrivacyPolicy) -> list[str]:
    if store is not None:
        served.persist(PersistentStore(store))
    lines = [_load(served, text, policy.data) for text in data]
    missing = policy.data - {DataSpec.parse(text).name for text in data}
    if missing:
        raise UsageError(f"--privacy speaks of data {', '.join(sorted(missing))}, and no --data has that name")
    return lines


def _status_of(
    served: WebsocketServerWorker, port: int | None, certificate: Path | None, key: Path | None
) -> StatusServer | None:
    return None if port is None else StatusServer(ServedWorkerView(served), served.host, port, certificate, key)


def _load(served: WebsocketServerWorker, text: str, private: frozenset[str]) -> str:
    """Offer the data of one ``--data``: to train on by name, as tensors if it has tags, and for private questions."""
    spec = DataSpec.parse(text)
    content = load_data_file(spec.path, target=spec.target, digits=spec.digits)
    if isinstance(content, BaseDataset):
        if content.data.dtype is torch.uint8:  # images, as models want them
            content.data = content.data.float() / 255
        served.service("training").add_dataset(content, spec.name, private=spec.name in private)
        tensors = bool(spec.tags) or spec.name in private
        parts: dict[str, Any] = {"#data": content.data, "#target": content.targets} if tensors else {}
    else:
        parts = content if isinstance(content, dict) else {"": content}
    for word, tensor in parts.items():
        named = tensor.tag(*spec.tags, f"#{spec.name}", *([word] if word else []))
        served.load_data([named])
        if spec.name in private:
            served.service("privacy").offer(named)
    if isinstance(content, BaseDataset):
        found_by = f", found by {' '.join(spec.tags)}" if parts else ""
        return f"{spec.name}: {len(content)} samples to train on{found_by}"
    return f"{spec.name}: " + ", ".join(f"{tuple(t.shape)}" for t in parts.values())


def _serve(served: WebsocketServerWorker, loaded: list[str], status: StatusServer | None) -> None:
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    served.start(block=False)
    gc.collect()
    gc.freeze()  # or the collector goes through all of torch each time that many messages wait
    if status is not None:
        status.start()
    console = Console(soft_wrap=True, highlight=False)
    for line in loaded:
        console.print(f"data {line}", markup=False)
    if status is not None:
        console.print(f"status at {status.url}", markup=False)
    console.print(f"worker {served.id} serves at {served.url}; Ctrl-C stops it", markup=False)
    try:
        while not stop.wait(1.0):
            pass
    finally:
        if status is not None:
            status.stop()
        ended = served.stop()
    console.print(f"worker {served.id} has stopped", markup=False)
    if not ended:  # in the middle of a kernel, which would keep the process alive for as long as it takes
        logging.getLogger("syft.workers").warning("a command was cut off in the middle of an op")
        sys.stdout.flush()
        os._exit(0)


class _Json(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": record.created,
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry)


def _set_up_log(level: LogLevel, layout: LogFormat) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        _Json() if layout is LogFormat.json else logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    )
    root = logging.getLogger("syft")
    root.handlers[:] = [handler]
    root.setLevel(level.value.upper())
    root.propagate = False
    if level is not LogLevel.debug:  # each connection opened and closed is in the audit log already
        logging.getLogger("syft.transports.websockets").setLevel(logging.WARNING)
