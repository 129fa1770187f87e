"""``syft worker token`` and ``syft worker cert``: what a first secure set-up needs."""

from __future__ import annotations

import shlex
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from syft.exceptions import CredentialsError, UsageError
from syft.transports.certificates import make_certificate, make_client_certificate
from syft.transports.tokens import TokenFile


class Role(StrEnum):
    """What the user of a token may do."""

    user = "user"
    owner = "owner"


def token(
    user: Annotated[str, typer.Argument(help="For whom.")],
    file: Annotated[Path, typer.Option(help="The worker's token file.")] = Path("tokens.jsonl"),
    role: Annotated[Role, typer.Option(help="An owner also decides about requests.")] = Role.user,
    days: Annotated[float | None, typer.Option(min=0, help="How long it is good.", show_default="for ever")] = None,
    revoke: Annotated[bool, typer.Option("--revoke", help="Take all tokens of the user back instead.")] = False,
) -> None:
    """Make a token for a user, and let it into the worker's token file. A running worker notices."""
    console = Console(soft_wrap=True, highlight=False)
    if revoke:
        count = TokenFile.load(file).revoke(user)
        if count == 0:
            users = ", ".join(sorted({entry.user for entry in TokenFile.load(file).entries})) or "nobody"
            raise CredentialsError(f"nothing was taken back: {file} has no token of {user!r}, but of {users}")
        console.print(f"{count} of {user}'s tokens taken back in {file}", markup=False)
        return
    made = TokenFile(file).add(user, role.value, days)
    # The token alone goes to the standard output, so that it can be piped to where it belongs.
    console.print(made.text, markup=False)
    advice = Console(stderr=True, soft_wrap=True, highlight=False)
    advice.print(
        f"This is shown once. Give it to {user} over a safe way; {user} sets SYFT_TOKEN to it, or passes token=... to "
        f"WebsocketClientWorker. {file} has its public half only.",
        markup=False,
    )
    advice.print(f"next         syft worker --tokens {_quoted(file)}", markup=False)


def cert(
    hosts: Annotated[list[str] | None, typer.Argument(help="Names and addresses of the worker.")] = None,
    directory: Annotated[Path, typer.Option("--dir", help="Where the files go.")] = Path("certs"),
    days: Annotated[int, typer.Option(min=1, help="How long it is good.")] = 825,
    client: Annotated[str | None, typer.Option(metavar="USER", help="Make a user's certificate instead.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace what is there.")] = False,
) -> None:
    """Make a certificate for a worker (or a user), and the authority that signs it if there is none yet."""
    console = Console(soft_wrap=True, highlight=False)
    if client is not None:
        if hosts:
            raise UsageError(
                f"a user's certificate names no hosts, and {' '.join(hosts)} would be left out; say either hosts or "
                "--client USER"
            )
        files = make_client_certificate(directory, client, days, force=force)
        use = (
            f"WebsocketClientWorker(..., ca={str(files.ca)!r}, certificate={str(files.certificate)!r}, "
            f"key={str(files.key)!r})"
        )
        following = f"syft worker --client-ca {_quoted(files.ca)} --cert ... --key ..."
    else:
        files = make_certificate(directory, hosts or ["localhost", "127.0.0.1", "::1"], days, force=force)
        use = f"WebsocketClientWorker(..., ca={str(files.ca)!r})"
        following = f"syft worker --cert {_quoted(files.certificate)} --key {_quoted(files.key)} --tokens tokens.jsonl"
    for what, path in (("authority", files.ca), ("certificate", files.certificate), ("key", files.key)):
        console.print(f"{what:12} {path}", markup=False)
    console.print(f"clients      {use}", markup=False)
    console.print(f"next         {following}", markup=False)
    keep = files.ca.with_name("ca.key")
    console.print(f"{keep} signs for everybody who trusts {files.ca}: give it to nobody.", markup=False)


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
