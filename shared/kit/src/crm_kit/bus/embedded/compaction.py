"""Forgetting superseded records of compacted topics, in bounded steps."""

from datetime import timedelta

from crm_kit.bus.embedded.connection import AnyConnection
from crm_kit.bus.port import CompactionPolicy

COMPACTION_LOCK = 0x6576_6C6F_6702
"""Advisory lock of whoever compacts; one process at a time is enough."""

_STEP_RECORDS = 2_000
"""Records looked at per statement: keeps its locks, its WAL and its garbage small."""

_WAITING = """
select p.topic, p.partition, coalesce(c.upto, 0) as upto
from topic_partition p
join topic t on t.name = p.topic and t.compacted
left join compaction c on c.topic = p.topic and c.partition = p.partition
where p.next_offset > coalesce(c.upto, 0)
order by p.topic, p.partition
"""

# Goes over records that no run has looked at yet, oldest first, and stops at the first that is too young: so a young
# record never makes an older one removable. Whatever has a newer record of its key among these goes.
_STEP = """
with looked_at as (
    select "offset", key, at from record
    where topic = $1 and partition = $2 and "offset" >= $3 order by "offset" limit $4
), bound as (
    select coalesce(
        min("offset") filter (where at > clock_timestamp() - $5::interval), max("offset") + 1, $3
    ) as upto from looked_at
), newest as (
    select key, max("offset") as "offset" from looked_at, bound where looked_at."offset" < bound.upto group by key
), gone as (
    delete from record r using newest n
    where r.topic = $1 and r.partition = $2 and r.key = n.key and r."offset" < n."offset" returning 1
), moved as (
    insert into compaction (topic, partition, upto) select $1, $2, upto from bound
    on conflict (topic, partition) do update set upto = excluded.upto
)
select bound.upto, (select count(*) from gone) as removed from bound
"""

# Only below the point that compaction has reached: there a tombstone's older records are already gone.
_TOMBSTONES = """
delete from record r using (
    select t.topic, t.partition, t."offset" from compaction c
    join record t on t.topic = c.topic and t.partition = c.partition and t."offset" < c.upto
    where t.value is null and t.at < clock_timestamp() - $1::interval limit $2
) old
where r.topic = old.topic and r.partition = old.partition and r."offset" = old."offset"
"""


class Compaction:
    """One run over all compacted topics."""

    def __init__(
        self,
        connection: AnyConnection,
        policy: CompactionPolicy,
    ) -> None:
        self._connection = connection
        self._policy = policy

    async def run(self) -> int:
        """Records removed; 0 if another process holds the compaction lock."""
        if not await self._connection.fetchval("select pg_try_advisory_lock($1)", COMPACTION_LOCK):
            return 0
        try:
            # What these find may be nothing or most of the table.
            await self._connection.execute("set plan_cache_mode = force_custom_plan")
            removed = 0
            for row in await self._connection.fetch(_WAITING):
                removed += await self._compact(row["topic"], row["partition"], row["upto"])
            return removed + await self._drop_tombstones(self._policy.tombstone_retention)
        finally:
            if not self._connection.is_closed():
                await self._connection.execute("select pg_advisory_unlock($1)", COMPACTION_LOCK)
                await self._connection.execute("reset plan_cache_mode")

    async def _compact(self, topic: str, partition: int, upto: int) -> int:
        removed = 0
        while True:
            step = await self._connection.fetchrow(_STEP, topic, partition, upto, _STEP_RECORDS, self._policy.min_age)
            if step is None or step["upto"] == upto:
                return removed
            upto, removed = step["upto"], removed + step["removed"]

    async def _drop_tombstones(self, retention: timedelta) -> int:
        removed = 0
        while True:
            status = await self._connection.execute(_TOMBSTONES, retention, _STEP_RECORDS)
            count = int(status.rpartition(" ")[2])
            removed += count
            if count < _STEP_RECORDS:
                return removed
