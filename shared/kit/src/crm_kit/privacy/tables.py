"""What a service must know of the privacy requests that it has a part in. Every service has these tables."""

from typing import Final

from sqlalchemy import Boolean, Column, Index, Integer, MetaData, Table, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

_C = Text(collation="C")

PRIVACY_TASK: Final = Table(
    "privacy_task",
    MetaData(),
    Column("tenant_id", _C, primary_key=True),
    Column("request_id", _C, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("subject_ids", ARRAY(_C), nullable=False),
    Column("holding", Integer, nullable=False, server_default="0"),
    Column("after", _C, nullable=False, server_default=""),
    Column("pieces", Integer, nullable=False, server_default="0"),
    Column("records", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("done", Boolean, nullable=False, server_default=text("false")),
    Index("privacy_task_open", "tenant_id", "kind", "holding", "request_id", postgresql_where=text("not done")),
    Index(
        "privacy_task_subjects",
        "subject_ids",
        postgresql_using="gin",
        postgresql_with={"fastupdate": "off"},
        postgresql_where=text("kind = 'erasure'"),
    ),
)
"""This service's part of a request. `holding` and `after`: where an export stands; of an erasure `holding` counts how often it had to
wait. `pieces`: how many it has told; `records`: of how many it was, by kind."""

FORGOTTEN_KEY: Final = Table(
    "forgotten_key",
    MetaData(),
    Column("tenant_id", _C, primary_key=True),
    Column("request_id", _C, primary_key=True),
    Column("topic", _C, primary_key=True),
    Column("key", _C, primary_key=True),
)
"""What of the event log is to be forgotten for a request: records of persons, until that is published; receipts, until it ends."""

PRIVACY_TABLES: Final = (PRIVACY_TASK, FORGOTTEN_KEY)
