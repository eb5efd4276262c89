"""Alembic for every service: one environment, one way to run it."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import Connection, MetaData, text

from crm_kit.db.connecting import connect
from crm_kit.db.session import make_engine

if TYPE_CHECKING:
    from alembic.config import Config

_LOCK = 0x52454C41
OLDEST_SERVER = 18
"""PostgreSQL's first that tells what an upsert has overwritten (`returning old.…`)."""
_REVISION = re.compile(r"^(\d{4}_\w+)\.py$")

# Of a table without statistics the planner thinks that a tenant has a two-hundredth of it, which makes it one row: every index that
# begins with the tenant is then as good as the one that names the row, and what it takes is kept until the first analysis.
_FIRST_STATISTICS = text(
    "select pg_restore_attribute_stats('schemaname', n.nspname::text, 'relname', c.relname::text, 'attname', 'tenant_id',"
    " 'inherited', false, 'version', current_setting('server_version_num')::int, 'null_frac', 0::real, 'avg_width', 34,"
    " 'n_distinct', 1::real)"
    " from pg_class c join pg_namespace n on n.oid = c.relnamespace"
    " join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped"
    " where n.nspname = current_schema() and c.relkind = 'r' and c.reltuples < 0"
)

log = structlog.get_logger(__name__)


def head_revision(migrations: Path) -> str:
    """The newest revision: files are numbered, and each is named by its revision."""
    names = [match.group(1) for path in (migrations / "versions").iterdir() if (match := _REVISION.match(path.name))]
    return max(names)


async def current_revision(owner_url: str) -> str | None:
    """What the database was migrated to; None for an empty one."""
    connection = await connect(owner_url, timeout=10)
    try:
        if not await connection.fetchval("select to_regclass('public.alembic_version') is not null"):
            return None
        revision: str | None = await connection.fetchval("select version_num from alembic_version")
        return revision
    finally:
        await connection.close()


async def migrate(migrations: Path, metadata: MetaData, owner_url: str) -> bool:
    """Brings the database to the newest revision; False where it was there. Several processes may run it at once.

    A newer release may have brought it further: it is then left as it is, since a migration must leave a database that
    the release before works with (docs/adr/0014-versions-of-events.md). Raises DatabaseUnreachable.
    """
    if await current_revision(owner_url) == head_revision(migrations):
        return False
    engine = make_engine(owner_url)
    try:
        async with engine.begin() as connection:
            await connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            # Only now: who held the lock may have been of a newer release.
            return await connection.run_sync(_upgrade, migrations, metadata)
    finally:
        await engine.dispose()


def _is_of_newer_release(revision: str | None, migrations: Path) -> bool:
    """Revisions are numbered, so what has a higher number than all of ours came after them."""
    return revision is not None and revision[:4].isdecimal() and revision[:4] > head_revision(migrations)[:4]


def _upgrade(connection: Connection, migrations: Path, metadata: MetaData) -> bool:
    # Imported here: a process whose database is up to date need not load Alembic.
    from alembic import command
    from alembic.migration import MigrationContext

    server = int(connection.exec_driver_sql("show server_version_num").scalar_one()) // 10_000
    if server < OLDEST_SERVER:
        raise RuntimeError(f"Relata needs PostgreSQL {OLDEST_SERVER} or newer; this server is {server}")
    current = MigrationContext.configure(connection).get_current_revision()
    if _is_of_newer_release(current, migrations):
        log.warning("database_is_newer", revision=current, known=head_revision(migrations))
        return False
    config = alembic_config(migrations)
    config.attributes["connection"] = connection
    config.attributes["metadata"] = metadata
    command.upgrade(config, "head")
    connection.execute(_FIRST_STATISTICS)
    return True


def alembic_config(migrations: Path) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(migrations))
    config.set_main_option("file_template", "%%(rev)s")
    return config


def run_environment() -> None:
    """The whole of a service's `migrations/env.py`."""
    from alembic import context

    config = context.config
    connection: Connection = config.attributes["connection"]
    connection.execute(text("set local lock_timeout = '5s'"))
    context.configure(connection=connection, target_metadata=config.attributes["metadata"], compare_type=True)
    context.run_migrations()


def differences(connection: Connection, metadata: MetaData) -> Iterable[object]:
    """How the database differs from the models; empty where they agree."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    found: list[object] = compare_metadata(
        MigrationContext.configure(connection, opts={"compare_type": True}), metadata
    )
    return found
