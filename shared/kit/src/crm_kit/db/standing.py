"""What stands for long and is asked for by nearly every write, as a tenant's rules: kept by the process, checked by the database."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, TypeVar

from crm_kit.db.locks import lock_number
from crm_kit.db.sql import Sql

if TYPE_CHECKING:
    from crm_kit.db.session import ReadSession

_MOST_KEPT: Final = 10_000

ValueT = TypeVar("ValueT")


@dataclass(frozen=True)
class Standing(Generic[ValueT]):
    """`space`: who changes it holds `lock_keys(session, space, [""])`. `of`: which of those that are changed under one lock.

    `function`: in the database (`migration_ops.add_mark`), tells by which mark it stands and shares the lock until the
    transaction ends; for who only wants to know what the process knows it takes none. `load` reads it.

    A write asks for several in one order, first for what the others speak of: it is that of their locks.
    """

    space: str
    of: str
    function: str
    load: Callable[["ReadSession"], Awaitable[ValueT]]

    def lock(self, tenant_id: str) -> int:
        return lock_number(tenant_id, self.space, "")

    @property
    def key(self) -> tuple[str, str]:
        """By which a transaction, and for each tenant a process, knows it."""
        return self.space, self.of


class Kept(NamedTuple):
    mark: str
    value: Any


class StandingCache:
    """Of one process: for each tenant what it knew last."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, tuple[str, str]], Kept] = OrderedDict()

    def get(self, tenant_id: str, standing: Standing[Any]) -> Kept | None:
        return self._kept.get((tenant_id, standing.key))

    def keep(self, tenant_id: str, standing: Standing[Any], kept: Kept) -> None:
        key = (tenant_id, standing.key)
        self._kept[key] = kept
        self._kept.move_to_end(key)
        while len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)


@cache
def marks_of(functions: tuple[str, ...]) -> Sql:
    """The marks of several, `mark_0` and on; PostgreSQL works them out, and takes their locks, from left to right."""
    marks = (f"{name}(:tenant, :lock_{n}, :of_{n}) as mark_{n}" for n, name in enumerate(functions))
    return Sql(f"select {', '.join(marks)}")  # names of our own
