"""The table of users: `user` is a word of SQL's own."""

from typing import Any

from crm_kit.db.models import CodePointText, EntityRow, json_column, text_list_column
from sqlalchemy import Index, Text
from sqlmodel import Field

from gateway.base import Base


class UserRow(EntityRow, Base, table=True):
    """`email_key` is what addresses are compared by; `team_ids` are those of `teams`; `roles` are names or ids."""

    __tablename__ = "crm_user"
    __table_args__ = (
        Index("crm_user_created", "tenant_id", "created_at", "id"),
        Index("crm_user_email", "tenant_id", "email_key", unique=True),
        Index("crm_user_external_id", "tenant_id", "external_id", unique=True),
        Index("crm_user_roles", "roles", postgresql_using="gin"),
        Index("crm_user_teams", "team_ids", postgresql_using="gin"),
    )

    name: str = Field(sa_type=CodePointText, nullable=False)
    email: str = Field(sa_type=CodePointText, nullable=False)
    email_key: str = Field(sa_type=CodePointText, nullable=False)
    language: str | None = Field(default=None, sa_type=Text)
    status: str = Field(default="active", sa_type=Text, nullable=False)
    teams: list[dict[str, Any]] = json_column(list)
    team_ids: list[str] = text_list_column()
    roles: list[str] = text_list_column(later=True)
    external_id: str | None = Field(default=None, sa_type=CodePointText)
