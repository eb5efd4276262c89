"""Migrations in a process beside one that serves."""

from collections.abc import Callable
from pathlib import Path
from shutil import copytree

import psutil
import pytest
from crm_kit.db.connecting import DatabaseUnreachable
from crm_kit.db.migrations import current_revision, head_revision
from crm_kit.db.provision import ServiceUrls
from crm_kit.migrator import MigrationFailed, Migrator
from crm_testkit.toy_service.manifest import MANIFEST

_BROKEN = """
revision, down_revision = "0002_broken", "0001_initial"


def upgrade() -> None:
    raise LookupError("no such colour")
"""


def _children() -> set[int]:
    return {child.pid for child in psutil.Process().children()}


async def test_the_database_is_migrated_and_the_process_has_ended(
    postgres_database: Callable[[str], ServiceUrls],
) -> None:
    urls, before = postgres_database("toy"), _children()
    migrator = Migrator.fork(MANIFEST.migrations, MANIFEST.metadata, urls.owner)
    assert _children() > before
    await migrator.migrate()
    assert await current_revision(urls.owner) == head_revision(MANIFEST.migrations)
    assert _children() == before


async def test_a_database_that_is_not_there_yet_is_worth_another_try(tmp_path: Path) -> None:
    migrator = Migrator.fork(MANIFEST.migrations, MANIFEST.metadata, f"postgresql://owner@/toy?host={tmp_path}")
    for _ in range(2):
        with pytest.raises(DatabaseUnreachable):
            await migrator.migrate()


async def test_a_migration_that_fails_says_why_and_leaves_the_database_as_it_was(
    postgres_database: Callable[[str], ServiceUrls], tmp_path: Path
) -> None:
    urls = postgres_database("toy")
    await Migrator.fork(MANIFEST.migrations, MANIFEST.metadata, urls.owner).migrate()
    broken = Path(copytree(MANIFEST.migrations, tmp_path / "migrations"))
    (broken / "versions" / "0002_broken.py").write_text(_BROKEN, encoding="utf-8")
    with pytest.raises(MigrationFailed, match="no such colour"):
        await Migrator.fork(broken, MANIFEST.metadata, urls.owner).migrate()
    assert await current_revision(urls.owner) == head_revision(MANIFEST.migrations)
