"""A relationship is seen by whoever reaches one of its ends, and made between those alone that one sees."""

from typing import Any

from crm_contracts.ids import UserId
from crm_kit.rights import Rights
from crm_kit.rights.grants import ACTIONS, Grant
from crm_testkit.service import ServiceUnderTest, Tenant

_ME, _OTHER = UserId.new(), UserId.new()
_WRITE: Any = dict.fromkeys(("open", "personal", "commercial", "private"), "write")
PATH = "/v1/relationships"


def _me(service: ServiceUnderTest, tenant: Tenant, fields: Any = _WRITE) -> Tenant:
    grant = Grant(frozenset({"contacts", "accounts", "relationships"}), frozenset(ACTIONS), "own", fields)
    return service.tenant(tenant.id, rights=Rights(_ME, (), [grant], admin=False))


async def test_who_reaches_an_end_sees_it(service: ServiceUnderTest, tenant: Tenant) -> None:
    mine = (await tenant.create("/v1/contacts", full_name="王伟", owner_id=_ME))["id"]
    theirs = (await tenant.create("/v1/contacts", full_name="李娜", owner_id=_OTHER))["id"]
    others = (await tenant.create("/v1/contacts", full_name="李雷", owner_id=_OTHER))["id"]
    my_company = (await tenant.create("/v1/accounts", name="Mine", owner_id=_ME))["id"]
    company = (await tenant.create("/v1/accounts", name="Theirs", owner_id=_OTHER))["id"]
    seen = [
        await tenant.create(PATH, contact_id=mine, account_id=company, label="buyer", note="secret"),
        await tenant.create(PATH, contact_id=theirs, account_id=my_company, label="buyer"),
        await tenant.create(PATH, contact_id=theirs, related_contact_id=mine, label="friend"),
    ]
    hidden = await tenant.create(PATH, contact_id=theirs, related_contact_id=others, label="friend")
    me = _me(service, tenant)
    assert {each["id"] for each in (await me.read(PATH))["data"]} == {each["id"] for each in seen}
    for method in ("GET", "PATCH", "DELETE"):
        answer = await me.client.request(method, f"{PATH}/{hidden['id']}", json={} if method == "PATCH" else None)
        assert answer.status_code == 404
    shown = await _me(service, tenant, {"open": "read"}).read(f"{PATH}/{seen[0]['id']}")
    assert "note" not in shown
    assert shown["redacted"] == ["note"]


async def test_nobody_is_told_that_there_is_whom_they_do_not_see(service: ServiceUnderTest, tenant: Tenant) -> None:
    mine = (await tenant.create("/v1/contacts", full_name="王伟", owner_id=_ME))["id"]
    theirs = (await tenant.create("/v1/contacts", full_name="李娜", owner_id=_OTHER))["id"]
    company = (await tenant.create("/v1/accounts", name="Theirs", owner_id=_OTHER))["id"]
    me = _me(service, tenant)
    for end in ({"related_contact_id": theirs}, {"account_id": company}):
        answer = await me.client.post(PATH, json={"contact_id": mine, "label": "friend", **end})
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "not_found")
    my_company = (await me.create("/v1/accounts", name="Mine"))["id"]
    assert (await me.create(PATH, contact_id=mine, account_id=my_company, label="buyer"))["version"] == 1


async def test_another_tenant_sees_none_of_them(service: ServiceUnderTest, tenant: Tenant) -> None:
    contact = (await tenant.create("/v1/contacts", full_name="王伟"))["id"]
    account = (await tenant.create("/v1/accounts", name="Acme"))["id"]
    made = await tenant.create(PATH, contact_id=contact, account_id=account, label="buyer")
    stranger = service.tenant()
    assert (await stranger.read(PATH, contact_id=contact))["data"] == []
    assert (await stranger.client.get(f"{PATH}/{made['id']}")).status_code == 404
