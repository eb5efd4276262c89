"""Reads what there is in the end: the services' lists, the log, the views, a local copy, the mail."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import asyncpg
import httpx
from crm_contracts.envelope import Event
from crm_contracts.registry import TOPICS
from crm_kit.bus import EventLogError

from crm_testkit.chaos.backlog import Backlog, check_backlog
from crm_testkit.chaos.checker import Anomaly, EndState, check
from crm_testkit.chaos.history import MARKED, History
from crm_testkit.chaos.mail_sink import MailSink
from crm_testkit.chaos.mailings import Mailings, check_mail
from crm_testkit.chaos.stack import DATABASE_FAULTS, ChaosStack
from crm_testkit.writers import read_all

_AT_ONCE: Final = 8
_ENTITIES: Final = ("contact", "deal", "order", "ticket", "activity")


@dataclass(frozen=True, slots=True)
class Told:
    """What one tenant's clients did and were told."""

    history: History
    mailings: Mailings


@dataclass(slots=True)
class Verdicts:
    """What the checker found, in how many messages and mails."""

    anomalies: list[Anomaly] = field(default_factory=list)
    messages: int = 0
    mails: int = 0


class SeenLog:
    """All that was ever read of the log: what compaction forgets between two looks stays."""

    def __init__(self, stack: ChaosStack) -> None:
        self._stack = stack
        self._seen: dict[tuple[str, int, int], Event] = {}

    async def look(self) -> list[Event]:
        """Everything until now, of each key in the log's order; asked again while the log is coming back."""
        async with asyncio.timeout(60):
            while True:
                try:
                    await self._read()
                    return [self._seen[place] for place in sorted(self._seen)]
                except EventLogError:
                    await asyncio.sleep(0.5)

    async def _read(self) -> None:
        log = self._stack.event_log()
        await log.start()
        try:
            for topic in [topic.name for topic in TOPICS if topic.entity in _ENTITIES]:
                for record in await read_all(log, topic, group=f"checker-{topic}"):
                    place = (record.topic, record.partition, record.offset)
                    self._seen[place] = Event.parse(record.headers, record.value)
        finally:
            await log.close()


async def verdicts(
    stack: ChaosStack,
    told: Mapping[str, Told],
    sink: MailSink | None,
    backlogs: Sequence[Backlog],
    seconds: float,
    log: SeenLog | None = None,
) -> Verdicts:
    """What the checker finds of the tenants, by API key, once the stack has had time to come to rest.

    What is on its way is no anomaly: as long as anything is found, it is looked at again, for so many seconds. Without a
    sink nobody looks at mail. `log`: of somebody who has looked before compaction forgot anything.
    """
    log = log or SeenLog(stack)
    end = time.monotonic() + seconds
    while True:
        verdict = Verdicts()
        found = verdict.anomalies
        events = await log.look()
        for key, each in told.items():
            history = each.history
            mine = [event for event in events if event.tenant_id == history.tenant_id]
            found += check(history, await _state(stack, key, history.tenant_id, mine))
            if sink is not None:
                await _mail(stack, key, each.mailings, sink, verdict)
        known = {each.history.tenant_id for each in told.values()}
        marks = {write.mark: write.tenant_id for each in told.values() for write in each.history.writes}
        found += _foreign(events, known, marks)
        for backlog in backlogs:
            found += await check_backlog(stack, backlog)
        if not found or time.monotonic() > end:
            return verdict
        await asyncio.sleep(1)


async def _mail(stack: ChaosStack, key: str, mailings: Mailings, sink: MailSink, verdict: Verdicts) -> None:
    async with _client(stack, key) as client:
        messages = [message async for message in _listed(client, "/v1/messages")]
    mine = {str(message["id"]) for message in messages}
    taken = {
        message_id: [recipient for delivery in deliveries for recipient in delivery.recipients]
        for message_id, deliveries in sink.by_message().items()
    }
    rows = await _fetch(
        stack, "select contact_id from consent_copy where tenant_id = $1 and status = 'withdrawn'", mailings.tenant_id
    )
    withdrawn = frozenset(row["contact_id"] for row in rows)
    verdict.anomalies += check_mail(mailings, messages, taken, withdrawn)
    verdict.messages += len(messages)
    verdict.mails += sum(len(taken[message_id]) for message_id in mine & set(taken))


async def newest_consent(stack: ChaosStack, contact_id: str) -> str | None:
    """The status of the contact's newest consent as campaigns-svc has it; None also while the database is away."""
    statement = "select status from consent_copy where contact_id = $1 order by at desc, number desc limit 1"
    try:
        rows = await _fetch(stack, statement, contact_id)
    except DATABASE_FAULTS:
        return None
    return str(rows[0]["status"]) if rows else None


def _client(stack: ChaosStack, key: str) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.AsyncClient(base_url=stack.urls["gateway"], headers=headers, timeout=30)


def _foreign(events: Sequence[Event], known: set[str], marks: Mapping[str, str]) -> list[Anomaly]:
    """Events that carry one tenant's mark under another tenant's name."""
    found = []
    for event in events:
        if event.tenant_id in known and event.entity_type in _ENTITIES and event.entity is not None:
            mark = str(event.entity[MARKED[_plural(event.entity_type)]])
            if marks.get(mark, event.tenant_id) != event.tenant_id:
                found.append(Anomaly("cross-tenant", "the log", f"{event.subject} under {event.tenant_id}"))
    return found


def _plural(entity: str) -> str:
    return "activities" if entity == "activity" else f"{entity}s"


async def _state(stack: ChaosStack, key: str, tenant_id: str, events: Sequence[Event]) -> EndState:
    async with _client(stack, key) as client:
        entities = {
            resource: {entity["id"]: entity async for entity in _listed(client, f"/v1/{resource}")}
            for resource in MARKED
        }
        ever = {event.subject for event in events if event.entity_type == "contact"} | set(entities["contacts"])
        views = await _views(client, sorted(ever))
    return EndState(entities, events, views, await _copies(stack, tenant_id))


async def _listed(client: httpx.AsyncClient, path: str) -> AsyncIterator[dict[str, Any]]:
    cursor: str | None = None
    while True:
        page = (
            await _get(client, path, {"limit": "200", "sort": "id", **({"cursor": cursor} if cursor else {})})
        ).json()
        for entity in page["data"]:
            yield entity
        cursor = page["next_cursor"]
        if cursor is None:
            return


async def _views(client: httpx.AsyncClient, contact_ids: Sequence[str]) -> dict[str, Any]:
    limit = asyncio.Semaphore(_AT_ONCE)

    async def one(contact_id: str) -> Any:
        async with limit:
            answer = await _get(client, f"/v1/customers/{contact_id}", {})
        return answer.json() if answer.status_code == 200 else None

    found = await asyncio.gather(*(one(contact_id) for contact_id in contact_ids))
    return dict(zip(contact_ids, found, strict=True))


async def _get(client: httpx.AsyncClient, path: str, params: Mapping[str, str]) -> httpx.Response:
    """Repeated while a process is coming back."""
    async with asyncio.timeout(60):
        while True:
            try:
                answer = await client.get(path, params=params)
            except httpx.TransportError:
                await asyncio.sleep(0.1)
                continue
            if answer.status_code in (200, 404, 410):
                return answer
            await asyncio.sleep(0.1)


async def _copies(stack: ChaosStack, tenant_id: str) -> dict[str, tuple[int, bool]]:
    """The contacts that campaigns-svc knows: read as superuser, since no service shows its copies."""
    rows = await _fetch(stack, "select id, version, deleted from contact_copy where tenant_id = $1", tenant_id)
    return {row["id"]: (row["version"], row["deleted"]) for row in rows}


async def _fetch(stack: ChaosStack, statement: str, *values: object) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(stack.database_url("campaigns"), timeout=5)
    try:
        rows: list[asyncpg.Record] = await connection.fetch(statement, *values)
        return rows
    finally:
        await connection.close()
