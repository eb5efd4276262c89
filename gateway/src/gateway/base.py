"""The gateway's SQLAlchemy registry: all of its tables, the kit's among them, in one metadata of their own."""

from crm_kit.custom_fields import CUSTOM_FIELD_COPY
from crm_kit.jobs.tables import mount_job_table
from crm_kit.tables import mount_kit_tables
from sqlalchemy.orm import registry
from sqlmodel import SQLModel

_registry = registry()
METADATA = _registry.metadata


class Base(SQLModel, registry=_registry):
    """Base of the gateway's tables."""


mount_kit_tables(METADATA)
mount_job_table(METADATA)
CUSTOM_FIELD_COPY.to_metadata(METADATA)
