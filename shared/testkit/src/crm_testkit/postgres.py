"""A real PostgreSQL for tests: one throw-away server per test process, a fresh service database on demand."""

import asyncio
import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from crm_kit.db.embedded import EmbeddedPostgres
from crm_kit.db.provision import EventLogDatabase, ServiceDatabase, ServiceUrls, provision

_numbers = itertools.count(1)


@contextmanager
def make_open_folder() -> Iterator[Path]:
    """A temporary folder that PostgreSQL's own user can enter when root runs the tests."""
    folder = Path(tempfile.mkdtemp(prefix="relata-test-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A `make_open_folder` for one test; `tmp_path` is closed to other users."""
    with make_open_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[EmbeddedPostgres]:
    """This test process's own server (about a second to create), without durability, removed at the end."""
    with make_open_folder() as folder:
        server = EmbeddedPostgres(folder / "postgres", fast=True)
        try:
            yield server.start()
        finally:
            server.kill()


@pytest.fixture(scope="session")
def postgres_database(postgres_server: EmbeddedPostgres) -> Callable[[str], ServiceUrls]:
    """`postgres_database("contacts")`: the three URLs of a fresh, empty, uniquely named service database."""

    def create(name: str) -> ServiceUrls:
        database = ServiceDatabase(f"{name}_{next(_numbers)}", "owner", "app", "system")
        _provision(postgres_server, database)
        return database.urls(postgres_server.superuser_url())

    return create


@pytest.fixture(scope="session")
def event_log_database(postgres_server: EmbeddedPostgres) -> Callable[[], str]:
    """`event_log_database()` gives the URL of a fresh, empty database for the embedded event log."""

    def create() -> str:
        database = EventLogDatabase("event_log", name=f"event_log_{next(_numbers)}")
        _provision(postgres_server, database)
        return database.url(postgres_server.superuser_url())

    return create


def _provision(server: EmbeddedPostgres, database: ServiceDatabase | EventLogDatabase) -> None:
    # In a thread of its own, so that it can be called inside and outside a running event loop.
    with ThreadPoolExecutor(1) as executor:
        executor.submit(asyncio.run, provision(server.superuser_url(), database)).result()
