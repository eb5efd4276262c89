"""The api_key table. A key itself is nowhere in it."""

from datetime import datetime
from typing import Any

from crm_kit.db.models import CodePointText, EntityRow, Moment, text_list_column
from sqlalchemy import Index, LargeBinary
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from gateway.base import Base


class ApiKeyRow(EntityRow, Base, table=True):
    """`digest` is the key's SHA-256; `prefix` the part of it that is no secret. `user_id`: for whom it acts.

    `support`: who of the installation's staff has it, and why, where that is what it is for.
    """

    __tablename__ = "api_key"
    __table_args__ = (
        Index("api_key_digest", "digest", unique=True),
        Index("api_key_id", "id"),
        Index("api_key_created", "tenant_id", "created_at", "id"),
    )

    name: str = Field(sa_type=CodePointText, nullable=False)
    prefix: str = Field(sa_type=CodePointText, nullable=False)
    digest: bytes = Field(sa_type=LargeBinary, nullable=False)
    scopes: list[str] = text_list_column()
    user_id: str | None = Field(default=None, sa_type=CodePointText)
    roles: list[str] = text_list_column(later=True)
    expires_at: datetime | None = Field(default=None, sa_type=Moment)
    last_used_at: datetime | None = Field(default=None, sa_type=Moment)
    support: Any = Field(default=None, sa_type=JSONB(none_as_null=True), nullable=True)
