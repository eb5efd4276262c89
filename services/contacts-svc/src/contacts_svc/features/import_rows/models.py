"""The tables of an import's file and of what became of its rows."""

from typing import Any

from crm_kit.db.models import CodePointText, TenantRow
from sqlalchemy import BigInteger, Index, Integer, LargeBinary, SmallInteger, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from contacts_svc.base import Base


class ImportChunkRow(TenantRow, Base, table=True):
    """A piece of the file, kept for as long as the import can be run or reverted."""

    __tablename__ = "import_chunk"

    import_id: str = Field(primary_key=True, sa_type=CodePointText)
    number: int = Field(primary_key=True, sa_type=Integer)
    content: bytes = Field(sa_type=LargeBinary, nullable=False)


class ImportResultRow(TenantRow, Base, table=True):
    """What became of a row, or of the account that it names (`place` 1).

    `before` and `after`: the members that an update changed; `reference`: an account that was not there yet.
    """

    __tablename__ = "import_result"
    __table_args__ = (
        Index("import_result_outcome", "tenant_id", "import_id", "outcome", "row"),
        Index(
            "import_result_entity",
            "tenant_id",
            "entity_id",
            "import_id",
            postgresql_where=text("entity_id is not null"),
        ),
        Index(
            "import_result_reference", "tenant_id", "import_id", "row", postgresql_where=text("reference is not null")
        ),
    )

    import_id: str = Field(primary_key=True, sa_type=CodePointText)
    row: int = Field(primary_key=True, sa_type=BigInteger)
    place: int = Field(primary_key=True, sa_type=SmallInteger)
    outcome: str = Field(sa_type=Text, nullable=False)
    resource: str = Field(sa_type=Text, nullable=False)
    entity_id: str | None = Field(default=None, sa_type=CodePointText)
    version: int | None = Field(default=None, sa_type=BigInteger)
    before: dict[str, Any] | None = Field(default=None, sa_type=JSONB(none_as_null=True))
    after: dict[str, Any] | None = Field(default=None, sa_type=JSONB(none_as_null=True))
    problem: dict[str, Any] | None = Field(default=None, sa_type=JSONB(none_as_null=True))
    reference: dict[str, Any] | None = Field(default=None, sa_type=JSONB(none_as_null=True))
    reverted: str | None = Field(default=None, sa_type=Text)


class ImportKeyRow(TenantRow, Base, table=True):
    """What a row of a dry run would be found by, were it there: nothing that it would create is."""

    __tablename__ = "import_key"

    import_id: str = Field(primary_key=True, sa_type=CodePointText)
    key: str = Field(primary_key=True, sa_type=CodePointText)
    row: int = Field(sa_type=BigInteger, nullable=False)
