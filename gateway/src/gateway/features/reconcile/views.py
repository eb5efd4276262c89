"""Whether a stored view is the one that follows from the gateway's copies, and making it so."""

from typing import Any

import orjson
from crm_kit.db.session import ReadSession, WriteSession
from sqlalchemy import text

from gateway.features.customers import facts
from gateway.features.customers.backlog import is_marked, refresh_marked
from gateway.features.customers.compose import compose
from gateway.features.customers.consumers import VIEW
from gateway.features.customers.projection import digest_of, lock_customers, record, refresh
from gateway.features.customers.search.fields import digest_of as search_digest_of
from gateway.features.customers.search.filling import is_filling
from gateway.features.reconcile.drift import ViewDrift

_VIEW = text("select kind, name, version, as_of, doc, digest, sources, keys from customer_view where id = :id")
_KEYS = text("select key from customer_key where customer_id = :id order by key")
_SEARCHED = text("select digest from customer_search where id = :id")
_FORGET_SEARCHED = text("delete from customer_search where id = :id")
_FORGET = text("update customer_view set digest = '', keys = '{}' where id = :id")
_FORGET_KEYS = text("delete from customer_key where customer_id = :id")
# No view had more versions than there were events: a version above that is one that no client has seen.
_PLACE = text(
    """
    insert into customer_view (tenant_id, id, kind, name, version, as_of, doc, digest, sources, keys)
    select :tenant_id, :id, '', null, coalesce(sum(next_offset), 0), now(), '', '', '{}', '{}'
      from consumer_position where consumer = :consumer
    """
)


async def drift_of_view(session: ReadSession, customer_id: str) -> ViewDrift | None:
    """Exact only while nobody composes views of this customer."""
    row = (await session.execute(_VIEW, {"id": customer_id})).one_or_none()
    keys = list(await session.scalars(_KEYS, {"id": customer_id}))
    searched = await session.scalar(_SEARCHED, {"id": customer_id})
    [stored] = await facts.load(session, [customer_id])
    if not stored.known:
        return "view_ghost" if row is not None or keys or searched is not None else None
    if row is None:
        return "view_missing"
    content = compose(stored.facts)
    digest = digest_of(content, stored.as_of)
    # Its own times: they may be newer than those of the copies, where a rebuild found a compacted log.
    wanted = record(content, row.as_of, digest, row.version, _json(row.sources))
    same = (row.kind, row.name, row.doc, row.digest, row.keys) == (
        wanted.kind, wanted.name, wanted.doc, wanted.digest, wanted.keys,
    )  # fmt: skip
    same = same and keys == wanted.keys and row.as_of >= max(stored.as_of.values())
    if same and searched != search_digest_of(content):
        same = await is_filling(session)  # by which it will be mended, too
    return None if same else "view_wrong"


async def stored_view(session: ReadSession, customer_id: str) -> bytes | None:
    """The document as it is sent."""
    row = (await session.execute(_VIEW, {"id": customer_id})).one_or_none()
    return None if row is None else bytes(row.doc)


async def locked_drift(session: WriteSession, customer_id: str, *, repair: bool) -> ViewDrift | None:
    """The drift that there certainly is; with `repair` it is gone when the transaction ends. To be stale is none."""
    await refresh_marked(session, customer_id)
    await lock_customers(session, [customer_id])
    drift = await drift_of_view(session, customer_id)
    if drift is not None and await is_marked(session, customer_id):
        return None
    if drift is not None and repair:
        await session.execute(_FORGET_KEYS, {"id": customer_id})
        await session.execute(_FORGET_SEARCHED, {"id": customer_id})
        if drift == "view_missing":
            values = {"id": customer_id, "tenant_id": session.tenant_id, "consumer": VIEW.name}
            await session.execute(_PLACE, values)
        await session.execute(_FORGET, {"id": customer_id})
        await refresh(session, [customer_id])
    return drift


def _json(value: Any) -> Any:
    return orjson.loads(value) if isinstance(value, str) else value
