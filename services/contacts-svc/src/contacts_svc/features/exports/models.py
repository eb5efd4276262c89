"""The tables of exports and of their files."""

from datetime import datetime
from typing import Any

from crm_kit.db.models import CodePointText, EntityRow, Moment, TenantRow, id_column, keys_index, text_list_column
from sqlalchemy import BigInteger, Index, Integer, LargeBinary, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field

from contacts_svc.base import Base


class ExportRow(EntityRow, Base, table=True):
    """`place`: where the last record stands that was come by; `done` of `total`: how many were.

    `pieces`: how many the file has so far. `phase`: what comes next, `begin`, `read`, `workbook` or `end`.
    """

    __tablename__ = "export"
    __table_args__ = (
        Index("export_created", "tenant_id", "created_at", "id"),
        Index("export_requested_by", "tenant_id", "requested_by", "created_at", "id"),
    )

    resource: str = Field(sa_type=Text, nullable=False)
    status: str = Field(default="pending", sa_type=Text, nullable=False)
    where: dict[str, Any] | None = Field(default=None, sa_type=JSONB(none_as_null=True))
    sort: list[str] = text_list_column()
    columns: list[str] | None = Field(default=None, sa_type=ARRAY(Text(collation="C")))
    format: str = Field(sa_type=Text, nullable=False)
    delimiter: str | None = Field(default=None, sa_type=Text)
    encoding: str = Field(sa_type=Text, nullable=False)
    filename: str = Field(sa_type=Text, nullable=False)
    rows: int = Field(default=0, sa_type=BigInteger, nullable=False)
    cut: int = Field(default=0, sa_type=BigInteger, nullable=False)
    shown: list[str] = text_list_column()
    size: int | None = Field(default=None, sa_type=BigInteger)
    job_id: str | None = id_column()
    requested_by: str = Field(sa_type=CodePointText, nullable=False)
    expires_at: datetime = Field(sa_type=Moment, nullable=False)

    place: list[Any] | None = Field(default=None, sa_type=JSONB(none_as_null=True))
    done: int = Field(default=0, sa_type=BigInteger, nullable=False)
    total: int | None = Field(default=None, sa_type=BigInteger)
    pieces: int = Field(default=0, sa_type=Integer, nullable=False)
    phase: str = Field(default="begin", sa_type=Text, nullable=False)


class ExportPieceRow(TenantRow, Base, table=True):
    """A piece of a file. While a workbook's records are read, its pieces hold them as `workbook_line` writes them."""

    __tablename__ = "export_piece"

    export_id: str = Field(primary_key=True, sa_type=CodePointText)
    number: int = Field(primary_key=True, sa_type=Integer)
    content: bytes = Field(sa_type=LargeBinary, nullable=False)


class ExportSubjectsRow(TenantRow, Base, table=True):
    """The contacts of whom a page of a file tells, of so many rows: by it their erasure finds the file. It goes with the file."""

    __tablename__ = "export_subjects"
    __table_args__ = (keys_index("export_subjects_contact_ids", "contact_ids"),)

    export_id: str = Field(primary_key=True, sa_type=CodePointText)
    number: int = Field(primary_key=True, sa_type=Integer)
    rows: int = Field(sa_type=Integer, nullable=False)
    contact_ids: list[str] = text_list_column()
