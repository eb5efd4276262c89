"""The import table."""

from datetime import datetime
from typing import Any

from crm_kit.db.models import CodePointText, EntityRow, Moment, id_column, json_column, text_list_column
from sqlalchemy import BigInteger, Boolean, Index, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from contacts_svc.base import Base


class ImportRow(EntityRow, Base, table=True):
    """`position`: the last row that was taken in; `linked` and `reverted_to`: how far references, and a revert, have come.

    `revert_turn`: which resource is being taken back.
    """

    __tablename__ = "import"
    __table_args__ = (
        Index("import_created", "tenant_id", "created_at", "id"),
        Index("import_requested_by", "tenant_id", "requested_by", "created_at", "id"),
    )

    resource: str = Field(sa_type=Text, nullable=False)
    status: str = Field(default="pending", sa_type=Text, nullable=False)
    dry_run: bool = Field(default=False, sa_type=Boolean, nullable=False)
    filename: str | None = Field(default=None, sa_type=Text)
    size: int = Field(sa_type=BigInteger, nullable=False)
    rows: int = Field(sa_type=BigInteger, nullable=False)
    format: str = Field(sa_type=Text, nullable=False)
    encoding: str = Field(sa_type=Text, nullable=False)
    delimiter: str | None = Field(default=None, sa_type=Text)
    sheet: str | None = Field(default=None, sa_type=Text)
    columns: list[dict[str, Any]] = json_column(list)
    mapping: dict[str, Any] = json_column(dict)
    match: list[str] = text_list_column()
    on_match: str = Field(sa_type=Text, nullable=False)
    duplicates: str = Field(default="allow", sa_type=Text, nullable=False)
    defaults: dict[str, Any] = json_column(dict)
    create_accounts: bool = Field(default=True, sa_type=Boolean, nullable=False)
    day_first: bool | None = Field(default=None, sa_type=Boolean)
    counts: dict[str, Any] = json_column(dict)
    reverted: dict[str, Any] | None = Field(default=None, sa_type=JSONB(none_as_null=True))
    job_id: str | None = id_column()
    requested_by: str = Field(sa_type=CodePointText, nullable=False)
    expires_at: datetime = Field(sa_type=Moment, nullable=False)

    language: str = Field(sa_type=Text, nullable=False)
    position: int = Field(default=0, sa_type=BigInteger, nullable=False)
    done: int = Field(default=0, sa_type=BigInteger, nullable=False)
    linked: int = Field(default=0, sa_type=BigInteger, nullable=False)
    is_read: bool = Field(default=False, sa_type=Boolean, nullable=False)
    reverted_to: int | None = Field(default=None, sa_type=BigInteger)
    revert_turn: int = Field(default=0, sa_type=BigInteger, nullable=False)
