"""Engine and sessions. One session is one transaction for one tenant.

The tenant is set in the transaction itself, so that a connection which goes back to the pool carries none;
row-level security compares each row with it, and a transaction that set none sees no row.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

import asyncpg
import orjson
from sqlalchemy import Connection as SyncConnection
from sqlalchemy import Executable, event, text
from sqlalchemy.engine import Result, ScalarResult
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, DisconnectionError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session, SessionTransaction, make_transient_to_detached
from sqlmodel import SQLModel

from crm_kit.db.connecting import (
    SESSION,
    Beginning,
    Connection,
    TenantConnection,
    by_transaction_settings,
    connect,
    startup,
)
from crm_kit.db.sql import Sql
from crm_kit.db.standing import Kept, Standing, StandingCache, marks_of
from crm_kit.db.surplus import Surplus
from crm_kit.observability import metrics

if TYPE_CHECKING:
    from crm_kit.rights import Sights

ValueT = TypeVar("ValueT")

_LONGEST_SECONDS: Final = 900
"""How long a connection is used: what a server process remembers of tables and plans grows for hours otherwise."""

_NOW = text("select clock_timestamp()")
_PLAN_ANEW = text("select set_config('plan_cache_mode', 'force_custom_plan', true)")
_SET_TENANT = Sql("select set_config('app.tenant_id', :tenant_id, true)")
_BEGIN_FOR = Sql("select begin_for_tenant(:tenant_id, false)")
_FOLLOW = Sql("select follow_tenant(:tenant_id) as is_followed")


class ReadSession:
    """Reads of one tenant. PostgreSQL itself refuses a write in it."""

    def __init__(self, session: AsyncSession, tenant_id: str | None, standings: StandingCache) -> None:
        self._session = session
        self._tenant_id = tenant_id
        self._standings = standings
        self._driver: Connection | None = None
        self._known: dict[Hashable, Any] = {}
        self._is_followed: bool | None = None
        self.sights: Sights | None = None
        """Of a request whose caller may not see everything; None elsewhere."""

    @property
    def tenant_id(self) -> str:
        """Raises RuntimeError where no tenant was set."""
        if self._tenant_id is None:
            raise RuntimeError("this session was opened without a tenant")
        return self._tenant_id

    async def _settle(self) -> None:
        """Before anything is asked of PostgreSQL."""

    async def execute(self, statement: Executable, parameters: Any = None) -> Result[Any]:
        await self._settle()
        return await self._session.execute(statement, parameters)

    async def scalar(self, statement: Executable, parameters: Any = None) -> Any:
        await self._settle()
        return await self._session.scalar(statement, parameters)

    async def fetch(self, statement: Sql, values: Mapping[str, Any]) -> Sequence[Any]:
        """The rows, by name, of a fixed statement, past SQLAlchemy: a third of what `execute` costs.

        Raises DBAPIError as `execute` does, of its sub-classes IntegrityError alone, and TimeoutError.
        """
        await self._settle()
        arguments = statement.arguments(values)
        if self._driver is None:  # SQLAlchemy begins its transaction with its first statement
            connection = await self._session.connection()
            result = await connection.exec_driver_sql(statement.query, arguments)
            self._driver = (await connection.get_raw_connection()).driver_connection
            return result.mappings().all() if result.returns_rows else ()
        try:
            return await self._driver.fetch(statement.query, *arguments)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
            lost = self._driver.is_closed()
            kind = IntegrityError if isinstance(error, asyncpg.IntegrityConstraintViolationError) else DBAPIError
            raise kind(statement.query, None, error, hide_parameters=True, connection_invalidated=lost) from error

    async def now(self) -> datetime:
        """By the database's clock: what processes decide together must not hang on the clock of one of them."""
        await self._settle()
        moment: datetime = await self._session.scalar(_NOW)
        return moment

    async def use_tenant(self, tenant_id: str) -> None:
        """Turns this transaction to another tenant: for what a signed link names."""
        if tenant_id != self._tenant_id:
            await self._turn(tenant_id, _SET_TENANT)

    async def _turn(self, tenant_id: str, statement: Sql, **values: Any) -> Sequence[Any]:
        await self._settle()
        self._known.clear()
        await self._session.flush()
        self._tenant_id, self._is_followed = tenant_id, None
        return await self.fetch(statement, {"tenant_id": tenant_id, **values})

    async def scalars(self, statement: Executable, parameters: Any = None) -> ScalarResult[Any]:
        await self._settle()
        return await self._session.scalars(statement, parameters)

    async def once(self, key: Hashable, load: Callable[[], Awaitable[ValueT]]) -> ValueT:
        """What `load` answered the first time in this transaction: for what cannot change until it ends."""
        if key not in self._known:
            self._known[key] = await load()
        found: ValueT = self._known[key]
        return found

    async def plan_anew(self) -> None:
        """Until the transaction ends PostgreSQL plans each statement for its values and for its tables as they are now.

        For work on many rows at once, and for what one value has by the thousand another has once: a plan that was kept is for
        any value, and may be from when a table was small.
        """
        await self.once("plan anew", partial(self.execute, _PLAN_ANEW))

    async def known(self, standing: Standing[ValueT]) -> ValueT:
        """As it was when this transaction first asked; it may change meanwhile, unless nobody here knew it yet."""
        if standing.key not in self._known:
            await self._stand([standing], [None])
        value: ValueT = self._known[standing.key]
        return value

    async def _stand(self, standings: Sequence[Standing[Any]], locks: Sequence[int | None]) -> None:
        tenant_id = self.tenant_id
        asked: dict[str, Any] = {"tenant": tenant_id}
        for number, (standing, lock) in enumerate(zip(standings, locks, strict=True)):
            asked |= {f"lock_{number}": lock, f"of_{number}": standing.of}
        (marks,) = await self.fetch(marks_of(tuple(standing.function for standing in standings)), asked)
        for number, (standing, lock) in enumerate(zip(standings, locks, strict=True)):
            mark: str = marks[f"mark_{number}"]
            kept = self._standings.get(tenant_id, standing)
            if kept is None or kept.mark != mark:
                if lock is None:  # what is kept must be what stood at its mark, and not what came a moment later
                    await self._stand([standing], [standing.lock(tenant_id)])
                    continue
                kept = Kept(mark, await standing.load(self))
                self._standings.keep(tenant_id, standing, kept)
            self._known[standing.key] = kept.value


class WriteSession(ReadSession):
    """Reads and writes of one tenant, in one transaction that its owner commits; nobody else does."""

    def __init__(self, session: AsyncSession, tenant_id: str | None, standings: StandingCache) -> None:
        super().__init__(session, tenant_id, standings)
        self.put_off: Any = None
        """While changes are gathered: what they are to be written by (`crm_kit.outbox.pending`)."""
        self.gathers = False
        """Whether changes may wait to be written together."""

    async def use_tenant(self, tenant_id: str) -> None:
        """As of reading. Raises DBAPIError, of SQLSTATE TENANT_HELD, where the tenant's writes are held."""
        if tenant_id != self._tenant_id:
            await self._turn(tenant_id, _BEGIN_FOR)

    async def follow_tenant(self, tenant_id: str) -> bool:
        """Turns a consumer's transaction, whose batch holds several tenants' events, to another; False where nothing of it may
        come to be any more, since it is deleted.
        """
        if self._is_followed is None or tenant_id != self._tenant_id:
            await self.follow_tenant_by(_FOLLOW, tenant_id)
        return bool(self._is_followed)

    async def follow_tenant_by(self, statement: Sql, tenant_id: str, **values: Any) -> Sequence[Any]:
        """As `follow_tenant`, by a statement that tells it as `is_followed`, beside what else it does; its rows."""
        rows = await self._turn(tenant_id, statement, **values)
        self._is_followed = all(row["is_followed"] for row in rows)
        return rows

    async def _settle(self) -> None:
        if self.put_off is not None:
            put_off, self.put_off = self.put_off, None
            await put_off.write(self)

    @asynccontextmanager
    async def gathered(self) -> AsyncIterator[None]:
        """Changes of this block are written together: at its end, or before something is asked of PostgreSQL."""
        if self.gathers:
            yield
            return
        self.gathers = True
        try:
            yield
            await self._settle()
        finally:
            self.gathers, self.put_off = False, None

    async def hold(self, *standings: Standing[Any]) -> None:
        """Until the transaction ends they do not change; those that are not held yet are asked for by one statement."""
        missing = [each for each in standings if (each.key, "held") not in self._known]
        if missing:
            await self._stand(missing, [each.lock(self.tenant_id) for each in missing])
            self._known |= {(each.key, "held"): True for each in missing}

    def knows(self, key: Hashable) -> bool:
        """Whether something was noted in this transaction, and not undone with a savepoint."""
        return key in self._known

    def noted(self, key: Hashable) -> Any:
        return self._known[key]

    def note(self, key: Hashable, value: Hashable) -> None:
        """Remembers what is locked and therefore known until the transaction ends."""
        self._known[key] = value

    async def standing(self, standing: Standing[ValueT]) -> ValueT:
        """As it is, and until the transaction ends it does not change."""
        await self.hold(standing)
        value: ValueT = self._known[standing.key]
        return value

    def add(self, *rows: object) -> None:
        self._session.add_all(rows)

    def adopt(self, rows: Iterable[object]) -> None:
        """Rows that were inserted past this session: from now on their changes are written like those of any other."""
        for row in rows:
            if not isinstance(row, SQLModel):  # what `new_row` made
                continue
            make_transient_to_detached(row)
            self._session.add(row)

    async def flush(self) -> None:
        await self._settle()
        if self._session.new or self._session.dirty or self._session.deleted:
            await self._session.flush()

    async def delete(self, row: object) -> None:
        await self._settle()
        await self._session.delete(row)

    async def refresh(self, row: object) -> None:
        await self._settle()
        await self._session.refresh(row)

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """What happens within is undone if it raises; the transaction goes on."""
        await self._settle()
        known = dict(self._known)
        try:
            async with self._session.begin_nested():
                # SQLAlchemy would set the savepoint before its own next statement only.
                await self._session.connection()
                yield
                await self._settle()
        except BaseException:
            # The locks of the block are gone, and a tenant to which it has turned.
            self.put_off, self._known, self._is_followed = None, known, None
            raise

    async def connection(self) -> AsyncConnection:
        await self._settle()
        return await self._session.connection()


class _TenantSession(Session):
    """`info["tenant_id"]` is the tenant of its transactions, `info["beginning"]` how they begin."""


@event.listens_for(_TenantSession, "after_begin")
def _begin_for_tenant(session: Session, transaction: SessionTransaction, connection: SyncConnection) -> None:
    if not transaction.nested:
        driver = connection.connection.driver_connection
        assert isinstance(driver, TenantConnection)
        driver.next_tenant, driver.next_beginning = session.info["tenant_id"], session.info["beginning"]


def _replace_lost(connection: DBAPIConnection, _record: object, _proxy: object) -> None:
    """What the server has ended is not handed out; that costs no round trip, since the driver has heard of it."""
    driver = connection.driver_connection
    if driver.is_closed():
        raise DisconnectionError


def _set_by_transaction(settings: Mapping[str, str], connection: DBAPIConnection, _record: object) -> None:
    driver = connection.driver_connection
    assert isinstance(driver, TenantConnection)
    driver.local_settings = settings


def storable(text: str) -> str:
    """The text without NUL and lone surrogates, which PostgreSQL cannot hold: for what was not checked where it came in."""
    return text.replace("\0", "\ufffd").encode(errors="replace").decode()


def make_engine(url: str, connect_args: Mapping[str, Any] | None = None, **options: Any) -> AsyncEngine:
    """SQLAlchemy's engine for a `postgresql://` URL, which asyncpg reads itself: sockets, several hosts and `sslmode` as libpq has them."""
    arguments = {"async_creator_fn": partial(connect, url), **(connect_args or {})}
    return create_async_engine("postgresql+asyncpg://", connect_args=arguments, **options)


class Database:
    """One PostgreSQL database, as one role. `by_transaction`: behind a pooler that lends sessions by transaction."""

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 10,
        settings: Mapping[str, str] | None = None,
        command_timeout: float | None = 30,
        by_transaction: bool = False,
    ) -> None:
        wanted = {**SESSION, **(settings or {})}
        self._engine: AsyncEngine = make_engine(
            url,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=10,
            pool_use_lifo=True,
            pool_recycle=_LONGEST_SECONDS,
            pool_pre_ping=False,
            json_deserializer=orjson.loads,  # PostgreSQL spells 1e300 out, and json would make a long integer of it
            hide_parameters=True,  # errors are logged and kept with parked events; parameters are personal data
            connect_args={
                "connection_class": TenantConnection,
                "timeout": 10,
                "command_timeout": command_timeout,
                "server_settings": startup(wanted, by_transaction=by_transaction),
            },
        )
        event.listen(self._engine.sync_engine, "checkout", _replace_lost)
        if by_transaction:
            local = by_transaction_settings(wanted)
            event.listen(self._engine.sync_engine, "connect", partial(_set_by_transaction, local))
        self.surplus = Surplus(self._engine)
        self.standings = StandingCache()
        self._read_engine = self._engine.execution_options(postgresql_readonly=True)

    def meter(self, service: str, pool: str) -> None:
        """From now on metrics tell how many of its connections are in use."""
        found = self.surplus.pool
        metrics.POOL_LIMIT.labels(service, pool).set(found.size())
        metrics.POOL_CONNECTIONS.labels(service, pool, "in_use").set_function(found.checkedout)
        metrics.POOL_CONNECTIONS.labels(service, pool, "idle").set_function(found.checkedin)

    def _session(self, engine: AsyncEngine, tenant_id: str | None, beginning: Beginning) -> AsyncSession:
        return AsyncSession(
            engine,
            sync_session_class=_TenantSession,
            info={"tenant_id": tenant_id, "beginning": beginning},
            expire_on_commit=False,
            autoflush=False,
        )

    @asynccontextmanager
    async def read(self, tenant_id: str | None) -> AsyncIterator[ReadSession]:
        async with self._session(self._read_engine, tenant_id, "read") as session:
            yield ReadSession(session, tenant_id, self.standings)

    @asynccontextmanager
    async def write(self, tenant_id: str | None, *, always: bool = False) -> AsyncIterator[WriteSession]:
        """Commits when the block ends; rolls back if it raises.

        The first statement raises DBAPIError, of SQLSTATE TENANT_HELD, where the tenant's writes are held. `always`: not where it
        is read-only: for what follows from writes that were acknowledged, or writes down what has happened outside.
        """
        beginning: Beginning = "always" if always else "write"
        async with self._session(self._engine, tenant_id, beginning) as session, session.begin():
            writing = WriteSession(session, tenant_id, self.standings)
            yield writing
            await writing.flush()

    async def ping(self) -> None:
        """Raises if the database does not answer."""
        async with self._engine.connect() as connection:
            await connection.execute(text("select 1"))

    @property
    def engine(self) -> AsyncEngine:
        return self._engine

    async def close(self) -> None:
        await self._engine.dispose()
