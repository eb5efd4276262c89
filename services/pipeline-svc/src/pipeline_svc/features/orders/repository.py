"""Every statement about orders beyond those that all resources have."""

from collections.abc import Sequence

from crm_kit.db.locks import lock_keys
from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession, WriteSession
from sqlalchemy import BigInteger, ColumnElement, cast, func, select, update
from sqlalchemy.dialects.postgresql import insert

from pipeline_svc.features.orders.models import OrderCounterRow, OrderRow
from pipeline_svc.features.orders.rules import NUMBER_PATTERN

SourceKey = tuple[str | None, str]
"""A source, and a number or id that it gave."""

_c = columns(OrderRow)
_counter = columns(OrderCounterRow)


async def lock_number(session: WriteSession, source: str | None, number: str) -> None:
    """Until the transaction ends nobody else gives this number to an order of the source."""
    await lock_keys(session, "order.number", [f"{source or ''}\0{number}"])


async def lock_external_id(session: WriteSession, source: str | None, external_id: str) -> None:
    """As `lock_number`."""
    await lock_keys(session, "order.external", [f"{source or ''}\0{external_id}"])


async def find_number(session: WriteSession, key: SourceKey) -> Sequence[str]:
    """The orders with a number of a source, which is locked: two upserts with it cannot both find nobody."""
    await lock_number(session, *key)
    return await ids_with_number(session, *key)


async def find_external_id(session: WriteSession, key: SourceKey) -> Sequence[str]:
    """As `find_number`."""
    await lock_external_id(session, *key)
    return await ids_with_external_id(session, *key)


async def ids_with_number(session: ReadSession, source: str | None, number: str) -> Sequence[str]:
    return await _ids(session, source, _c.number == number)


async def ids_with_external_id(session: ReadSession, source: str | None, external_id: str) -> Sequence[str]:
    return await _ids(session, source, _c.external_id == external_id)


async def _ids(session: ReadSession, source: str | None, condition: ColumnElement[bool]) -> Sequence[str]:
    of_source = _c.source.is_(None) if source is None else _c.source == source
    return (await session.scalars(select(_c.id).where(condition, of_source))).all()


async def next_count(session: WriteSession) -> int:
    """Counts one up; the tenant's counter is locked until the transaction ends."""
    statement = insert(OrderCounterRow).values(tenant_id=session.tenant_id, last=1)
    raised = statement.on_conflict_do_update(index_elements=["tenant_id"], set_={"last": _counter.last + 1})
    count: int = await session.scalar(raised.returning(_counter.last))
    return count


async def skip_taken_counts(session: WriteSession, source: str | None) -> None:
    """Raises the counter to the greatest number of our form that others gave to orders of the source."""
    of_source = _c.source.is_(None) if source is None else _c.source == source
    digits = cast(func.substr(_c.number, 3), BigInteger)
    greatest = select(func.max(digits)).where(of_source, _c.number.regexp_match(NUMBER_PATTERN)).scalar_subquery()
    await session.execute(
        update(OrderCounterRow)
        .where(_counter.tenant_id == session.tenant_id)
        .values(last=func.greatest(_counter.last, greatest))
        .execution_options(synchronize_session=False)
    )
