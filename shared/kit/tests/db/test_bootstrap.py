"""`python -m crm_kit.db.bootstrap` makes databases and roles, again and again, over TLS where that is asked for."""

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
from urllib.parse import urlsplit

import asyncpg
import pytest
from crm_kit.db.embedded import EmbeddedPostgres
from crm_kit.db.provision import role_url
from crm_kit.db.session import Database
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

ROLES = ("alpha_owner", "alpha_app", "alpha_system", "event_log")


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
    for role in ROLES:
        (folder / role).write_text(f"of-{role}-{'0123456789' * 2}\n")
    return folder


def bootstrap(url: str | None, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "SUPERUSER_URL": url} if url else {**os.environ}
    command = [sys.executable, "-m", "crm_kit.db.bootstrap", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


async def test_databases_and_roles_are_there_however_often_it_runs(server: EmbeddedPostgres, passwords: Path) -> None:
    url = server.superuser_url()
    for _ in range(2):
        done = bootstrap(url, f"--passwords={passwords}", "--event-log", "alpha")
        assert (done.returncode, done.stderr) == (0, "")
    for role, database in (
        ("alpha_owner", "alpha"),
        ("alpha_app", "alpha"),
        ("alpha_system", "alpha"),
        ("event_log",) * 2,
    ):
        password = (passwords / role).read_text().strip()
        connection = await asyncpg.connect(role_url(url, database, role, password))
        assert await connection.fetchval("select current_user") == role
        await connection.close()


async def test_a_password_is_renewed(server: EmbeddedPostgres, passwords: Path) -> None:
    url = server.superuser_url()
    (passwords / "alpha_app").write_text("another-password-of-enough-length")
    assert bootstrap(url, f"--passwords={passwords}", "alpha").returncode == 0
    await (await asyncpg.connect(role_url(url, "alpha", "alpha_app", "another-password-of-enough-length"))).close()


@pytest.mark.parametrize(
    ("role", "password", "told"),
    [
        ("alpha_app", None, "the password of alpha_app cannot be read"),
        ("alpha_owner", "short", "the password of alpha_owner must be 16 letters"),
        ("alpha_system", "an@sign/and:more-of-that-kind", "the password of alpha_system must be"),
    ],
)
def test_a_password_that_cannot_be_used_is_refused_without_being_shown(
    server: EmbeddedPostgres, passwords: Path, role: str, password: str | None, told: str
) -> None:
    if password is None:
        (passwords / role).unlink()
    else:
        (passwords / role).write_text(password)
    done = bootstrap(server.superuser_url(), f"--passwords={passwords}", "alpha")
    assert done.returncode == 1
    assert told in done.stderr
    assert password is None or password not in done.stderr


def test_without_a_server_it_says_so_in_a_sentence(passwords: Path) -> None:
    done = bootstrap("postgresql://postgres:of-nobody-at-all@127.0.0.1:9/postgres", f"--passwords={passwords}", "alpha")
    assert done.returncode == 1
    assert done.stderr.startswith("PostgreSQL could not be given its databases and roles: ")
    assert "of-nobody-at-all" not in done.stderr
    assert bootstrap(None, f"--passwords={passwords}", "alpha").stderr.startswith("SUPERUSER_URL: is needed")


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
        done = await asyncio.to_thread(bootstrap, url, f"--passwords={passwords}", "alpha")
        assert done.returncode == 1
        assert "certificate verify failed" in done.stderr
        monkeypatch.setenv("PGSSLROOTCERT", str(public))
        done = await asyncio.to_thread(bootstrap, url, f"--passwords={passwords}", "alpha")
        assert (done.returncode, done.stderr) == (0, "")
        database = Database(role_url(url, "alpha", "alpha_app", (passwords / "alpha_app").read_text().strip()))
        await database.ping()
        await database.close()


def superuser_password(server: EmbeddedPostgres) -> str:
    return str(urlsplit(server.superuser_url()).password)
