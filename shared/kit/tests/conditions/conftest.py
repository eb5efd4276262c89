"""One table that has every kind of field, and what conditions may say about it."""

from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa
from crm_kit.conditions import Field, FieldSet, FieldType
from crm_kit.db.embedded import EmbeddedPostgres
from crm_kit.db.session import make_engine
from crm_kit.db.text_grams import TEXT_GRAMS, TEXT_GRAMS_SOUGHT, text_grams_column
from sqlalchemy.ext.asyncio import AsyncConnection

STATES = ("new", "open", "done")

things = sa.Table(
    "things",
    sa.MetaData(),
    sa.Column("tenant_id", sa.Text, server_default="tenant_things"),
    sa.Column("id", sa.Text(collation="C"), primary_key=True),
    sa.Column("name", sa.Text(collation="pg_c_utf8")),
    sa.Column("label", sa.Text(collation="C"), nullable=False),
    sa.Column("state", sa.Text),
    sa.Column("price", sa.Numeric),
    sa.Column("count", sa.Integer),
    sa.Column("ok", sa.Boolean),
    sa.Column("day", sa.Date),
    sa.Column("at", sa.DateTime(timezone=True)),
    sa.Column("due", sa.DateTime(timezone=True), nullable=False),
    sa.Column("tags", sa.ARRAY(sa.Text)),
    sa.Column("codes", sa.ARRAY(sa.String(100))),
    sa.Column("mails", sa.ARRAY(sa.Text)),
    sa.Column("states", sa.ARRAY(sa.Text), nullable=False),
    text_grams_column("grams", "name", "label"),
)


@pytest.fixture(scope="session")
def table() -> sa.Table:
    return things


@pytest.fixture(scope="session")
def fields() -> FieldSet:
    c = things.c
    return FieldSet(
        "Thing",
        [
            Field("id", FieldType.ID, c.id, nullable=False),
            Field("name", FieldType.TEXT, c.name, grams=c.grams),
            Field("label", FieldType.TEXT, c.label, nullable=False, grams=c.grams),
            Field("state", FieldType.CHOICE, c.state, choices=STATES),
            Field("money.amount", FieldType.NUMBER, c.price),
            Field("count", FieldType.INTEGER, c.count, value=lambda document: document.get("how_many")),
            Field("ok", FieldType.BOOLEAN, c.ok),
            Field("day", FieldType.DATE, c.day),
            Field("at", FieldType.DATETIME, c.at),
            Field("due", FieldType.DATETIME, c.due, nullable=False),
            Field("tag", FieldType.TEXT_LIST, c.tags, value="tags"),
            Field("code", FieldType.ID_LIST, c.codes, value="items.code"),
            Field("mail", FieldType.TEXT_LIST, c.mails, value="emails", selective=True, normalise=str.casefold),
            Field("was", FieldType.CHOICE_LIST, c.states, choices=STATES, nullable=False),
            Field("title", FieldType.TEXT, c.name, value="name"),
            Field("secret", FieldType.TEXT, c.name, filterable=False),
            Field("only_in_documents", FieldType.TEXT),
        ],
    )


@pytest.fixture(scope="module")
async def connection(postgres_server: EmbeddedPostgres) -> AsyncIterator[AsyncConnection]:
    """A connection with an empty table of things, gone at the end."""
    engine = make_engine(postgres_server.superuser_url())
    try:
        async with engine.connect() as connection:
            await connection.begin()
            await connection.exec_driver_sql(TEXT_GRAMS)
            await connection.exec_driver_sql(TEXT_GRAMS_SOUGHT)
            await connection.exec_driver_sql("select set_config('app.tenant_id', 'tenant_things', true)")
            await connection.run_sync(things.create)
            yield connection
            await connection.rollback()
    finally:
        await engine.dispose()
