"""Waking readers with NOTIFY: one channel for new records (payload: topics), one for changed groups (payload: group)."""

from collections.abc import Iterable, Sequence

from crm_kit.bus.embedded.connection import AnyConnection

RECORDS_CHANNEL = "event_log_records"
GROUPS_CHANNEL = "event_log_groups"


async def announce(
    connection: AnyConnection,
    *,
    topics: Iterable[str] = (),
    group: str | None = None,
) -> None:
    """Wake the readers of `topics`, or the members of `group`.

    In a transaction of its own that does not wait for the disk: NOTIFY holds a lock of the whole server until its
    transaction has ended, and would otherwise line up all publishers, and the services' own commits, behind fsync.
    """
    if group is not None:
        channel, payloads = GROUPS_CHANNEL, [group]
    else:
        channel, payloads = RECORDS_CHANNEL, sorted(topics)
    await connection.execute(_announcement(channel, payloads))


def _announcement(channel: str, payloads: Sequence[str]) -> str:
    # Several statements in one message are one transaction and one round trip; they take no parameters.
    quoted = (payload.replace("'", "''") for payload in payloads)
    return "; ".join(["set local synchronous_commit = off", *(f"notify {channel}, '{text}'" for text in quoted)])
