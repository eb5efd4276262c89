"""Columns that every entity has, as plain mixins: each service has a registry of its own."""

from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import DateTime, Index, Text, false, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field, SQLModel

_UNSET: Final = object()


def utc_now() -> datetime:
    return datetime.now(UTC)


CodePointText = Text(collation="C")
"""Text that sorts and compares by code point, the same in every locale."""

Moment = DateTime(timezone=True)


def id_column(*, nullable: bool = True, index: bool = False) -> Any:
    """A reference by id."""
    return Field(default=None, sa_type=CodePointText, nullable=nullable, index=index)


def json_column(kind: type[list[Any]] | type[dict[str, Any]], *, later: bool = False) -> Any:
    """A JSONB column, an empty `kind` by default; `later`: it came after its table, and a release may write that does not
    know it.
    """
    given = {"server_default": text(f"'{kind()}'::jsonb")} if later else {}
    # No factory: for each new row pydantic would inspect its signature, which costs more than all the rest of the row.
    # An empty collection it copies.
    return Field(default=kind(), sa_type=JSONB, nullable=False, sa_column_kwargs=given)


def text_list_column(*, later: bool = False) -> Any:
    """A text[] column, empty by default; `later`: as of `json_column`."""
    given = {"server_default": text("'{}'::text[]")} if later else {}
    return Field(default=[], sa_type=ARRAY(Text(collation="C")), nullable=False, sa_column_kwargs=given)


def flag_column() -> Any:
    """A boolean column that came after its table, false by default."""
    return Field(default=False, nullable=False, sa_column_kwargs={"server_default": false()})


def keys_index(name: str, column: str) -> Index:
    """On what the arrays of a column hold; it is found at once, however much was written just before.

    By default GIN puts new keys off into a list of up to 4 MB, through which every look-up then goes. The tenant is in it,
    since PostgreSQL otherwise takes another index for that, and reads the whole tenant for each key (ADR 0029).
    """
    return Index(name, "tenant_id", column, postgresql_using="gin", postgresql_with={"fastupdate": "off"})


def custom_index(table: str) -> Index:
    """On the values under `custom`, by which equality and elements of lists are found. As `keys_index`."""
    return Index(
        f"{table}_custom",
        "tenant_id",
        "custom",
        postgresql_using="gin",
        postgresql_ops={"custom": "jsonb_path_ops"},
        postgresql_with={"fastupdate": "off"},
    )


def columns(row: type[SQLModel]) -> Any:
    """The columns of a table: SQLModel types an attribute as the value that it holds, not as the column."""
    return row.__table__.c  # type: ignore[attr-defined]  # SQLAlchemy adds it


class TenantRow(SQLModel):
    """Belongs to one tenant, which the session fills in; row-level security stands on its table."""

    tenant_id: str = Field(default="", primary_key=True, sa_type=CodePointText)


class EntityRow(TenantRow):
    """A versioned entity. `version` rises by one with every published change."""

    id: str = Field(primary_key=True, sa_type=CodePointText)
    version: int = Field(default=0, nullable=False)
    created_at: datetime = Field(default_factory=utc_now, sa_type=Moment, nullable=False)
    updated_at: datetime = Field(default_factory=utc_now, sa_type=Moment, nullable=False)

    def __setattr__(self, name: str, value: Any) -> None:
        """What is there already is not set: SQLAlchemy would look at the row once more before it finds so itself.

        By how it is spelled, since Python would call `1` and `True` equal, in a list too.
        """
        old = self.__dict__.get(name, _UNSET)
        if old is value or (type(old) is type(value) and old == value and repr(old) == repr(value)):
            return
        super().__setattr__(name, value)
