"""`python -m <service> provision` as the chart runs it: passwords in files, over TLS where the variables ask for that."""

import asyncio
import os
import re
import ssl
import struct
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from crm_kit.db.embedded import EmbeddedPostgres
from crm_kit.db.provision import role_url
from crm_kit.db.session import Database
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

# By the variable that the role's URL is in.
ROLES = {
    "ALPHA_DATABASE": ("alpha_app", "alpha"),
    "ALPHA_SYSTEM_DATABASE": ("alpha_system", "alpha"),
    "ALPHA_OWNER_DATABASE": ("alpha_owner", "alpha"),
    "EVENT_LOG": ("event_log", "event_log"),
}
PROGRAM = (
    "import dataclasses; from crm_kit.cli import run; from crm_testkit.toy_service.manifest import MANIFEST;"
    "run(dataclasses.replace(MANIFEST, name='alpha'))"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    folder = tmp_path_factory.mktemp("cluster")
    for each in (folder, *folder.parents[:2]):
        each.chmod(0o711)
    server = EmbeddedPostgres(folder / "postgres", fast=True)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def passwords(tmp_path: Path) -> Path:
    folder = tmp_path / "passwords"
    folder.mkdir()
    for role, _ in ROLES.values():
        (folder / role).write_text(f"of {role}: 0/1@2\n")
    return folder


def provisioned(administrator: str, folder: Path, **changed: str) -> "subprocess.CompletedProcess[str]":
    """By the command; `administrator` is a URL with a password, which comes from a file as all others do."""
    parts = urlsplit(administrator)
    user, _, host = parts.netloc.rpartition("@")
    name, _, password = user.partition(":")
    (folder / "administrator").write_text(password)
    urls = {"ADMIN_DATABASE": (urlunsplit(parts._replace(netloc=f"{name}@{host}")), folder / "administrator")}
    for variable, (role, database) in ROLES.items():
        urls[variable] = (urlunsplit(parts._replace(netloc=f"{role}@{host}", path=f"/{database}")), folder / role)
    environment = {
        **os.environ,
        **{f"{variable}_URL": url for variable, (url, _) in urls.items()},
        **{f"{variable}_PASSWORD_FILE": str(file) for variable, (_, file) in urls.items()},
        "SECRET": "only-for-tests-0123456789abcdefgh",
        **changed,
    }
    command = [sys.executable, "-c", PROGRAM, "provision"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def opened(server_url: str, role: str, database: str, folder: Path) -> str:
    return role_url(server_url, database, role, (folder / role).read_text().strip())


async def test_databases_and_roles_are_there_however_often_it_runs(server: EmbeddedPostgres, passwords: Path) -> None:
    url = server.superuser_url()
    for _ in range(2):
        done = provisioned(url, passwords)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == "alpha: provisioned alpha, event_log\n"
    for role, database in ROLES.values():
        connection = await asyncpg.connect(opened(url, role, database, passwords))
        assert await connection.fetchval("select current_user") == role
        await connection.close()


async def test_a_password_is_renewed(server: EmbeddedPostgres, passwords: Path) -> None:
    url = server.superuser_url()
    assert provisioned(url, passwords).returncode == 0
    former = opened(url, "alpha_app", "alpha", passwords)
    (passwords / "alpha_app").write_text("another")
    assert provisioned(url, passwords).returncode == 0
    await (await asyncpg.connect(opened(url, "alpha_app", "alpha", passwords))).close()
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(former)


def test_a_password_that_is_missing_is_told_by_its_variable(server: EmbeddedPostgres, passwords: Path) -> None:
    (passwords / "alpha_owner").unlink()
    done = provisioned(server.superuser_url(), passwords)
    assert done.returncode == 1
    assert f"ALPHA_OWNER_DATABASE_PASSWORD_FILE: {passwords}/alpha_owner cannot be read" in done.stderr


def test_without_a_server_it_says_so_in_a_sentence(passwords: Path) -> None:
    done = provisioned("postgresql://postgres:of-nobody-at-all@127.0.0.1:9/postgres", passwords)
    assert done.returncode == 1
    assert done.stderr.startswith("alpha: cannot be provisioned: ")
    assert "of-nobody-at-all" not in done.stderr
    assert "0/1@2" not in done.stderr


def certificate(folder: Path, host: str) -> tuple[Path, Path]:
    """One that is its own authority, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder.mkdir()
    public, private = folder / "server.crt", folder / "server.key"
    public.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    encoding = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    private.write_bytes(key.private_bytes(*encoding))
    return public, private


@asynccontextmanager
async def over_tls(socket: str, public: Path, private: Path) -> AsyncIterator[int]:
    """A port at which the server is reached over TLS alone: the embedded one is built without it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)

    async def carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while piece := await source.read(65_536):
                target.write(piece)
                await target.drain()
        target.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await reader.readexactly(8) != struct.pack("!ii", 8, 80_877_103):  # SSLRequest
            writer.close()
            return
        writer.write(b"S")
        try:
            await writer.start_tls(context)
        except OSError:  # the client does not trust us
            return
        upstream_reader, upstream_writer = await asyncio.open_unix_connection(socket)
        await asyncio.gather(carry(reader, upstream_writer), carry(upstream_reader, writer))

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()


async def test_every_connection_is_over_tls_by_the_variables_that_the_chart_sets(
    server: EmbeddedPostgres, passwords: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, password = re.findall(r"host=([^&]+)", server.superuser_url())[0], superuser_password(server)
    public, private = certificate(tmp_path / "server", "localhost")
    stranger, _ = certificate(tmp_path / "stranger", "localhost")
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    async with over_tls(f"{folder}/.s.PGSQL.5432", public, private) as port:
        url = f"postgresql://postgres:{password}@localhost:{port}/postgres"
        monkeypatch.setenv("PGSSLROOTCERT", str(stranger))
        done = await asyncio.to_thread(provisioned, url, passwords)
        assert done.returncode == 1
        assert "certificate verify failed" in done.stderr
        monkeypatch.setenv("PGSSLROOTCERT", str(public))
        done = await asyncio.to_thread(provisioned, url, passwords)
        assert (done.returncode, done.stderr) == (0, "")
        database = Database(opened(url, "alpha_app", "alpha", passwords))
        await database.ping()
        await database.close()


def superuser_password(server: EmbeddedPostgres) -> str:
    return str(urlsplit(server.superuser_url()).password)
