"""``syft worker token`` and ``syft worker cert`` at the command line: what they make, print and refuse."""

from __future__ import annotations

import shlex
import stat
from pathlib import Path

import pytest
import typer
from click.testing import Result
from cryptography import x509
from typer.testing import CliRunner

from syft.cli.credentials import cert, token
from syft.exceptions import AuthenticationError, CredentialsError, UsageError
from syft.transports.tls import client_context, server_context
from syft.transports.tokens import Token, TokenFile

app = typer.Typer()
app.command("token")(token)
app.command("cert")(cert)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def fails(*arguments: str) -> str:
    with pytest.raises((CredentialsError, UsageError)) as caught:
        CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    return str(caught.value)


def following(output: str) -> list[str]:
    (line,) = (line for line in output.splitlines() if line.startswith("next "))
    return shlex.split(line)[1:]


# --- token -------------------------------------------------------------------------------------------


def test_a_token_is_printed_alone_and_once(here: Path) -> None:
    result = run("token", "ana")
    made = Token.parse(result.stdout)
    assert result.stdout == made.text + "\n" and made.text not in result.stderr
    assert "SYFT_TOKEN" in result.stderr and "token=" in result.stderr
    assert following(result.stderr) == ["syft", "worker", "--tokens", "tokens.jsonl"]
    assert TokenFile.load(here / "tokens.jsonl").identify_bearer(made.text).user == "ana"
    assert stat.S_IMODE((here / "tokens.jsonl").stat().st_mode) == 0o600


def test_a_long_token_is_not_broken_into_lines() -> None:
    assert Token.parse(run("token", "x" * 64).stdout).user == "x" * 64


def test_file_role_and_days_are_those_asked_for(here: Path) -> None:
    result = run("token", "ana", "--file", "my tokens.jsonl", "--role", "owner", "--days", "30")
    (entry,) = TokenFile.load(here / "my tokens.jsonl").entries
    assert (entry.user, entry.role) == ("ana", "owner")
    assert entry.expires is not None and (entry.expires - entry.created).days == 30
    assert following(result.stderr)[-1] == "my tokens.jsonl"


def test_a_token_is_taken_back_under_a_running_worker(here: Path) -> None:
    ana, bob = run("token", "ana").stdout.strip(), run("token", "bob").stdout.strip()
    running = TokenFile.load(here / "tokens.jsonl")
    assert running.identify_bearer(ana).user == "ana"
    assert "1 of ana's tokens" in run("token", "ana", "--revoke").stdout
    with pytest.raises(AuthenticationError):
        running.identify_bearer(ana)
    assert running.identify_bearer(bob).user == "bob"


def test_taking_back_what_is_not_there_is_an_error(here: Path) -> None:
    assert "cannot be read" in fails("token", "ana", "--revoke")
    run("token", "ana")
    assert fails("token", "anna", "--revoke").endswith("has no token of 'anna', but of ana")
    assert len(TokenFile.load(here / "tokens.jsonl").entries) == 1


def test_what_makes_no_token_is_refused(here: Path) -> None:
    assert "1 to 64" in fails("token", "a b")
    assert "0.0 days" in fails("token", "ana", "--days", "0")
    assert CliRunner().invoke(app, ["token", "ana", "--role", "root"]).exit_code == 2
    assert list(here.iterdir()) == []


# --- cert --------------------------------------------------------------------------------------------


def test_a_certificate_is_made_for_this_machine_when_no_host_is_named(here: Path) -> None:
    result = run("cert")
    assert sorted(path.name for path in (here / "certs").iterdir()) == ["ca.key", "ca.pem", "syft.key", "syft.pem"]
    for name in ("ca.pem", "ca.key", "syft.pem", "syft.key"):
        assert f"certs/{name}" in result.stdout
    assert "PRIVATE" not in result.output
    assert following(result.stdout)[:6] == "syft worker --cert certs/syft.pem --key certs/syft.key".split()
    assert _hosts(here / "certs" / "syft.pem") == ["localhost", "127.0.0.1", "::1"]


def test_hosts_directory_and_days_are_those_asked_for(here: Path) -> None:
    result = run("cert", "worker.example.org", "192.0.2.7", "--dir", "my certs", "--days", "7")
    made = x509.load_pem_x509_certificate((here / "my certs" / "syft.pem").read_bytes())
    assert _hosts(here / "my certs" / "syft.pem") == ["worker.example.org", "192.0.2.7"]
    assert (made.not_valid_after_utc - made.not_valid_before_utc).days == 7
    command = following(result.stdout)
    server_context(command[command.index("--cert") + 1], command[command.index("--key") + 1])


def test_a_users_certificate_is_made_beside_the_workers(here: Path) -> None:
    run("cert")
    result = run("cert", "--client", "ana")
    client_context("certs/ca.pem", "certs/ana.pem", "certs/ana.key")
    assert "certificate='certs/ana.pem'" in result.stdout and "key='certs/ana.key'" in result.stdout
    assert following(result.stdout)[:4] == "syft worker --client-ca certs/ca.pem".split()


def test_what_is_there_is_replaced_only_with_force(here: Path) -> None:
    run("cert")
    before = (here / "certs" / "syft.key").read_bytes()
    assert "is there already" in fails("cert")
    assert (here / "certs" / "syft.key").read_bytes() == before
    run("cert", "--force")
    assert (here / "certs" / "syft.key").read_bytes() != before


def test_hosts_and_a_user_at_once_are_refused(here: Path) -> None:
    assert "either hosts or --client USER" in fails("cert", "localhost", "--client", "ana")
    assert list(here.iterdir()) == []


def _hosts(path: Path) -> list[str]:
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [str(name.value) for name in names]
