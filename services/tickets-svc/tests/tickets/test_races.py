"""Many at once: numbers without gaps, messages counted exactly."""

import asyncio

from crm_kit.http.principal import Principal
from crm_testkit.service import ServiceUnderTest
from tickets_svc.features.tickets.schemas import TicketWrite
from tickets_svc.features.tickets.usecases import create_ticket


class _GivenUp(Exception):
    """A request that fails after its ticket had a number."""


async def _fail_after_numbering(service: ServiceUnderTest, tenant_id: str, pause: float) -> None:
    caller = Principal("key_test", tenant_id)
    async with service.runtime.database.write(tenant_id) as session:
        await create_ticket(session, TicketWrite(subject="never"), caller)
        await asyncio.sleep(pause)
        raise _GivenUp


async def test_numbers_have_no_gaps_whoever_comes_and_whoever_fails(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    creates = [tenant.create("/v1/tickets", subject=f"ticket {index}") for index in range(20)]
    failures = [_fail_after_numbering(service, tenant.id, 0.01 * index) for index in range(4)]
    async with asyncio.timeout(30):
        results = await asyncio.gather(*failures, *creates, return_exceptions=True)
    tickets = [result for result in results if isinstance(result, dict)]
    assert sum(isinstance(result, _GivenUp) for result in results) == 4
    assert sorted(ticket["number"] for ticket in tickets) == list(range(1, 21))
    assert (await tenant.create("/v1/tickets", subject="next"))["number"] == 21


async def test_concurrent_messages_are_all_counted_in_order(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    ticket = await tenant.create("/v1/tickets", subject="busy", status="solved")
    path = f"/v1/tickets/{ticket['id']}"
    authors = [{"kind": kind} for kind in ("contact", "user")] * 10
    written = await asyncio.gather(
        *(tenant.create(f"{path}/messages", body=str(i), author=author) for i, author in enumerate(authors))
    )
    after = await tenant.read(path)
    assert (after["message_count"], after["version"], after["reopened_count"]) == (20, 21, 1)
    assert after["status"] == "open"
    times = sorted(message["at"] for message in written)
    assert after["last_message_at"] == times[-1]
    assert after["first_responded_at"] == min(m["at"] for m in written if m["author"]["kind"] == "user")

    events = await service.events("crm.tickets.ticket", key=ticket["id"], at_least=21)
    assert [event.sequence for event in events] == list(range(1, 22))
    assert [(event.entity or {})["message_count"] for event in events] == list(range(21))
    assert [(event.entity or {})["last_message_at"] for event in events[1:]] == times


async def test_a_ticket_is_solved_once_however_many_ask(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    ticket = await tenant.create("/v1/tickets", subject="eager")
    path = f"/v1/tickets/{ticket['id']}"
    answers = await asyncio.gather(
        *(tenant.client.post(f"{path}/solve", json={"message": {"body": "done"}}) for _ in range(8))
    )
    assert {(answer.status_code, answer.headers["etag"]) for answer in answers} == {(200, '"2"')}
    assert (await tenant.read(path))["message_count"] == 1
    retried = [
        await tenant.client.post("/v1/tickets", json={"subject": "k"}, headers={"Idempotency-Key": "k1"}) for _ in "ab"
    ]
    assert retried[0].json() == retried[1].json()
    assert (await tenant.create("/v1/tickets", subject="next"))["number"] == 3
