"""Setting and cancelling timers, within the transaction that wants them."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from pydantic import JsonValue
from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert

from crm_kit.db.session import WriteSession
from crm_kit.timers.table import TIMER


async def set_timer(
    session: WriteSession,
    kind: str,
    key: str,
    due_at: datetime,
    payload: Mapping[str, JsonValue] | None = None,
) -> None:
    """Sets, or moves, the timer `key` of `kind`: its handler runs once `due_at` has come."""
    await set_timers(session, kind, [(key, due_at, payload or {})])


async def set_timers(
    session: WriteSession, kind: str, timers: Iterable[tuple[str, datetime, Mapping[str, JsonValue]]]
) -> None:
    """Sets many in one statement."""
    rows = [
        {"tenant_id": session.tenant_id, "kind": kind, "key": key, "due_at": due_at, "payload": dict(payload)}
        for key, due_at, payload in timers
    ]
    if not rows:
        return
    statement = insert(TIMER).values(rows)
    await session.execute(
        statement.on_conflict_do_update(
            constraint="timer_once",
            set_={
                "due_at": statement.excluded.due_at,
                "payload": statement.excluded.payload,
                "attempts": 0,
                "error": None,
            },
        )
    )


async def cancel_timers(session: WriteSession, kind: str, keys: Iterable[str]) -> None:
    """Timers that already ran, or were never set, are passed over."""
    await session.execute(
        delete(TIMER).where(TIMER.c.tenant_id == session.tenant_id, TIMER.c.kind == kind, TIMER.c.key.in_(list(keys)))
    )
