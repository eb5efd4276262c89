"""Inbound webhooks"""

import sqlalchemy as sa
from alembic import op
from crm_kit.db.migration_ops import add_readers, open_to_system, protect
from sqlalchemy.dialects import postgresql

revision = "0017_inbound"
down_revision = "0016_webhooks"
branch_labels = None
depends_on = None

_C = sa.Text(collation="C")
_JSON = postgresql.JSONB(astext_type=sa.Text())
_TIME = sa.DateTime(timezone=True)

# Sets the tenant and stores, so that one round trip is one transaction. A delivery that is there already, in this window or in
# the one before, is answered as that one.
_ACCEPT = """
create function accept_inbound(tenant text, sent text, bodies bytea[])
returns table (place int, id text, is_new boolean)
language plpgsql volatile security invoker as $$
begin
  perform set_config('app.tenant_id', tenant, true);
  return query
  with given as materialized (
    select r.*, decode(r.key, 'hex') as dedupe_key, decode(r.earlier_key, 'hex') as earlier
      from jsonb_to_recordset(sent::jsonb) as r (
        place int, id text, source_id text, key text, earlier_key text, since timestamptz, topic text, sender_id text,
        sent_at timestamptz, content_type text, headers jsonb)
  ), known as materialized (
    select g.place, d.id from given g join inbound_delivery d
        on d.tenant_id = tenant and d.source_id = g.source_id
       and (d.dedupe_key = g.dedupe_key or (d.dedupe_key = g.earlier and d.created_at > g.since))
  ), fresh as materialized (
    select distinct on (g.source_id, g.dedupe_key) g.* from given g
     where not exists (select from known k where k.place = g.place) order by g.source_id, g.dedupe_key, g.place
  ), stored as (
    insert into inbound_delivery as d (tenant_id, id, version, created_at, updated_at, source_id, status, topic, sender_id,
        dedupe_key, sent_at, size, attempts, runs, written, faults, refs, contact_ids, due_at)
    select tenant, f.id, 1, clock_timestamp(), clock_timestamp(), f.source_id, 'received', f.topic, f.sender_id,
        f.dedupe_key, f.sent_at, octet_length(bodies[f.place + 1]), 0, 0, 0, '[]', '[]', '{}', clock_timestamp()
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


def _entity(*columns: sa.Column[object]) -> list[object]:
    return [
        sa.Column("tenant_id", _C, nullable=False),
        sa.Column("id", _C, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        *columns,
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    ]


def upgrade() -> None:
    # Locks are waited for at most five seconds (crm_kit.db.migrations sets lock_timeout): a migration that cannot
    # get one fails and is run again, instead of holding up every request behind it.
    op.create_table(
        "inbound_source",
        *_entity(
            sa.Column("name", _C, nullable=False),
            sa.Column("kind", sa.Text(), nullable=False),
            sa.Column("system", _C, nullable=False),
            sa.Column("is_active", sa.Boolean(), nullable=False),
            sa.Column("authentication", _JSON, nullable=True),
            sa.Column("receive_id", _C, nullable=True),
            sa.Column("topic_header", sa.Text(), nullable=True),
            sa.Column("topic_expression", sa.Text(), nullable=True),
            sa.Column("dedupe_expression", sa.Text(), nullable=True),
            sa.Column("dedupe_window_seconds", sa.Integer(), nullable=False),
            sa.Column("country", sa.Text(), nullable=True),
            sa.Column("currency", sa.Text(), nullable=True),
            sa.Column("mappings", _JSON, nullable=True),
            sa.Column("system_of_record", _JSON, nullable=False),
            sa.Column("on_ambiguous", sa.Text(), nullable=False),
            sa.Column("max_body_bytes", sa.Integer(), nullable=False),
            sa.Column("region", sa.Text(), nullable=False),
            sa.Column("sealed", sa.LargeBinary(), nullable=False),
            sa.Column("secret_rotated_at", _TIME, nullable=False),
            sa.Column("previous_sealed", sa.LargeBinary(), nullable=True),
            sa.Column("previous_secret_until", _TIME, nullable=True),
        ),
    )
    op.create_index("inbound_source_created", "inbound_source", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("inbound_source_system", "inbound_source", ["tenant_id", "system"], unique=True)
    op.create_index("inbound_source_id", "inbound_source", ["id"], unique=False)
    _deliveries()
    op.create_table(
        "sync_conflict",
        *_entity(
            sa.Column("source_id", _C, nullable=False),
            sa.Column("delivery_id", _C, nullable=False),
            sa.Column("resource", sa.Text(), nullable=False),
            sa.Column("record_id", _C, nullable=False),
            sa.Column("contact_id", _C, nullable=True),
            sa.Column("member", _C, nullable=False),
            sa.Column("theirs", _JSON, nullable=True),
            sa.Column("ours", _JSON, nullable=True),
            sa.Column("winner", sa.Text(), nullable=False),
            sa.Column("reason", sa.Text(), nullable=False),
        ),
    )
    op.create_index("sync_conflict_created", "sync_conflict", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index(
        "sync_conflict_record", "sync_conflict", ["tenant_id", "record_id", "created_at", "id"], unique=False
    )
    op.create_index("sync_conflict_contact", "sync_conflict", ["tenant_id", "contact_id", "id"], unique=False)
    tables = (
        "inbound_source",
        "inbound_delivery",
        "inbound_payload",
        "inbound_applied",
        "inbound_hold",
        "sync_conflict",
    )
    protect(*tables)
    add_readers("inbound_source", "inbound_delivery", "sync_conflict")
    open_to_system({"inbound_source": "select", "inbound_delivery": "select (tenant_id, source_id, due_at)"})
    op.execute(_ACCEPT)


def _deliveries() -> None:
    op.create_table(
        "inbound_delivery",
        *_entity(
            sa.Column("source_id", _C, nullable=False),
            sa.Column("status", sa.Text(), nullable=False),
            sa.Column("topic", _C, nullable=False),
            sa.Column("sender_id", _C, nullable=True),
            sa.Column("external_id", _C, nullable=True),
            sa.Column("dedupe_key", sa.LargeBinary(), nullable=False),
            sa.Column("sent_at", _TIME, nullable=True),
            sa.Column("size", sa.Integer(), nullable=False),
            sa.Column("attempts", sa.Integer(), nullable=False),
            sa.Column("runs", sa.Integer(), nullable=False),
            sa.Column("written", sa.Integer(), nullable=False),
            sa.Column("planned", sa.Integer(), nullable=True),
            sa.Column("reason", sa.Text(), nullable=True),
            sa.Column("detail", sa.Text(), nullable=True),
            sa.Column("faults", _JSON, nullable=False),
            sa.Column("refs", _JSON, nullable=False),
            sa.Column("contact_ids", postgresql.ARRAY(_C), nullable=False),
            sa.Column("processed_at", _TIME, nullable=True),
            sa.Column("due_at", _TIME, nullable=True),
        ),
    )
    for name, columns in (
        ("created", ["tenant_id", "created_at", "id"]),
        ("source", ["tenant_id", "source_id", "created_at", "id"]),
        ("status", ["tenant_id", "status", "created_at", "id"]),
    ):
        op.create_index(f"inbound_delivery_{name}", "inbound_delivery", columns, unique=False)
    op.create_index(
        "inbound_delivery_external", "inbound_delivery", ["tenant_id", "external_id"], unique=False,
        postgresql_where=sa.text("external_id is not null"),
    )  # fmt: skip
    op.create_index("inbound_delivery_once", "inbound_delivery", ["tenant_id", "source_id", "dedupe_key"], unique=True)
    op.create_index(
        "inbound_delivery_due", "inbound_delivery", ["tenant_id", "source_id", "due_at", "id"], unique=False,
        postgresql_where=sa.text("due_at is not null"),
    )  # fmt: skip
    op.create_index(
        "inbound_delivery_contacts", "inbound_delivery", ["tenant_id", "contact_ids"], unique=False,
        postgresql_using="gin", postgresql_with={"fastupdate": "off"},
    )  # fmt: skip
    op.create_table(
        "inbound_payload",
        sa.Column("tenant_id", _C, nullable=False),
        sa.Column("id", _C, nullable=False),
        sa.Column("content_type", _C, nullable=False),
        sa.Column("headers", _JSON, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_table(
        "inbound_applied",
        sa.Column("tenant_id", _C, nullable=False),
        sa.Column("source_id", _C, nullable=False),
        sa.Column("resource", _C, nullable=False),
        sa.Column("key", _C, nullable=False),
        sa.Column("record_id", _C, nullable=True),
        sa.Column("said", _JSON, nullable=True),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "source_id", "resource", "key"),
    )
    op.create_index("inbound_applied_record", "inbound_applied", ["tenant_id", "record_id"], unique=False)
    op.create_table(
        "inbound_hold",
        sa.Column("tenant_id", _C, nullable=False),
        sa.Column("key", _C, nullable=False),
        sa.Column("delivery_id", _C, nullable=False),
        sa.Column("until", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "key"),
    )


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only; restore a backup instead.")
