"""Stores what was sent: one statement, one transaction, for all that come at once."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

import asyncpg
import orjson
from crm_kit.db.connecting import TENANT_HELD
from crm_kit.db.gathering import Gathering
from crm_kit.db.statement_pool import StatementPool
from crm_kit.errors import Text, Unavailable
from crm_kit.tenants.errors import tenant_read_only

_ACCEPT: Final = (
    "with begun as materialized (select begin_for_tenant($1, false) as done)"
    " select place, id, is_new from begun, accept_inbound($1, $2, $3) where begun.done"
)


class Accepted(NamedTuple):
    """`id`: of the delivery, or of the one that was there already."""

    id: str
    is_new: bool


class Sent(NamedTuple):
    """A delivery as it is stored. `earlier_key`: by which the window before knows the same, since `since`.

    `backfill_id`: of the run that fetched it, where nobody sent it.
    """

    id: str
    source_id: str
    key: bytes
    earlier_key: bytes | None
    since: datetime
    topic: str
    sender_id: str | None
    sent_at: datetime | None
    content_type: str
    headers: dict[str, str]
    body: bytes
    backfill_id: str | None = None


class Acceptor:
    def __init__(self, pool: StatementPool) -> None:
        self._pool = pool
        self._gathering: Gathering[str, Sent, Accepted] = Gathering(self._store, at_once=2)

    async def accept(self, tenant_id: str, sent: Sent) -> Accepted:
        """Once it is answered, it is on the disk. Raises Unavailable."""
        return await self._gathering.ask(tenant_id, sent)

    async def _store(self, tenant_id: str, some: Sequence[Sent]) -> list[Accepted]:
        try:
            found = await self._pool.fetch(_ACCEPT, tenant_id, as_rows(some), [one.body for one in some])
        except (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.OperatorInterventionError) as error:
            raise unavailable() from error
        except (asyncpg.TooManyConnectionsError, OSError, TimeoutError) as error:
            raise unavailable() from error
        except asyncpg.PostgresError as error:
            raise (tenant_read_only() if error.sqlstate == TENANT_HELD else error) from error
        by_place = {row["place"]: Accepted(row["id"], row["is_new"]) for row in found}
        return [by_place[place] for place in range(len(some))]


def as_rows(some: Sequence[Sent]) -> str:
    """As `accept_inbound` takes them, but for their bodies."""
    return orjson.dumps([_row(place, one) for place, one in enumerate(some)]).decode()


def _row(place: int, one: Sent) -> dict[str, object]:
    return {
        "place": place,
        "id": one.id,
        "source_id": one.source_id,
        "key": one.key.hex(),
        "earlier_key": one.earlier_key.hex() if one.earlier_key is not None else None,
        "since": one.since.astimezone(UTC).isoformat(),
        "topic": one.topic,
        "sender_id": one.sender_id,
        "sent_at": one.sent_at.isoformat() if one.sent_at is not None else None,
        "content_type": one.content_type,
        "headers": one.headers,
        "backfill_id": one.backfill_id,
    }


def unavailable() -> Unavailable:
    """While nothing can be stored, senders keep what they have."""
    detail = Text("It could not be stored; send it again.", "暂时无法保存，请重新发送。")
    return Unavailable(detail, headers={"Retry-After": "1"})
