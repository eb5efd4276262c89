"""The template table."""

from crm_kit.db.models import CodePointText, EntityRow
from sqlalchemy import Index, Text
from sqlmodel import Field

from campaigns_svc.base import Base


class TemplateRow(EntityRow, Base, table=True):
    __tablename__ = "template"
    __table_args__ = (
        Index("template_created", "tenant_id", "created_at", "id"),
        Index("template_name", "tenant_id", "name", "id"),
    )

    name: str = Field(sa_type=CodePointText, nullable=False)
    channel: str = Field(sa_type=Text, nullable=False)
    language: str | None = Field(default=None, sa_type=Text)
    subject: str | None = Field(default=None, sa_type=Text)
    body_text: str = Field(sa_type=Text, nullable=False)
    body_html: str | None = Field(default=None, sa_type=Text)
