"""A change on the fast path comes to what the ordinary one comes to, whoever else changes the record meanwhile."""

import asyncio
import json
import re
from typing import Any, TypeAlias

import asyncpg
import pytest
from crm_contracts.registry import CONTACT
from crm_testkit.conformance.entities import told
from crm_testkit.service import ServiceUnderTest

_SLOWLY = {"Range": "bytes=0-"}
"""Nobody here heeds a Range; a request with one takes the ordinary path."""

_PATCHES: list[dict[str, Any]] = [
    {"full_name": "欧阳 晓梅"},
    {"first_name": "晓梅", "last_name": "欧阳"},
    {"emails": [{"address": "Mei@Example.com"}, {"address": "mei@example.org", "primary": True}]},
    {"phones": [{"number": "138 0000 1234", "label": "work"}], "wechat": "mei"},
    {"tags": ["vip", "vip", "展会"], "source": "shop", "language": "zh-CN"},
    {"address": {"city": "杭州", "country": "CN"}, "birthday": "1990-02-28"},
    {"address": {"city": None, "street": "文三路 1 号"}},
    {"lifecycle_stage": "customer"},
    {"do_not_contact": True, "owner_id": "user_01jd3zq8w9e2vbx7k5m4n6p8qr"},
    {"tags": [], "phones": [], "birthday": None, "wechat": None},
    {},
    {"full_name": "欧阳 晓梅"},
    {"title": "经理\\ud83d\\ude00"},
]

_BODIES = [
    b"[]",
    b"null",
    b"{",
    b"\xff",
    b"{}",
    b'{"full_name": 1, "colour": "red"}',
    b'{"title": "a", "title": "b"}',
    b'{"title": "a\\u0000"}',
    b'{"phones": [{"number": "123"}]}',
    b'{"account_id": "account_01jd3zq8w9e2vbx7k5m4n6p8qr"}',
    b'{"lifecycle_stage": "nonsense"}',
    b'{"full_name": null, "emails": null}',
    '{"title": "经理"}'.encode(),
    '{"title": "经理"}'.encode(),
]
_HEADERS: list[dict[str, str]] = [
    {},
    {"If-Match": '"1"'},
    {"If-Match": '"9"'},
    {"If-Match": "malformed"},
    {"If-Match": "*"},
    {"Accept-Language": "zh-CN"},
    {"Content-Type": "application/merge-patch+json"},
    {"Content-Type": "text/plain"},
]
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]+(Z|\+00:00)")
_OF_ITS_OWN = frozenset({"id", "tenant_id", "created_at", "updated_at", "consistency-token", "lifecycle_changed_at"})

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


def _alike(members: Any) -> Any:
    """But for moments, which are everybody's own."""
    kept = {name: value for name, value in members.items() if name not in _OF_ITS_OWN}
    return json.loads(_MOMENT.sub("then", json.dumps(kept)))


async def _row(superuser: Connection, contact: str) -> Any:
    found = await superuser.fetchval("select to_jsonb(c)::text from contact c where id = $1", contact)
    return _alike(json.loads(found))


async def test_a_row_comes_to_the_same(service: ServiceUnderTest, superuser: Connection) -> None:
    tenant = service.tenant()
    fast, ordinary = [(await tenant.create("/v1/contacts", full_name="王伟"))["id"] for _ in range(2)]
    for patch in _PATCHES:
        one = await tenant.client.patch(f"/v1/contacts/{fast}", json=patch)
        other = await tenant.client.patch(f"/v1/contacts/{ordinary}", json=patch, headers=_SLOWLY)
        assert (one.status_code, _alike(one.json())) == (200, _alike(other.json())), patch
        assert await _row(superuser, fast) == await _row(superuser, ordinary), patch
    entries = [(await tenant.read("/internal/audit-log", entity_id=each))["data"] for each in (fast, ordinary)]
    told_of = ("action", "version", "changes")
    changes = [[_alike({name: each[name] for name in told_of}) for each in some] for some in entries]
    assert changes[0] == changes[1]
    assert len(changes[0]) > 8


@pytest.mark.parametrize("headers", _HEADERS, ids=str)
async def test_a_change_is_told_the_same(service: ServiceUnderTest, headers: dict[str, str]) -> None:
    """Two tenants, one on each path."""
    tenants = [service.tenant() for _ in range(2)]
    ids = [(await tenant.create("/v1/contacts", full_name="王伟"))["id"] for tenant in tenants]
    nobody = "contact_01jd3zq8w9e2vbx7k5m4n6p8qr"
    for body in _BODIES:
        for fast, ordinary in (ids, (nobody, nobody), ("a%00b", "a%00b")):
            sent = {"Content-Type": "application/json", **headers}
            one = await tenants[0].client.patch(f"/v1/contacts/{fast}", content=body, headers=sent)
            other = await tenants[1].client.patch(f"/v1/contacts/{ordinary}", content=body, headers=sent | _SLOWLY)
            assert _told(one, fast) == _told(other, ordinary), (body, fast)


def _told(answer: Any, contact: str) -> Any:
    status, headers, body = told(answer)
    parts = [_alike(part) if isinstance(part, dict) else part for part in (headers, body)]
    return json.loads(json.dumps([status, parts]).replace(contact, "contact"))


async def test_a_change_takes_its_permission(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    contact = await tenant.create("/v1/contacts", full_name="王伟")
    reader = service.tenant(tenant.id, scopes=frozenset({"read"})).client
    answer = await reader.patch(f"/v1/contacts/{contact['id']}", json={"title": "a"})
    assert (answer.status_code, answer.json()["missing_permission"]) == (403, "contacts:update")
    stranger = await service.tenant().client.patch(f"/v1/contacts/{contact['id']}", json={"title": "a"})
    assert stranger.status_code == 404
    assert await tenant.read(f"/v1/contacts/{contact['id']}") == contact


async def test_changes_of_one_moment_are_made_one_after_the_other(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    contact = await tenant.create("/v1/contacts", full_name="王伟")
    path = f"/v1/contacts/{contact['id']}"
    answers = await asyncio.gather(*(tenant.client.patch(path, json={"title": f"T{n}"}) for n in range(30)))
    made = sorted((answer.json() for answer in answers), key=lambda each: int(each["version"]))
    assert [each["version"] for each in made] == list(range(2, 32))
    assert await tenant.read(path) == made[-1]
    events = [each for each in await service.events(CONTACT.name, at_least=31) if each.subject == contact["id"]]
    assert [each.sequence for each in events] == list(range(1, 32))
    assert [each.entity["title"] for each in events if each.entity][1:] == [each["title"] for each in made]
    entries = (await tenant.read("/internal/audit-log", entity_id=contact["id"], limit=100))["data"]
    assert sorted(each["version"] for each in entries) == list(range(1, 32))


async def test_what_is_written_without_a_version_meanwhile_stays(
    service: ServiceUnderTest, superuser: Connection
) -> None:
    """The change has read the row before, and waits for its lock."""
    tenant = service.tenant()
    contact = await tenant.create("/v1/contacts", full_name="王伟")
    path = f"/v1/contacts/{contact['id']}"
    await tenant.client.patch(path, json={"title": "a"})
    transaction = superuser.transaction()
    await transaction.start()
    await superuser.execute("update contact set source = 'fair' where id = $1", contact["id"])
    change = asyncio.create_task(tenant.client.patch(path, json={"title": "b"}))
    waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    async with asyncio.timeout(10):
        while not await superuser.fetchval(waiting):
            await asyncio.sleep(0.01)
    await transaction.commit()
    answer = (await change).json()
    assert (answer["title"], answer["source"], answer["version"]) == ("b", "fair", 3)


async def test_what_postgresql_refuses_changes_nothing(service: ServiceUnderTest, superuser: Connection) -> None:
    tenant = service.tenant()
    contact = await tenant.create("/v1/contacts", full_name="王伟")
    await superuser.execute(
        f"alter table contact add constraint of_a_test check (tenant_id <> '{tenant.id}' or title is distinct from 'no')"
    )
    try:
        answers = [
            await tenant.client.patch(f"/v1/contacts/{contact['id']}", json={"title": "no"}, headers=headers)
            for headers in ({}, _SLOWLY)
        ]
    finally:
        await superuser.execute("alter table contact drop constraint of_a_test")
    assert answers[0].status_code == answers[1].status_code >= 400
    assert await tenant.read(f"/v1/contacts/{contact['id']}") == contact
