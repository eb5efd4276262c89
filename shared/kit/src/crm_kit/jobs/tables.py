"""The job table. `about`: the record that it works on; `caller`: in whose name, with the rights that they had when they asked."""

from sqlalchemy import BigInteger, Column, DateTime, Index, Integer, MetaData, Table, Text, func, text
from sqlalchemy.dialects.postgresql import JSONB

JOB = Table(
    "job",
    MetaData(),
    Column("tenant_id", Text(collation="C"), primary_key=True),
    Column("id", Text(collation="C"), primary_key=True),
    Column("version", Integer, nullable=False, server_default="1"),
    Column("kind", Text, nullable=False),
    Column("about", Text(collation="C"), nullable=False),
    Column("status", Text, nullable=False, server_default="pending"),
    Column("done", BigInteger, nullable=False, server_default="0"),
    Column("total", BigInteger),
    Column("error", JSONB),
    Column("requested_by", Text(collation="C"), nullable=False),
    Column("caller", JSONB, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("started_at", DateTime(timezone=True)),
    Column("finished_at", DateTime(timezone=True)),
    Index("job_about", "tenant_id", "about"),
    Index("job_open", "kind", postgresql_where=text("status in ('pending', 'running')")),
)


def mount_job_table(metadata: MetaData) -> None:
    """Adds the table to the metadata of a service that has jobs."""
    JOB.to_metadata(metadata)
