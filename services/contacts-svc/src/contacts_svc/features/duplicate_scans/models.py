"""The table of scans."""

from crm_kit.db.models import CodePointText, EntityRow, id_column
from sqlalchemy import BigInteger, Boolean, Index, Text
from sqlmodel import Field

from contacts_svc.base import Base


class DuplicateScanRow(EntityRow, Base, table=True):
    """`phase` and `position`: what comes next (`duplicates.jobs.Step`, and `merge` after that)."""

    __tablename__ = "duplicate_scan"
    __table_args__ = (Index("duplicate_scan_created", "tenant_id", "created_at", "id"),)

    status: str = Field(default="pending", sa_type=Text, nullable=False)
    merge: bool = Field(default=False, sa_type=Boolean, nullable=False)
    contacts: int | None = Field(default=None, sa_type=BigInteger)
    compared: int = Field(default=0, sa_type=BigInteger, nullable=False)
    merged: int = Field(default=0, sa_type=BigInteger, nullable=False)
    refused: int = Field(default=0, sa_type=BigInteger, nullable=False)
    phase: str = Field(default="key", sa_type=Text, nullable=False)
    position: str = Field(default="", sa_type=CodePointText, nullable=False)
    job_id: str | None = id_column()
    requested_by: str = Field(sa_type=CodePointText, nullable=False)
