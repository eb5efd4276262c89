"""Migrations since the last release leave a database that the release before works with, and hold nobody up for long."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from crm_kit.db.provision import ServiceUrls
from crm_kit.db.session import make_engine
from crm_kit.manifest import Manifest
from crm_testkit.expand_contract.catalogue import breaks, catalogue_of
from crm_testkit.expand_contract.migrating import steps_since_release
from crm_testkit.expand_contract.released import manifests
from crm_testkit.expand_contract.statements import faults_of, recorded
from sqlalchemy import Connection, text

_INDEX: Final = "require-concurrent-index-creation"
EXCUSED: Final[dict[tuple[str, str, str], str]] = {
    ("gateway", "0019_backfills", _INDEX): "of deliveries by backfills, none yet: one look at each",
    ("gateway", "0020_webhook_replays", _INDEX): "of deliveries of replays alone: one look at each delivery",
    ("gateway", "0021_observed", _INDEX): "job came with 0019: no release has rows in it",
    ("contacts", "0028_jobs_observed", _INDEX): "of open jobs; a row for each import and its like",
}
"""By service, revision and what is found: why it may be so."""

_THING: Final = """
create table thing (id text primary key, name text not null, size integer default 0, note text);
create table of_thing (id text primary key, thing_id text);
create function size_of(wanted text) returns integer language sql as $$ select size from thing where id = wanted $$;
grant select, insert on thing to public
"""
_TELLING: Final = {
    "alter table thing drop column note": "thing.note: has gone",
    "alter table thing rename column note to remark": "thing.note: has gone",
    "alter table thing rename to item": "thing: has gone",
    "alter table thing alter size type bigint": "thing.size: was integer, is bigint",
    "alter table thing alter note set not null": "thing.note: has become required",
    "alter table thing alter name drop not null": "thing.name: may have become null, which the release before does not expect",
    "alter table thing alter size drop default": "thing.size: has lost its default",
    "alter table thing add weight integer not null": "thing.weight: is new and required, and has no default",
    "alter table thing add check (size > 0)": "thing: is new: CHECK ((size > 0))",
    "create unique index on thing (name)": "thing: is new: CREATE UNIQUE INDEX ON public.thing USING btree (name)",
    "alter table of_thing add foreign key (thing_id) references thing": (
        "of_thing: is new: FOREIGN KEY (thing_id) REFERENCES thing(id)"
    ),
    "revoke insert on thing from public": "thing: INSERT for unknown (OID=0) has gone",
    "drop function size_of": "size_of(wanted text): has gone, or gives another result",
}
_SILENT: Final = (
    "alter table thing add weight integer",
    "alter table thing add weight integer not null default 1",
    "alter table thing alter note set default ''",
    "create index on thing (name)",
    "create table other (id text primary key, name text not null unique)",
    "create or replace function size_of(wanted text) returns integer language sql as $$ select 1 $$",
    "grant update on thing to public",
)


@contextmanager
def _of_thing(connection: Connection) -> Iterator[None]:
    """A small schema, which is gone afterwards."""
    whole = connection.begin_nested()
    for statement in _THING.split(";"):
        connection.execute(text(statement))
    yield
    whole.rollback()


def _found(connection: Connection, statement: str) -> list[str]:
    with _of_thing(connection):
        before = catalogue_of(connection)
        connection.execute(text(statement))
        return list(breaks(before, catalogue_of(connection)))


async def test_what_the_release_before_would_break_on_is_told(
    postgres_database: Callable[[str], ServiceUrls],
) -> None:
    engine = make_engine(postgres_database("things").owner)
    async with engine.connect() as connection:
        for statement, told in _TELLING.items():
            assert await connection.run_sync(_found, statement) == [told]
        for statement in _SILENT:
            assert await connection.run_sync(_found, statement) == [], statement
    await engine.dispose()


def _raised(connection: Connection, *statements: str) -> set[str]:
    with recorded(connection) as said:
        for statement in statements:
            connection.execute(text(statement))
    return said.raised


async def test_a_lock_that_is_raised_is_told(postgres_database: Callable[[str], ServiceUrls]) -> None:
    engine = make_engine(postgres_database("locks").owner)
    index, column = "create index on thing (name)", "alter table thing add weight integer"
    async with engine.connect() as connection:
        await connection.execute(text("create table thing (id text primary key, name text)"))
        await connection.commit()
        for statements, told in (((index, column), {"thing"}), ((column, index), set()), ((index,), set())):
            assert await connection.run_sync(_raised, *statements) == told
            await connection.rollback()
    await engine.dispose()


@pytest.mark.parametrize(
    ("statement", "rule"),
    [
        ("create index i on thing (name)", "require-concurrent-index-creation"),
        ("alter table thing add check (size > 0)", "constraint-missing-not-valid"),
        ("alter table thing alter size type bigint", "changing-column-type"),
    ],
)
def test_what_would_hold_up_the_release_before_is_told(statement: str, rule: str, tmp_path: Path) -> None:
    patient = ("set local lock_timeout = '5s'", statement)
    assert faults_of({"0002_thing": patient, "0003_none": patient[:1]}, tmp_path) == {
        "0002_thing": [rule],
        "0003_none": [],
    }
    assert "require-lock-timeout" in faults_of({"0002_thing": (statement,)}, tmp_path)["0002_thing"]


@pytest.mark.parametrize("name", list(manifests()))
async def test_the_release_before_goes_on_working(
    name: str, postgres_database: Callable[[str], ServiceUrls], tmp_path: Path
) -> None:
    manifest: Manifest = manifests()[name]
    steps = await steps_since_release(manifest, postgres_database(name).owner)
    if not steps:
        pytest.skip(f"{name} has no migration since the last release")
    said = faults_of({revision: step.statements for revision, step in steps.items()}, tmp_path)
    found = {(name, revision, fault) for revision, step in steps.items() for fault in (*step.breaks, *said[revision])}
    excused = {excuse for excuse in EXCUSED if excuse[0] == name}
    assert found - excused == set(), "docs/guides/upgrading.md: expand, migrate, contract; or EXCUSED, with a reason"
    assert excused - found == set(), "nothing of this is found any more"
