"""The tables of bulk changes and of what failed in them."""

from datetime import datetime
from typing import Any

from crm_kit.db.models import CodePointText, EntityRow, Moment, TenantRow, id_column, json_column, text_list_column
from sqlalchemy import BigInteger, Index, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field

from contacts_svc.base import Base


class BulkChangeRow(EntityRow, Base, table=True):
    """`place`: where the last record stands that was come by, `done` of `total`: how many were; `total` is null until it begins."""

    __tablename__ = "bulk_change"
    __table_args__ = (
        Index("bulk_change_created", "tenant_id", "created_at", "id"),
        Index("bulk_change_requested_by", "tenant_id", "requested_by", "created_at", "id"),
    )

    resource: str = Field(sa_type=Text, nullable=False)
    action: str = Field(sa_type=Text, nullable=False)
    status: str = Field(default="pending", sa_type=Text, nullable=False)
    where: dict[str, Any] | None = Field(default=None, sa_type=JSONB(none_as_null=True))
    ids: list[str] | None = Field(default=None, sa_type=ARRAY(Text(collation="C")))
    versions: dict[str, int] = json_column(dict)
    patch: dict[str, Any] | None = Field(default=None, sa_type=JSONB(none_as_null=True))
    add_tags: list[str] = text_list_column()
    remove_tags: list[str] = text_list_column()
    at_most: int | None = Field(default=None, sa_type=BigInteger)
    language: str = Field(sa_type=Text, nullable=False)
    changed: int = Field(default=0, sa_type=BigInteger, nullable=False)
    unchanged: int = Field(default=0, sa_type=BigInteger, nullable=False)
    passed: int = Field(default=0, sa_type=BigInteger, nullable=False)
    failed: int = Field(default=0, sa_type=BigInteger, nullable=False)
    job_id: str | None = id_column()
    requested_by: str = Field(sa_type=CodePointText, nullable=False)
    forgotten_at: datetime = Field(sa_type=Moment, nullable=False)

    place: str | None = id_column()
    done: int = Field(default=0, sa_type=BigInteger, nullable=False)
    total: int | None = Field(default=None, sa_type=BigInteger)


class BulkFailureRow(TenantRow, Base, table=True):
    """A record that was not changed, and the problem."""

    __tablename__ = "bulk_change_failure"

    bulk_change_id: str = Field(primary_key=True, sa_type=CodePointText)
    record_id: str = Field(primary_key=True, sa_type=CodePointText)
    problem: dict[str, Any] = json_column(dict)
