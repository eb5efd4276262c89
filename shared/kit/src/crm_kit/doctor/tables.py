"""What lies in the service's tables: what is sealed, and what its features look at."""

from collections.abc import AsyncIterator

import asyncpg
from sqlalchemy.exc import DBAPIError, ProgrammingError

from crm_kit.db.session import Database
from crm_kit.doctor.findings import Finding
from crm_kit.doctor.secrets import look_at_secrets
from crm_kit.manifest import Manifest
from crm_kit.settings import ServiceSettings

_SECONDS = 10.0


async def look_at_tables(manifest: Manifest, settings: ServiceSettings) -> AsyncIterator[Finding]:
    """Nothing where the system role does not reach them, or they are not there yet: other findings say so."""
    system = Database(settings.system_database_url, pool_size=1, command_timeout=_SECONDS)
    try:
        if not await _reaches(system):
            return
        async with system.read(None) as session:
            async for finding in look_at_secrets(session, manifest, settings.keyring):
                yield finding
            for check in manifest.checks:
                async for finding in check(session):
                    yield finding
    except ProgrammingError:
        return  # a table or a right is missing: it is not migrated
    finally:
        await system.close()


async def _reaches(system: Database) -> bool:
    try:
        await system.ping()
    except (OSError, ValueError, DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False
    return True
