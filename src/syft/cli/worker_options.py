"""What ``syft worker`` can be told."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

_DATA, _NETWORK, _ACCESS, _LIMITS, _LOG = "Data", "Network and trust", "Who may do what", "Limits", "Logs"


class LogLevel(StrEnum):
    """How much a worker says."""

    debug = "debug"
    info = "info"
    warning = "warning"
    error = "error"


class LogFormat(StrEnum):
    """How its log looks."""

    text = "text"
    json = "json"


IdOption = Annotated[str, typer.Option("--id", help="The worker's name.")]
HostOption = Annotated[str, typer.Option(help="Address to bind.", rich_help_panel=_NETWORK)]
PortOption = Annotated[
    int, typer.Option("--port", "-p", min=0, max=65535, help="0 takes a free one.", rich_help_panel=_NETWORK)
]
DataOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=PATH[#TAG,TAG][?digits=0-3]",
        help="Data to train on under NAME, or to compute with if it has tags: .pt .npz .npy .csv, or a folder "
        "of MNIST's files. May be given several times.",
        rich_help_panel=_DATA,
    ),
]
StoreOption = Annotated[
    str | None,
    typer.Option(metavar="sqlite:///FILE", help="Keep tagged objects over a restart.", rich_help_panel=_DATA),
]
StatusPortOption = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=65535,
        help="Also serve health, metrics, a page and hosted models over HTTP. Needs the extra status.",
        show_default="none",
        rich_help_panel=_NETWORK,
    ),
]
CertificateOption = Annotated[
    Path | None, typer.Option("--cert", help="Its certificate, PEM.", rich_help_panel=_NETWORK)
]
KeyOption = Annotated[Path | None, typer.Option(help="The certificate's key, PEM.", rich_help_panel=_NETWORK)]
TokensOption = Annotated[
    Path | None, typer.Option(help="File of the tokens that let clients in.", rich_help_panel=_NETWORK)
]
ClientCaOption = Annotated[
    Path | None,
    typer.Option(help="Demand certificates of clients, signed by this authority.", rich_help_panel=_NETWORK),
]
InsecureOption = Annotated[
    bool, typer.Option("--insecure", help="Do without TLS or tokens at any address.", rich_help_panel=_NETWORK)
]
AdvertiseOption = Annotated[
    str | None, typer.Option(metavar="URL", help="Where other workers reach it.", rich_help_panel=_NETWORK)
]
DialOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="HOST|loopback|any|none",
        help="Where clients may have it connect to.",
        show_default="loopback if it is there itself, else none",
        rich_help_panel=_NETWORK,
    ),
]
DialCaOption = Annotated[
    Path | None, typer.Option(help="Authority of the workers it connects to.", rich_help_panel=_NETWORK)
]
SearchOption = Annotated[
    str, typer.Option(metavar="all|owner|USERS", help="Who finds its data.", rich_help_panel=_ACCESS)
]
RunOption = Annotated[
    str, typer.Option(metavar="all|owner|USERS", help="Who computes with its data.", rich_help_panel=_ACCESS)
]
TakeOption = Annotated[
    str,
    typer.Option(
        metavar="all|owner|ask|USERS",
        help="Who fetches its data; 'ask' waits for the owner's word.",
        rich_help_panel=_ACCESS,
    ),
]
PublishOption = Annotated[
    str, typer.Option(metavar="all|owner|USERS", help="Who leaves objects for others.", rich_help_panel=_ACCESS)
]
TorchScriptOption = Annotated[
    bool,
    typer.Option("--torchscript", help="Take TorchScript, which is code and can read files.", rich_help_panel=_ACCESS),
]
MaxMessageOption = Annotated[int, typer.Option(min=1, metavar="MIB", rich_help_panel=_LIMITS)]
MaxResultOption = Annotated[int, typer.Option(min=1, metavar="MIB", rich_help_panel=_LIMITS)]
MaxStoredOption = Annotated[int, typer.Option(min=1, metavar="MIB", help="Of one client.", rich_help_panel=_LIMITS)]
MaxPublishedOption = Annotated[
    int, typer.Option(min=1, metavar="MIB", help="What all leave for others.", rich_help_panel=_LIMITS)
]
MaxClientsOption = Annotated[int, typer.Option(min=1, rich_help_panel=_LIMITS)]
LeaseOption = Annotated[
    float,
    typer.Option(
        min=0,
        metavar="SECONDS",
        help="How long objects outlive their client's connection.",
        rich_help_panel=_LIMITS,
    ),
]
KeepaliveOption = Annotated[
    float, typer.Option(min=0.1, metavar="SECONDS", help="Between signs of life.", rich_help_panel=_LIMITS)
]
MaxSecondsOption = Annotated[
    float,
    typer.Option(
        min=0, metavar="SECONDS", help="For one command, or one batch of a training; 0: any.", rich_help_panel=_LIMITS
    ),
]
MaxTrainingSecondsOption = Annotated[
    float, typer.Option(min=0, metavar="SECONDS", help="For one training; 0: any.", rich_help_panel=_LIMITS)
]
ThreadsOption = Annotated[int, typer.Option(min=1, help="Clients served at the same moment.", rich_help_panel=_LIMITS)]
LogLevelOption = Annotated[LogLevel, typer.Option(rich_help_panel=_LOG)]
LogFormatOption = Annotated[LogFormat, typer.Option(rich_help_panel=_LOG)]
VerboseOption = Annotated[bool, typer.Option("--verbose", "-v", help="Report every message.", rich_help_panel=_LOG)]
