"""`python -m crm_testkit.make_migration <package> <revision> "<message>"`: drafts a migration from the models.

Migrates a fresh database to the newest revision and writes what the models have besides. Read it before committing.
"""

import asyncio
import importlib
import sys
import tempfile
from pathlib import Path

from alembic import command
from crm_kit.db.embedded import EmbeddedPostgres
from crm_kit.db.migrations import alembic_config, migrate
from crm_kit.db.provision import ServiceDatabase, provision
from crm_kit.db.session import make_engine
from crm_kit.manifest import Manifest
from sqlalchemy import Connection


def _draft(connection: Connection, manifest: Manifest, revision: str, message: str) -> None:
    config = alembic_config(manifest.migrations)
    config.attributes["connection"] = connection
    config.attributes["metadata"] = manifest.metadata
    command.revision(config, message=message, autogenerate=True, rev_id=revision)


async def _main(package: str, revision: str, message: str) -> None:
    manifest: Manifest = importlib.import_module(f"{package}.manifest").MANIFEST
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedPostgres(Path(folder) / "postgres", fast=True)
        await asyncio.to_thread(server.start)
        try:
            database = ServiceDatabase(manifest.name, "owner-pass", "app-pass", "system-pass")
            await provision(server.superuser_url(), database)
            urls = database.urls(server.superuser_url())
            if any((manifest.migrations / "versions").glob("0*.py")):
                await migrate(manifest.migrations, manifest.metadata, urls.owner)
            engine = make_engine(urls.owner)
            async with engine.begin() as connection:
                await connection.run_sync(_draft, manifest, revision, message)
            await engine.dispose()
        finally:
            await asyncio.to_thread(server.stop)


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:4]))
