"""The entry point of the ``syft`` command, and how its errors look: one line, exit code 2."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console

from syft.cli.budget import dp_app
from syft.cli.demo import demo
from syft.cli.worker import worker_app
from syft.exceptions import SyftError
from syft.version import __version__

app = typer.Typer(
    name="syft",
    help="Federated learning on data that stays where it is.",
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version and stop.")] = False,
) -> None:
    if version:
        typer.echo(f"syft {__version__}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


app.command()(demo)
app.add_typer(worker_app)
app.add_typer(dp_app)


def main(arguments: list[str] | None = None) -> None:
    """Run the command and end the process.

    Args:
        arguments: what stands after ``syft``; None takes the process's own.

    Raises:
        SystemExit: always: 0 when all went well, 2 for bad arguments and errors that say what to do, 130
            when interrupted from the keyboard.
    """
    try:
        code = app(arguments, prog_name="syft", standalone_mode=False)
    except (typer.Abort, KeyboardInterrupt):
        code = 130
    except Exception as error:
        sys.exit(_complain(error))
    sys.exit(code if isinstance(code, int) else 0)


def _complain(error: Exception) -> int:
    # The parser's errors have one base class, which typer does not name the same in all its versions.
    message = getattr(error, "format_message", None)
    if message is None and not isinstance(error, SyftError):
        raise error
    text = message() if message is not None else str(error)
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    console.print("[bold red]error:[/] ", end="")
    console.print(" ".join(text.split()), markup=False)
    return 2
