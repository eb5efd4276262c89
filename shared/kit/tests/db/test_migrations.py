"""A database that a newer release has migrated: the release before starts over it, and its processes run on."""

import asyncio
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from crm_kit.db.migrations import current_revision, migrate
from crm_kit.db.provision import ServiceUrls
from crm_testkit.toy_service.fixtures import Parts
from crm_testkit.toy_service.manifest import MANIFEST
from crm_testkit.writers import change, make_notes
from sqlalchemy import MetaData, text

_NEWER = """
import sqlalchemy as sa
from alembic import op

revision, down_revision = "{revision}", "0001_initial"


def upgrade() -> None:
    op.add_column("note", sa.Column("colour", sa.Text(), nullable=True))
"""


def _release(folder: Path, revision: str) -> Path:
    """The toy's migrations and one more."""
    migrations = Path(shutil.copytree(MANIFEST.migrations, folder / "migrations"))
    (migrations / "versions" / f"{revision}.py").write_text(_NEWER.format(revision=revision), encoding="utf-8")
    return migrations


@pytest.fixture
def newer(tmp_path: Path) -> Iterator[Path]:
    return _release(tmp_path, "0002_colour")


async def test_an_older_release_leaves_a_newer_database_as_it_is(
    postgres_database: Callable[[str], ServiceUrls], newer: Path
) -> None:
    urls = postgres_database("toy")
    assert await migrate(newer, MANIFEST.metadata, urls.owner)
    assert not await migrate(MANIFEST.migrations, MANIFEST.metadata, urls.owner)
    assert await current_revision(urls.owner) == "0002_colour"


async def test_old_and_new_processes_may_make_an_empty_database_at_the_same_time(
    postgres_database: Callable[[str], ServiceUrls], newer: Path
) -> None:
    urls = postgres_database("toy")
    await asyncio.gather(*(migrate(each, MANIFEST.metadata, urls.owner) for each in 3 * [newer, MANIFEST.migrations]))
    await migrate(newer, MANIFEST.metadata, urls.owner)
    assert await current_revision(urls.owner) == "0002_colour"


async def test_a_revision_that_no_later_release_has_is_refused(
    postgres_database: Callable[[str], ServiceUrls], tmp_path: Path
) -> None:
    urls = postgres_database("toy")
    await migrate(_release(tmp_path, "0001_other"), MANIFEST.metadata, urls.owner)
    with pytest.raises(Exception, match="0001_other"):
        await migrate(MANIFEST.migrations, MetaData(), urls.owner)


async def test_a_new_table_is_not_taken_for_one_of_many_tenants(parts: Parts, tenant_id: str) -> None:
    """A plan that is made now is kept while the table grows: an index by the tenant alone must not look as good as any other."""

    async def expected(where: str, *values: str) -> float:
        (found,) = await parts.fetch_as(
            tenant_id, f"explain (generic_plan, format json) select from note {where}", *values
        )
        return float(json.loads(found[0])[0]["Plan"]["Plan Rows"])

    assert await expected("where tenant_id = $1", tenant_id) == await expected("") > 10
    assert await expected("where tenant_id = $1 and id = $2", tenant_id, "note_1") == 1


async def test_old_writers_run_on_while_a_column_comes_and_keep_its_values(
    parts: Parts, tenant_id: str, newer: Path
) -> None:
    ids = await make_notes(parts.app, tenant_id, 3)
    stop = asyncio.Event()

    async def writing() -> int:
        written = 0
        while not stop.is_set():
            await change(parts.app, tenant_id, ids)
            written += 1
        return written

    old = asyncio.create_task(writing())
    assert await migrate(newer, MANIFEST.metadata, parts.urls.owner)
    async with parts.app.write(tenant_id) as session:
        await session.execute(text("update note set colour = 'red'"))
    stop.set()
    assert await old
    await change(parts.app, tenant_id, ids)
    rows = await parts.fetch_as(tenant_id, "select colour, version from note")
    assert [row["colour"] for row in rows] == ["red"] * 3
    assert min(row["version"] for row in rows) > 1
