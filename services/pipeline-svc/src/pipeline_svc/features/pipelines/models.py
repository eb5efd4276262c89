"""The pipeline table. Stages are part of their pipeline."""

from typing import Any

from crm_kit.db.models import CodePointText, EntityRow, json_column, text_list_column
from sqlalchemy import Index, text
from sqlmodel import Field

from pipeline_svc.base import Base


class PipelineRow(EntityRow, Base, table=True):
    """`stage_ids` holds what a stage's pipeline is looked up by, among the few that a tenant has."""

    __tablename__ = "pipeline"
    __table_args__ = (
        Index("pipeline_created", "tenant_id", "created_at", "id"),
        Index("pipeline_updated", "tenant_id", "updated_at", "id"),
        Index("pipeline_name", "tenant_id", "name", "id"),
        Index("pipeline_default", "tenant_id", unique=True, postgresql_where=text("is_default")),
    )

    name: str = Field(sa_type=CodePointText, nullable=False)
    is_default: bool = Field(default=False, nullable=False)
    stages: list[dict[str, Any]] = json_column(list)
    stage_ids: list[str] = text_list_column()
