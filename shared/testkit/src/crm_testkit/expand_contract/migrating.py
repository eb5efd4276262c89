"""A database taken from the last release to the newest revision, step by step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from alembic import command
from alembic.script import ScriptDirectory
from crm_kit.db.migrations import alembic_config
from crm_kit.db.session import make_engine
from crm_kit.manifest import Manifest
from sqlalchemy import Connection

from crm_testkit.expand_contract.catalogue import breaks, catalogue_of
from crm_testkit.expand_contract.released import released_revision
from crm_testkit.expand_contract.statements import recorded

if TYPE_CHECKING:
    from alembic.config import Config


@dataclass(frozen=True, slots=True)
class Step:
    """A migration: what it says to the database, and what the release before breaks on, that the step before had not."""

    statements: Sequence[str]
    breaks: Sequence[str]


async def steps_since_release(manifest: Manifest, owner_url: str) -> Mapping[str, Step]:
    """Every migration since the last release, by revision, applied to the empty database at `owner_url`."""
    engine = make_engine(owner_url)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(_steps, manifest)
    finally:
        await engine.dispose()


def _steps(connection: Connection, manifest: Manifest) -> Mapping[str, Step]:
    config = _config(connection, manifest)
    released = released_revision(manifest.migrations)
    command.upgrade(config, released)
    before = catalogue_of(connection)
    connection.commit()  # what comes is one transaction of its own, as `migrate` has it
    newer = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions(released, "head")]
    known: set[str] = set()
    steps = {}
    with recorded(connection) as said:
        for revision in reversed(newer[:-1]):
            first = len(said.statements)
            command.upgrade(config, revision)
            statements = said.statements[first:]
            found = set(breaks(before, catalogue_of(connection)))
            found |= {f"{table}: is locked, and then locked more" for table in said.raised & before.columns.keys()}
            steps[revision] = Step(statements, sorted(found - known))
            known |= found
    return steps


def _config(connection: Connection, manifest: Manifest) -> "Config":
    config = alembic_config(manifest.migrations)
    config.attributes["connection"] = connection
    config.attributes["metadata"] = manifest.metadata
    return config
