"""What a service must know of whom, to tell whose a record is. Every service has these tables."""

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Index, MetaData, Table, Text
from sqlalchemy.dialects.postgresql import ARRAY

_C = Text(collation="C")

TEAM_MEMBER = Table(
    "team_member",
    MetaData(),
    Column("tenant_id", _C, primary_key=True),
    Column("id", _C, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("team_ids", ARRAY(_C), nullable=False),
)
"""Users and the teams that they are in, by their events."""

RECORD_OWNER = Table(
    "record_owner",
    MetaData(),
    Column("tenant_id", _C, primary_key=True),
    Column("id", _C, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("owner_id", _C),
    Column("team_id", _C),
    Column("above_id", _C),
    Index("record_owner_above", "tenant_id", "above_id", "id"),
    Index("record_owner_owner", "tenant_id", "owner_id", "id"),
    Index("record_owner_team", "tenant_id", "team_id", "id"),
)
"""Whose those records of another service are that this one's belong to, by their events. `above_id`: what such a record
belongs to itself.
"""


def _shares(name: str) -> Table:
    return Table(
        name,
        MetaData(),
        Column("tenant_id", _C, primary_key=True),
        Column("grantee_id", _C, primary_key=True),
        Column("record_id", _C, primary_key=True),
        Column("writes", Boolean, nullable=False),
        Column("until", DateTime(timezone=True)),
        Index(f"{name}_record", "tenant_id", "record_id"),
    )


RECORD_SHARE = _shares("record_share")
"""With which users and teams this service's records are shared: written with them."""

OWNER_SHARE = _shares("owner_share")
"""With whom the records of RECORD_OWNER are shared, by their events."""

RIGHTS_TABLES = (TEAM_MEMBER, RECORD_OWNER, RECORD_SHARE, OWNER_SHARE)
