"""The lifecycle table: a row for each tenant that has changed its stages."""

from typing import Any

from crm_kit.db.models import EntityRow, json_column
from sqlalchemy import Text
from sqlmodel import Field

from contacts_svc.base import Base


class LifecycleRow(EntityRow, Base, table=True):
    __tablename__ = "lifecycle"

    initial: str = Field(sa_type=Text, nullable=False)
    stages: list[dict[str, Any]] = json_column(list)
