"""Creations of one moment are written by one statement; each is told its own, once."""

import asyncio
from collections import Counter

import asyncpg
import httpx
from crm_contracts.ids import TeamId
from crm_contracts.registry import CONTACT
from crm_testkit.service import ServiceUnderTest, Tenant


async def _post(tenant: Tenant, body: dict[str, object], **headers: str) -> httpx.Response:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return await tenant.client.post("/v1/contacts", json=body, headers=sent)


async def test_each_is_its_own(service: ServiceUnderTest) -> None:
    tenants = [service.tenant() for _ in range(2)]
    answers = await asyncio.gather(
        *(
            _post(
                tenants[number % 2],
                {"full_name": f"客户 {number}", "emails": [{"address": f"c{number}@example.com"}]},
                X_Request_Id=f"request-{number}",
                **({"Idempotency_Key": f"k-{number}"} if number % 3 else {}),
            )
            for number in range(60)
        )
    )
    assert {answer.status_code for answer in answers} == {201}
    made = [answer.json() for answer in answers]
    assert len({one["id"] for one in made}) == 60
    events = Counter(event.subject for event in await service.events(CONTACT.name, at_least=60))
    for number, one in enumerate(made):
        tenant, other = tenants[number % 2], tenants[1 - number % 2]
        assert one["full_name"] == f"客户 {number}"
        assert await tenant.read(f"/v1/contacts/{one['id']}") == one
        assert (await other.client.get(f"/v1/contacts/{one['id']}")).status_code == 404
        assert events[one["id"]] == 1
        (entry,) = (await tenant.read("/internal/audit-log", entity_id=one["id"]))["data"]
        assert (entry["request_id"], entry["action"]) == (f"request-{number}", "created")


async def test_one_key_makes_one(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    body: dict[str, object] = {"full_name": "王伟"}
    answers = await asyncio.gather(*(_post(tenant, body, Idempotency_Key="once") for _ in range(20)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} <= {"request_in_progress"}
    (made,) = {answer.content for answer in answers if answer.status_code == 201}
    again = await _post(tenant, body, Idempotency_Key="once")
    assert (again.content, again.headers["idempotent-replayed"]) == (made, "true")
    assert (await _post(tenant, {"full_name": "李娜"}, Idempotency_Key="once")).status_code == 422
    assert len((await tenant.read("/v1/contacts"))["data"]) == 1


async def test_a_key_is_free_again_after_its_time(
    service: ServiceUnderTest, superuser: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    tenant = service.tenant()
    first = await _post(tenant, {"full_name": "王伟"}, Idempotency_Key="day")
    await superuser.execute(
        "update idempotency set created_at = now() - interval '25 hours' where tenant_id = $1", tenant.id
    )
    second = await _post(tenant, {"full_name": "李娜"}, Idempotency_Key="day")
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["id"] != second.json()["id"]
    assert (await _post(tenant, {"full_name": "李娜"}, Idempotency_Key="day")).content == second.content


async def test_what_postgresql_refuses_spoils_no_other(
    service: ServiceUnderTest, superuser: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    tenant = service.tenant()
    rule = f"tenant_id <> '{tenant.id}' or title is distinct from 'refused'"
    await superuser.execute(f"alter table contact add constraint of_a_test check ({rule})")
    try:
        titles = ["refused" if number % 10 == 3 else "buyer" for number in range(40)]
        answers = await asyncio.gather(
            *(
                _post(tenant, {"full_name": "王伟", "title": title}, Idempotency_Key=f"k{n}")
                for n, title in enumerate(titles)
            )
        )
    finally:
        await superuser.execute("alter table contact drop constraint of_a_test")
    told = [answer.status_code == 201 for answer in answers]
    assert told == [title == "buyer" for title in titles]
    assert len((await tenant.read("/v1/contacts", limit=200))["data"]) == 36


async def test_a_territory_counts_from_its_change_on(service: ServiceUnderTest) -> None:
    """What a process knows of territories is never older than what was answered."""
    tenant, team = service.tenant(), TeamId.new()
    where = {"field": "source", "op": "eq", "value": "shop"}
    territory = await tenant.create(
        "/v1/territories", name="Shops", resource="contacts", where=where, team_id=team, active=False
    )
    for active in (True, False) * 4:
        path = f"/v1/territories/{territory['id']}"
        assert (await tenant.client.patch(path, json={"active": active})).status_code == 200
        answers = await asyncio.gather(*(_post(tenant, {"full_name": "王伟", "source": "shop"}) for _ in range(5)))
        assert {answer.json()["team_id"] for answer in answers} == {team if active else None}


async def test_large_ones_are_written_too(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    bodies = [{"full_name": "王伟", "custom": {f"note_{n}": "字" * 4_000 for n in range(size)}} for size in (1, 40) * 5]
    answers = await asyncio.gather(*(_post(tenant, body, Idempotency_Key=f"k{n}") for n, body in enumerate(bodies)))
    assert [answer.json()["custom"] for answer in answers] == [body["custom"] for body in bodies]
