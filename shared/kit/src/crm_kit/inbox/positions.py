"""A consumer's positions in its own database: moved in the transaction of the effects, and fenced."""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import select, tuple_

from crm_kit.bus.port import TopicPartition
from crm_kit.db.session import Database, WriteSession
from crm_kit.db.sql import Sql
from crm_kit.inbox.tables import CONSUMER_POSITION

_ADVANCE = Sql(
    """
    insert into consumer_position as p (consumer, topic, partition, next_offset)
    select cast(:consumer as text), n.topic, n.partition, n.next_offset
      from unnest(cast(:topics as text[]), cast(:partitions as int[]), cast(:offsets as bigint[]))
           as n(topic, partition, next_offset)
     order by 1, 2, 3
    on conflict (consumer, topic, partition) do update set next_offset = excluded.next_offset
     where p.next_offset = (
           select e.expected
             from unnest(cast(:topics as text[]), cast(:partitions as int[]), cast(:expected as bigint[]))
                  as e(topic, partition, expected)
            where e.topic = p.topic and e.partition = p.partition)
    returning p.topic, p.partition, (select follow_tenant(:tenant_id)) as is_followed
    """
)


class Fenced(Exception):
    """Somebody else has moved a position: another member of the group took the partition over."""

    def __init__(self, partitions: Sequence[TopicPartition]) -> None:
        super().__init__(f"positions were moved by another consumer: {partitions}")
        self.partitions = partitions


class StoredPositions:
    """What this consumer believes of its positions, and the row that decides."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._believed: dict[TopicPartition, int] = {}

    async def load(self, group: str, partitions: Iterable[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Reads the stored positions; from then on this consumer believes them."""
        wanted = list(partitions)
        table = CONSUMER_POSITION.c
        keys = [(tp.topic, tp.partition) for tp in wanted]
        async with self._database.read(None) as session:
            rows = await session.execute(
                select(table.topic, table.partition, table.next_offset).where(
                    table.consumer == group, tuple_(table.topic, table.partition).in_(keys)
                )
            )
            found = {TopicPartition(row.topic, row.partition): int(row.next_offset) for row in rows}
        for tp in wanted:
            self._believed[tp] = found.get(tp, 0)
        return found

    async def advance(
        self, session: WriteSession, group: str, positions: Mapping[TopicPartition, int], tenant_id: str
    ) -> None:
        """Moves the positions within the transaction of `session`, and turns that to a tenant as `follow_tenant` does.

        Raises Fenced if one is not where we left it.
        """
        order = sorted(positions, key=lambda tp: (tp.topic, tp.partition))
        rows = await session.follow_tenant_by(
            _ADVANCE,
            tenant_id,
            consumer=group,
            topics=[tp.topic for tp in order],
            partitions=[tp.partition for tp in order],
            offsets=[positions[tp] for tp in order],
            expected=[self._believed.get(tp, 0) for tp in order],
        )
        moved = {TopicPartition(row["topic"], row["partition"]) for row in rows}
        if missed := [tp for tp in order if tp not in moved]:
            raise Fenced(missed)

    def committed(self, positions: Mapping[TopicPartition, int]) -> None:
        """The transaction that advanced them was committed."""
        self._believed.update(positions)
