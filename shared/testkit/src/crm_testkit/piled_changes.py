"""Tens of thousands of changes of real entities at once, as if they had been made one by one while nobody relayed."""

import asyncpg
from crm_local.stack import LocalStack

_FILL = """
    insert into outbox (tenant_id, shard, topic, key, headers, payload)
    select o.tenant_id, o.shard, o.topic, o.key,
           o.headers || jsonb_build_object(
               'ce_id', (o.headers->>'ce_id') || '-' || version,
               'ce_type', replace(o.headers->>'ce_type', '.created.', '.updated.'),
               'ce_sequence', cast(version as text)),
           convert_to(cast(
               jsonb_set(jsonb_set(o.data, '{entity,version}', to_jsonb(version)), '{entity,title}', to_jsonb('T' || version))
               || '{"changed": ["title"]}' as text), 'UTF8')
      from (select *, cast(convert_from(payload, 'UTF8') as jsonb) as data from outbox
             where tenant_id = $1 and topic = 'crm.contacts.contact') o,
           generate_series(2, $2) version
     order by version, o.id
"""


async def pile_up_changes(stack: LocalStack, tenant_id: str, versions: int) -> int:
    """Changes the title of every contact of the tenant until it has so many versions; the events that made.

    The contacts must be new, and the events that tell of them still in the outbox: the relay is off.
    """
    connection = await asyncpg.connect(stack.database_url("contacts"))
    try:
        async with connection.transaction():
            made = await connection.execute(_FILL, tenant_id, versions)
            await connection.execute(
                "update contact set version = cast($2 as integer), title = 'T' || cast($2 as integer) where tenant_id = $1",
                tenant_id,
                versions,
            )
        await connection.execute("analyze outbox")
    finally:
        await connection.close()
    return int(made.split()[-1])
