"""Backfills of inbound sources, and jobs of the gateway's own"""

import sqlalchemy as sa
from alembic import op
from crm_kit.db.migration_ops import protect
from sqlalchemy.dialects import postgresql

revision = "0019_backfills"
down_revision = "0018_invoices"
branch_labels = None
depends_on = None

_C = sa.Text(collation="C")
_JSON = postgresql.JSONB(astext_type=sa.Text())
_TIME = sa.DateTime(timezone=True)

# As 0017 has it, and of which run a delivery is. Processes of the release before name none.
_ACCEPT = """
create or replace function accept_inbound(tenant text, sent text, bodies bytea[])
returns table (place int, id text, is_new boolean)
language plpgsql volatile security invoker as $$
begin
  perform set_config('app.tenant_id', tenant, true);
  return query
  with given as materialized (
    select r.*, decode(r.key, 'hex') as dedupe_key, decode(r.earlier_key, 'hex') as earlier
      from jsonb_to_recordset(sent::jsonb) as r (
        place int, id text, source_id text, key text, earlier_key text, since timestamptz, topic text, sender_id text,
        sent_at timestamptz, content_type text, headers jsonb, backfill_id text)
  ), known as materialized (
    select g.place, d.id from given g join inbound_delivery d
        on d.tenant_id = tenant and d.source_id = g.source_id
       and (d.dedupe_key = g.dedupe_key or (d.dedupe_key = g.earlier and d.created_at > g.since))
  ), fresh as materialized (
    select distinct on (g.source_id, g.dedupe_key) g.* from given g
     where not exists (select from known k where k.place = g.place) order by g.source_id, g.dedupe_key, g.place
  ), stored as (
    insert into inbound_delivery as d (tenant_id, id, version, created_at, updated_at, source_id, status, topic, sender_id,
        dedupe_key, sent_at, size, attempts, runs, written, faults, refs, contact_ids, due_at, backfill_id)
    select tenant, f.id, 1, clock_timestamp(), clock_timestamp(), f.source_id, 'received', f.topic, f.sender_id,
        f.dedupe_key, f.sent_at, octet_length(bodies[f.place + 1]), 0, 0, 0, '[]', '[]', '{}', clock_timestamp(), f.backfill_id
      from fresh f order by f.source_id, f.dedupe_key
    on conflict (tenant_id, source_id, dedupe_key) do nothing
    returning d.id as id, d.source_id as source_id, d.dedupe_key as dedupe_key
  ), payloads as (
    insert into inbound_payload (tenant_id, id, content_type, headers, body)
    select tenant, s.id, f.content_type, f.headers, bodies[f.place + 1] from stored s join fresh f on f.id = s.id
  )
  select g.place,
         coalesce((select s.id from stored s where s.source_id = g.source_id and s.dedupe_key = g.dedupe_key),
                  (select k.id from known k where k.place = g.place limit 1), g.id),
         exists (select from stored s where s.id = g.id)
    from given g;
end $$
"""


def upgrade() -> None:
    op.add_column("inbound_source", sa.Column("pull", _JSON, nullable=True))
    op.add_column("inbound_source", sa.Column("pull_sealed", sa.LargeBinary(), nullable=True))
    op.add_column("inbound_delivery", sa.Column("backfill_id", _C, nullable=True))
    op.create_index(
        "inbound_delivery_backfill", "inbound_delivery", ["tenant_id", "backfill_id", "created_at", "id"], unique=False,
        postgresql_where=sa.text("backfill_id is not null"),
    )  # fmt: skip
    op.create_table(
        "inbound_backfill",
        sa.Column("tenant_id", _C, nullable=False),
        sa.Column("id", _C, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.Column("source_id", _C, nullable=False),
        sa.Column("trigger", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("resources", postgresql.ARRAY(_C), nullable=False),
        sa.Column("updated_since", _TIME, nullable=True),
        sa.Column("places", _JSON, nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("waits", sa.Integer(), nullable=False),
        sa.Column("trouble", sa.Text(), nullable=True),
        sa.Column("warning", sa.Text(), nullable=True),
        sa.Column("error", _JSON, nullable=True),
        sa.Column("outcomes", _JSON, nullable=True),
        sa.Column("job_id", _C, nullable=False),
        sa.Column("requested_by", _C, nullable=False),
        sa.Column("finished_at", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index("inbound_backfill_source", "inbound_backfill", ["tenant_id", "source_id", "id"], unique=False)
    op.create_index(
        "inbound_backfill_open", "inbound_backfill", ["tenant_id", "source_id"], unique=True,
        postgresql_where=sa.text("status in ('pending', 'running')"),
    )  # fmt: skip
    _jobs()
    protect("inbound_backfill", "job")
    op.execute(_ACCEPT)


def _jobs() -> None:
    op.create_table(
        "job",
        sa.Column("tenant_id", _C, nullable=False),
        sa.Column("id", _C, nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("about", _C, nullable=False),
        sa.Column("status", sa.Text(), server_default="pending", nullable=False),
        sa.Column("done", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=True),
        sa.Column("error", _JSON, nullable=True),
        sa.Column("requested_by", _C, nullable=False),
        sa.Column("caller", _JSON, nullable=False),
        sa.Column("created_at", _TIME, server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", _TIME, server_default=sa.text("now()"), nullable=False),
        sa.Column("started_at", _TIME, nullable=True),
        sa.Column("finished_at", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index("job_about", "job", ["tenant_id", "about"], unique=False)


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
