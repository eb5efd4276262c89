"""This service's SQLAlchemy registry: all of its tables, the kit's among them, in one metadata of their own."""

from crm_kit.jobs.tables import mount_job_table
from crm_kit.tables import mount_kit_tables
from sqlalchemy.orm import registry
from sqlmodel import SQLModel

_registry = registry()
METADATA = _registry.metadata


class Base(SQLModel, registry=_registry):
    """Base of this service's tables."""


mount_kit_tables(METADATA)
mount_job_table(METADATA)
