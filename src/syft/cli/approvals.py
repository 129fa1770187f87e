"""``syft worker requests``: the owner of a worker decides about requests for values, in a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from syft.exceptions import CredentialsError
from syft.torch_hook import TorchHook
from syft.transports.addresses import Address
from syft.workers.approvals import PENDING
from syft.workers.websocket_client import WebsocketClientWorker


def requests(
    url: Annotated[str, typer.Argument(help="Where the worker is.")] = "ws://localhost:8777",
    accept: Annotated[list[int] | None, typer.Option(metavar="NUMBER", help="Let this one have the value.")] = None,
    reject: Annotated[list[int] | None, typer.Option(metavar="NUMBER", help="Refuse this one.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Also show those that are decided.")] = False,
    token_file: Annotated[
        Path | None,
        typer.Option(help="File with your owner's token.", show_default="the variable SYFT_TOKEN"),
    ] = None,
    ca: Annotated[Path | None, typer.Option(help="File with the authority of the worker's certificate.")] = None,
    insecure: Annotated[bool, typer.Option("--insecure", help="Do not verify the certificate.")] = False,
) -> None:
    """Show who asks for values of a worker that runs with `--take ask`, and accept or reject.

        syft worker requests wss://bob.example.org:8777 --ca ca.pem --accept 0

    Only the owner may: with a token that `syft worker token NAME --role owner` made.
    """
    address = Address.parse(url)
    with WebsocketClientWorker(
        TorchHook(torch),
        address.host,
        address.port,
        address.secure,
        token=None if token_file is None else _read(token_file),
        ca=ca,
        insecure=insecure,
        auto_add=False,
    ) as worker:
        for number in accept or ():
            worker.requests[number].accept()
        for number in reject or ():
            worker.requests[number].reject()
        decided = {*(accept or ()), *(reject or ())}
        rows = [row for row in worker.requests if everything or row.state == PENDING or row.number in decided]
    console = Console(highlight=False)
    if not rows:
        console.print("no requests wait" if not everything else "no requests", markup=False)
        return
    console.print(_table(rows))


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise CredentialsError(f"the token file {file} cannot be read: {error}") from error


def _table(rows: list[Any]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("number", "state", "user", "object", "computed", "reason"):
        table.add_column(heading, justify="right" if heading == "number" else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(_plain, (row.number, row.state, row.user, row.object, row.source, row.reason)))
    return table


def _plain(value: Any) -> Text:
    """What an asker says, without what a terminal would obey."""
    text = "–" if value in (None, "") else str(value)
    return Text("".join([part if part.isprintable() else "�" for part in text]))
