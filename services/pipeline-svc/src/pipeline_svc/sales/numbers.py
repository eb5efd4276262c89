"""Numbers that we give to records which come without one: `O-000001`, `O-000002`, … and with more digits once six are not enough."""

from dataclasses import dataclass

from crm_kit.db.models import columns
from crm_kit.db.session import WriteSession
from sqlalchemy import BigInteger, cast, func, select, update
from sqlalchemy.dialects.postgresql import insert

from pipeline_svc.sales.keys import SourceKey
from pipeline_svc.sales.models import CounterRow


@dataclass(frozen=True, slots=True)
class NumberSeries:
    """`prefix`: of letters alone. `counter`: the table that counts them."""

    prefix: str
    key: SourceKey
    counter: type[CounterRow]

    async def given(self, session: WriteSession, source: str | None, number: str | None) -> str:
        """A new record's number: claimed, or a free one. Raises the key's `taken`."""
        if number is None:
            return await self.next(session, source)
        await self.key.claim(session, source, number)
        return number

    async def next(self, session: WriteSession, source: str | None) -> str:
        """A free number. Raises the key's `taken` where somebody takes it by hand at this very moment."""
        number = self._spelled(await self._count(session))
        if not await self.key.is_free(session, (source, number)):
            await self._skip_taken(session, source)
            number = self._spelled(await self._count(session))
            await self.key.claim(session, source, number)
        return number

    def _spelled(self, count: int) -> str:
        return f"{self.prefix}-{count:06}"

    async def _count(self, session: WriteSession) -> int:
        """Counts one up; the tenant's counter is locked until the transaction ends."""
        c = columns(self.counter)
        statement = insert(self.counter).values(tenant_id=session.tenant_id, last=1)
        raised = statement.on_conflict_do_update(index_elements=["tenant_id"], set_={"last": c.last + 1})
        count: int = await session.scalar(raised.returning(c.last))
        return count

    async def _skip_taken(self, session: WriteSession, source: str | None) -> None:
        """Raises the counter to the greatest number of our form that others gave to records of the source."""
        c, counter = columns(self.key.row), columns(self.counter)
        of_source = c.source.is_(None) if source is None else c.source == source
        digits = cast(func.substr(c.number, len(self.prefix) + 2), BigInteger)
        pattern = f"^{self.prefix}-[0-9]{{6,15}}$"
        greatest = select(func.max(digits)).where(of_source, c.number.regexp_match(pattern)).scalar_subquery()
        await session.execute(
            update(self.counter)
            .where(counter.tenant_id == session.tenant_id)
            .values(last=func.greatest(counter.last, greatest))
            .execution_options(synchronize_session=False)
        )
