"""Migrations in a process of their own, beside one that goes on to serve: Alembic would stay in its memory."""

import asyncio
import multiprocessing
import signal
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import NamedTuple, Self

from sqlalchemy import MetaData

from crm_kit.db.connecting import DatabaseUnreachable
from crm_kit.db.migrations import current_revision, head_revision, migrate
from crm_kit.inbox.applying import is_transient


class MigrationFailed(Exception):
    """Another try would not help."""


class _Failure(NamedTuple):
    reason: str
    transient: bool


class Migrator:
    """Forked while there are neither threads nor an event loop; it ends with the process that forked it."""

    def __init__(self, process: BaseProcess, asking: Connection, migrations: Path, owner_url: str) -> None:
        self._process = process
        self._asking = asking
        self._migrations = migrations
        self._owner_url = owner_url

    @classmethod
    def fork(cls, migrations: Path, metadata: MetaData, owner_url: str) -> Self:
        forking = multiprocessing.get_context("fork")
        asking, asked = forking.Pipe()
        process = forking.Process(target=_answer, args=(asking, asked, migrations, metadata, owner_url), daemon=True)
        process.start()
        asked.close()
        return cls(process, asking, migrations, owner_url)

    async def migrate(self) -> None:
        """Raises DatabaseUnreachable where another try may succeed, MigrationFailed where not."""
        if await current_revision(self._owner_url) != head_revision(self._migrations):
            failure = await asyncio.to_thread(self._ask)
            if failure is not None:
                raise DatabaseUnreachable(failure.reason) if failure.transient else MigrationFailed(failure.reason)
        self._asking.close()
        await asyncio.to_thread(self._process.join)

    def leave(self) -> None:
        """In a process that was forked later and has nothing to ask: the migrator ends when nobody is left who could."""
        self._asking.close()

    def _ask(self) -> _Failure | None:
        self._asking.send(None)
        try:
            failure: _Failure | None = self._asking.recv()
        except EOFError:
            return _Failure("the process that migrates has been ended", transient=False)
        return failure


def _answer(asking: Connection, asked: Connection, migrations: Path, metadata: MetaData, owner_url: str) -> None:
    """Migrates each time it is asked to, until nobody is left who could ask."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; who asks decides
    asking.close()
    while True:
        try:
            asked.recv()
        except EOFError:
            return
        try:
            asyncio.run(migrate(migrations, metadata, owner_url))
        except Exception as error:
            asked.send(_Failure(str(error), is_transient(error)))
        else:
            asked.send(None)
