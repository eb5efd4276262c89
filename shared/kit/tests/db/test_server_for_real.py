"""PostgreSQL as ops have it: over TLS, with an administrator that is no superuser, and behind a fail-over."""

import asyncio
import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

import asyncpg
import pytest
import pytest_asyncio
from crm_kit.db.connecting import SESSION, DatabaseUnreachable, connect
from crm_kit.db.embedded import EmbeddedPostgres
from crm_kit.db.migrations import current_revision, head_revision, migrate
from crm_kit.db.provision import ServiceDatabase, ServiceUrls, provision, role_url
from crm_kit.db.session import Database
from crm_testkit.certificates import Authority
from crm_testkit.kafka_broker import free_ports
from crm_testkit.pgbouncer import pooled
from crm_testkit.postgres import make_open_folder
from crm_testkit.toy_service.manifest import MANIFEST
from sqlalchemy import text

_numbers = itertools.count()


@dataclass(frozen=True)
class Encrypted:
    port: int
    urls: ServiceUrls
    authority: Authority
    foreign: Authority

    def url(self, role: str, **options: object) -> str:
        parts = urlsplit(getattr(self.urls, role))
        query = "&".join(f"{name}={quote(str(value))}" for name, value in options.items())
        return f"postgresql://{parts.username}:{parts.password}@127.0.0.1:{self.port}{parts.path}?{query}"


@pytest_asyncio.fixture(scope="module")
async def encrypted() -> AsyncIterator[Encrypted]:
    """A server that takes no connection without TLS: PgBouncer lending whole sessions, since our PostgreSQL is built without."""
    if shutil.which("pgbouncer") is None:
        pytest.skip("the embedded PostgreSQL has no TLS, and there is no PgBouncer to give it that")
    with make_open_folder() as folder:
        [server_port] = free_ports(1)
        server = EmbeddedPostgres(folder / "postgres", port=server_port, fast=True).start()
        try:
            database = ServiceDatabase("toy", "owner", "app", "system")
            await provision(server.superuser_url(), database)
            authority = Authority(folder / "certificates")
            databases = {"toy": f"host=127.0.0.1 port={server_port}"}
            async with pooled(folder, databases, database.passwords, _encrypting(authority)) as port:
                yield Encrypted(port, database.urls(server.superuser_url()), authority, Authority(folder, "foreign"))
        finally:
            server.kill()


def _encrypting(authority: Authority) -> Mapping[str, object]:
    issued = authority.issue("server")
    for each in (issued.certificate, issued.key):
        each.chmod(0o644)  # its user is another; the key is of this test alone
    return {
        "pool_mode": "session",
        "client_tls_sslmode": "require",
        "client_tls_cert_file": issued.certificate,
        "client_tls_key_file": issued.key,
        "ignore_startup_parameters": ",".join(SESSION),
    }


async def _set(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


async def test_a_service_migrates_and_serves_over_tls_that_it_has_verified(encrypted: Encrypted) -> None:
    options = {"sslmode": "verify-full", "sslrootcert": encrypted.authority.file}
    await migrate(MANIFEST.migrations, MANIFEST.metadata, encrypted.url("owner", **options))
    assert await current_revision(encrypted.url("owner", **options)) == head_revision(MANIFEST.migrations)
    database = Database(encrypted.url("app", **options), pool_size=1)
    async with database.read(None) as session:
        assert await session.scalar(text("select current_user")) == "toy_app"
    await database.close()


async def test_a_server_that_cannot_prove_itself_gets_no_password(encrypted: Encrypted) -> None:
    options = {"sslmode": "verify-full", "sslrootcert": encrypted.foreign.file}
    database = Database(encrypted.url("app", **options), pool_size=1)
    with pytest.raises(DatabaseUnreachable, match="certificate verify failed"):
        await database.ping()
    await database.close()


async def test_a_name_that_the_certificate_does_not_have_is_refused(encrypted: Encrypted) -> None:
    options = {"sslmode": "verify-full", "sslrootcert": encrypted.authority.file}
    url = encrypted.url("app", **options).replace("127.0.0.1", "127.0.0.2")
    with pytest.raises(DatabaseUnreachable, match=r"certificate|Connect call failed"):
        await connect(url)


async def test_in_clear_such_a_server_takes_nobody(encrypted: Encrypted) -> None:
    with pytest.raises((asyncpg.PostgresError, DatabaseUnreachable), match="SSL required"):
        await connect(encrypted.url("app", sslmode="disable"))


@pytest.fixture
async def administrator(postgres_server: EmbeddedPostgres) -> str:
    """The URL of one who may create roles and databases, and is no superuser."""
    superuser, name = postgres_server.superuser_url(), f"managed_{next(_numbers)}_admin"
    await _set(
        superuser,
        f"create role {name} login createrole createdb nosuperuser password 'admin'",
        f"grant connect on database postgres to {name}",
    )
    return role_url(superuser, "postgres", name, "admin")


def _provisioned_by_command(
    administrator: str, urls: ServiceUrls, **changed: str
) -> "subprocess.CompletedProcess[str]":
    environment = {
        "PATH": os.environ["PATH"],
        "ADMIN_DATABASE_URL": administrator,
        "MANAGED_DATABASE_URL": urls.app,
        "MANAGED_SYSTEM_DATABASE_URL": urls.system,
        "MANAGED_OWNER_DATABASE_URL": urls.owner,
        "BUS": "kafka",
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "SECRET": "only-for-tests-0123456789abcdefgh",
        **changed,
    }
    program = (
        "import dataclasses; from crm_kit.cli import run; from crm_testkit.toy_service.manifest import MANIFEST;"
        "run(dataclasses.replace(MANIFEST, name='managed'))"
    )
    return subprocess.run(
        [sys.executable, "-c", program, "provision"], env=environment, capture_output=True, text=True, check=False
    )


async def test_a_managed_servers_administrator_provisions_and_does_so_again(
    postgres_server: EmbeddedPostgres, administrator: str
) -> None:
    first = ServiceDatabase("managed", "owner", "app", "system").urls(postgres_server.superuser_url())
    for urls in (first, ServiceDatabase("managed", "o", "a'b", "s").urls(postgres_server.superuser_url())):
        done = await asyncio.to_thread(_provisioned_by_command, administrator, urls)
        assert (done.returncode, done.stdout) == (0, "managed: provisioned managed\n"), done.stderr
        await migrate(MANIFEST.migrations, MANIFEST.metadata, urls.owner)
        connection = await asyncpg.connect(urls.app)
        assert await connection.fetchval("select count(*) from note") == 0
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("create table mine ()")
        powers = await connection.fetchrow(
            "select rolsuper, rolbypassrls, rolcreatedb, rolcreaterole from pg_roles where rolname = current_user"
        )
        assert powers is not None
        assert not any(powers)
        await connection.close()
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(first.app)  # the second run has set another one


async def test_provisioning_says_what_is_wrong_without_a_password(
    postgres_server: EmbeddedPostgres, administrator: str
) -> None:
    urls = ServiceDatabase("managed", "hunter2", "hunter2", "hunter2").urls(postgres_server.superuser_url())
    wrong = await asyncio.to_thread(
        _provisioned_by_command, administrator, urls, MANAGED_DATABASE_URL=urls.app.replace("_app", "_other")
    )
    assert wrong.returncode == 1
    assert "MANAGED_DATABASE_URL: must name the database managed and the role managed_app" in wrong.stderr
    refused = await asyncio.to_thread(_provisioned_by_command, administrator.replace("_admin:admin", "_admin:no"), urls)
    assert refused.returncode == 1
    assert refused.stderr.startswith("managed: cannot be provisioned: password authentication failed")
    assert "hunter2" not in wrong.stderr + refused.stderr


async def test_sessions_reconnect_after_the_server_was_lost(open_folder: Path) -> None:
    server = EmbeddedPostgres(open_folder / "postgres", fast=True).start()
    try:
        database = ServiceDatabase("toy", "owner", "app", "system")
        await provision(server.superuser_url(), database)
        pool = Database(database.urls(server.superuser_url()).app, pool_size=3)
        await asyncio.gather(*(pool.ping() for _ in range(3)))
        await asyncio.to_thread(server.kill)
        with pytest.raises(Exception):  # noqa: B017  # whatever the driver says of a connection that died
            await pool.ping()
        await asyncio.to_thread(server.start)
        await pool.ping()
        await asyncio.gather(*(pool.ping() for _ in range(3)))
        await pool.close()
    finally:
        server.kill()
