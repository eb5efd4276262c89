"""What a source calls its records, each by a name that it gives once: external ids and numbers."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from crm_contracts.types import Entity, Input
from crm_kit.db.locks import lock_keys
from crm_kit.db.models import EntityRow, columns
from crm_kit.db.session import WriteSession
from crm_kit.errors import Conflict, Text
from crm_kit.http.principal import Principal
from crm_kit.resources import Matcher, given
from pydantic import JsonValue
from sqlalchemy import ARRAY, any_, literal, select
from sqlalchemy import Text as SqlText

EntityT = TypeVar("EntityT", bound=Entity)

Key = tuple[str | None, str]
"""A source, and the name that it gave."""


@dataclass(frozen=True, slots=True)
class SourceKey:
    """A member by which a source names its records. `space`: of the locks on such names. `taken`: where another has the name;
    its member `holder` names that one. `label`: in Chinese.
    """

    row: type[EntityRow]
    member: str
    space: str
    taken: type[Conflict]
    holder: str
    label: str

    async def find_all(self, session: WriteSession, keys: Sequence[Key]) -> Mapping[Key, Sequence[str]]:
        """Who has these names, which are locked: of two upserts with one of them not both find nobody."""
        await lock_keys(session, self.space, [f"{source or ''}\0{name}" for source, name in keys])
        c = columns(self.row)
        wanted = literal(sorted({name for _, name in keys}), ARRAY(SqlText(collation="C")))
        statement = select(c.id, c.source, c[self.member].label("name")).where(
            c[self.member] == any_(wanted),
            c[self.member].is_not(
                None
            ),  # said, since of an array PostgreSQL does not infer it, and the index is a partial one
        )
        found: dict[Key, list[str]] = {key: [] for key in keys}
        for row in await session.execute(statement):
            if (row.source, row.name) in found:
                found[row.source, row.name].append(row.id)
        for key, holders in found.items():
            session.note((self.space, key), not holders)
        return found

    async def foresee(self, session: WriteSession, keys: Iterable[Key]) -> None:
        """Looks up for all that are about to be claimed what each claim would look up by itself."""
        unknown = [key for key in dict.fromkeys(keys) if not self._is_known_free(session, key)]
        if unknown:
            await self.find_all(session, unknown)

    def _is_known_free(self, session: WriteSession, key: Key) -> bool:
        """Locked, and found to be nobody's in this transaction, in which nobody has claimed it since."""
        return session.knows((self.space, key)) and session.noted((self.space, key)) is True

    async def is_free(self, session: WriteSession, key: Key) -> bool:
        """The name is locked, and if it is free, claimed."""
        is_free = not (await self.find_all(session, [key]))[key]
        session.note((self.space, key), False)
        return is_free

    async def claim(
        self, session: WriteSession, source: str | None, name: str | None, before: Entity | None = None
    ) -> None:
        """Nobody else is given the name until the transaction ends; `before`: who may have it already. Raises `taken`."""
        held = None if before is None else (before.source, getattr(before, self.member))  # type: ignore[attr-defined]  # what has keys has a source
        if name is None or (source, name) == held:
            return
        if self._is_known_free(session, (source, name)):
            session.note((self.space, (source, name)), False)
            return
        holders = (await self.find_all(session, [(source, name)]))[source, name]
        session.note((self.space, (source, name)), False)
        if holders:
            raise self.taken(
                Text(f"{holders[0]} has {name}.", f"{holders[0]} 已使用{self.label} {name}。"),
                members={self.holder: holders[0]},
            )

    def matcher(self, write: type[Input]) -> Matcher[Any]:
        """Upserts by this member, in the source that they name."""

        def keys(data: Mapping[str, JsonValue], _caller: Principal) -> Sequence[Key]:
            sent: Any = given(write, data, self.member, source=data.get("source"), **self._stand_ins(write))
            return [(sent.source, getattr(sent, self.member))]

        def held(one: Any) -> Iterable[Key]:
            name = getattr(one, self.member)
            return [(one.source, name)] if name is not None else []

        return Matcher(keys, self.find_all, held)

    def _stand_ins(self, write: type[Input]) -> Mapping[str, JsonValue]:
        """For what the model requires besides."""
        required = {name for name, field in write.model_fields.items() if field.is_required()}
        return {name: value for name, value in _STAND_INS.items() if name in required}


def external_ids_of(sent: Iterable[Any]) -> Iterator[Key]:
    """Of what is written."""
    return ((each.source, each.external_id) for each in sent if each.external_id is not None)


def numbers_of(sent: Iterable[Any]) -> Iterator[Key]:
    """Those that are given."""
    return ((each.source, each.number) for each in sent if each.number is not None)


_STAND_INS: Mapping[str, JsonValue] = {"name": "-", "amount": {"amount": "0", "currency": "CNY"}}
