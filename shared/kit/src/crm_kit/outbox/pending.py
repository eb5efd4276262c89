"""What was changed and is still to be written: rows, events, audit entries and shares, of one change or of many together."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import inspect
from sqlalchemy.orm.attributes import flag_modified

from crm_kit.audit.entries import Entry
from crm_kit.bus.port import Record
from crm_kit.db.models import EntityRow
from crm_kit.db.session import WriteSession
from crm_kit.outbox.table import append, insert, insert_and_append
from crm_kit.rights.shares import write_shares
from crm_kit.rights.tables import RECORD_SHARE


@dataclass
class Pending:
    """`inserts`: new rows by their table, each as JSON. `changed`: rows that were read for update.

    `shares`: of new entities and of others, with whom they are shared from now on.
    """

    inserts: dict[type[EntityRow], list[bytes]] = field(default_factory=dict)
    inserted: list[EntityRow] = field(default_factory=list)
    changed: list[EntityRow] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    new_shares: dict[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    shares: dict[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)

    def insert(self, table: type[EntityRow], row: EntityRow, text: bytes) -> None:
        self.inserts.setdefault(table, []).append(text)
        self.inserted.append(row)

    async def write(self, session: WriteSession) -> None:
        """Events are numbered under the locks of their rows, which the flush takes: otherwise two writers may number theirs
        in the wrong order. New rows go in by the same statement: nobody knows them yet.
        """
        for row in self.changed:
            _write_as_spelled(row)
        await session.flush()
        tables = list(self.inserts)
        for table in tables[:-1]:
            await insert(session, table, self.inserts[table])
        if tables:
            await insert_and_append(session, tables[-1], self.inserts[tables[-1]], self.records, self.entries)
        else:
            await append(session, self.records, self.entries)
        session.adopt(self.inserted)
        await write_shares(session, RECORD_SHARE, self.new_shares, fresh=True)
        await write_shares(session, RECORD_SHARE, self.shares)


def _write_as_spelled(row: EntityRow) -> None:
    """SQLAlchemy leaves a column out of its UPDATE where Python calls the old and the new value equal."""
    for name, old in list(inspect(row).committed_state.items()):
        if repr(old) != repr(getattr(row, name)):
            flag_modified(row, name)


@asynccontextmanager
async def pending(session: WriteSession) -> AsyncIterator[Pending]:
    """To add to: written when the block ends, or with what else is gathered."""
    if session.gathers:
        gathered = session.put_off or Pending()
        yield gathered
        session.put_off = gathered
        return
    alone = Pending()
    yield alone
    await alone.write(session)
