"""Nobody finds a customer whom they may not see, nor by what they may not see of one."""

import asyncio
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import pytest_asyncio
from crm_contracts.ids import UserId
from crm_kit.rights import Rights
from crm_kit.rights.grants import ACTIONS, Access, Grant, Level
from gateway.features.customers.projection import project

Stack = Any
"""The fixture of conftest.py, whose class cannot be imported from there."""

ALL: dict[str, Access] = dict.fromkeys(("open", "personal", "commercial", "private"), "write")
BUSINESS = frozenset({"customers", "contacts", "accounts", "orders", "invoices", "tickets"})

SECRETS = {
    "name": "欧阳晓梅",
    "pinyin": "ouyangxiaomei",
    "email": "xiaomei@example.com",
    "phone": "13800138000",
    "wechat": "wx-mei",
    "external_id": "ERP-4711",
    "company": "云帆科技",
    "domain": "yunfan.cn",
    "account_phone": "61234567",
    "account_id": "KH-0815",
    "order": "SO-7781",
    "invoice": "INV-5512",
    "ticket": "31337",
}
"""What is searched for, by where it stands."""


@dataclass
class Office:
    stack: Any
    tenant_id: str
    me: str
    contact_id: str
    account_id: str

    def client(self, *grants: Grant, scopes: frozenset[str] | None = None) -> httpx.AsyncClient:
        options: dict[str, Any] = {} if scopes is None else {"scopes": scopes}
        if grants:
            options["rights"] = Rights(self.me, (), grants, admin=False)
        return self.stack.gateway.tenant(self.tenant_id, **options).client

    async def found(self, client: httpx.AsyncClient) -> dict[str, set[str]]:
        """By what is searched for, who is found: `contact`, `account`."""
        told = {}
        for what, q in SECRETS.items():
            for part in {q, q[1:], q[:-1]} if what not in ("ticket", "pinyin") else {q}:
                answer = await client.get("/v1/customers", params={"q": part})
                assert answer.status_code == 200, answer.text
                assert answer.json()["partial"] == []
                kinds = {self.kinds[item["id"]] for item in answer.json()["data"]}
                assert told.setdefault(what, kinds) == kinds, (what, part)
        return told

    @property
    def kinds(self) -> dict[str, str]:
        return {self.contact_id: "contact", self.account_id: "account"}


async def found_by(client: httpx.AsyncClient, q: str) -> bool:
    return bool((await client.get("/v1/customers", params={"q": q})).json()["data"])


def grant(level: Level, resources: frozenset[str] = BUSINESS, **fields: Access) -> Grant:
    return Grant(resources, frozenset(ACTIONS), level, fields)


EVERYTHING = {what: {"contact"} for what in SECRETS} | {
    "company": {"contact", "account"}, "domain": {"account"}, "account_phone": {"account"}, "account_id": {"account"},
}  # fmt: skip
NOTHING: dict[str, set[str]] = {what: set() for what in SECRETS}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def office(stack: Stack) -> Office:
    tenant, world = stack.tenant()
    me = UserId.new()
    account = world.create("account", name="云帆科技", domain="yunfan.cn", phone="+862161234567", owner_id=me,
                           external_ids={"erp": "KH-0815"})  # fmt: skip
    contact = world.create(
        "contact", full_name="欧阳晓梅", wechat="wx-mei", external_ids={"erp": "ERP-4711"}, account_id=account["id"],
        emails=[{"address": "xiaomei@example.com", "primary": True, "verified": False}], owner_id=me,
        phones=[{"number": "+8613800138000", "label": None}],
    )  # fmt: skip
    world.create("order", number="SO-7781", contact_id=contact["id"])
    world.create("invoice", number="INV-5512", contact_id=contact["id"])
    world.create("ticket", number=31337, contact_id=contact["id"])
    other = world.create("contact", full_name="王伟", owner_id=UserId.new())
    await stack.publish(world)
    office = Office(stack, tenant.id, me, contact["id"], account["id"])
    mine = office.client(grant("own", open="read", personal="read"))
    async with asyncio.timeout(30):
        while (
            not all([(await found_by(office.client(), q)) for q in SECRETS.values()])
            or len((await mine.get("/v1/customers")).json()["data"]) != 2
            or len((await office.client().get("/v1/customers")).json()["data"]) != 3
        ):
            await asyncio.sleep(0.05)
    assert other["id"] not in office.kinds
    return office


async def test_who_sees_everything_finds_by_everything(office: Office) -> None:
    for client in (office.client(), office.client(grant("own", **ALL)), office.client(grant("all", **ALL))):
        assert await office.found(client) == EVERYTHING


async def test_who_sees_some_finds_these_alone(office: Office) -> None:
    mine = office.client(grant("own", **ALL))
    assert (await mine.get("/v1/customers", params={"q": "王伟"})).json()["data"] == []
    stranger = Rights(UserId.new(), (), [grant("own", **ALL)], admin=False)
    client = office.stack.gateway.tenant(office.tenant_id, rights=stranger).client
    assert await office.found(client) == NOTHING


@pytest.mark.parametrize("personal", ["masked", "hidden"])
async def test_nobody_finds_by_what_is_masked_or_hidden(office: Office, personal: Access) -> None:
    client = office.client(grant("own", open="read", commercial="read", personal=personal))
    seen = {"company", "domain", "account_id", "order", "invoice", "ticket"}
    assert await office.found(client) == NOTHING | {what: EVERYTHING[what] for what in seen}


async def test_what_is_clear_in_ones_own_and_masked_in_others_counts_by_record(office: Office) -> None:
    grants = [grant("own", **ALL), grant("all", open="read", personal="masked")]
    client = office.client(*grants)
    assert await office.found(client) == EVERYTHING
    for q in ("王伟", "王", "wangwei", "ww"):
        assert (await client.get("/v1/customers", params={"q": q})).json()["data"] == []
    stranger = Rights(UserId.new(), (), grants, admin=False)
    client = office.stack.gateway.tenant(office.tenant_id, rights=stranger).client
    seen = {"company", "domain", "order", "invoice", "ticket"}
    assert await office.found(client) == NOTHING | {what: EVERYTHING[what] for what in seen}


async def test_commercial_members_count_where_they_are_seen(office: Office) -> None:
    found = await office.found(office.client(grant("all", open="read", personal="read")))
    assert found == EVERYTHING | {"account_id": set()}


async def test_a_resource_that_is_not_seen_finds_nobody(office: Office) -> None:
    for missing, lost in (
        ("orders", {"order": set()}),
        ("invoices", {"invoice": set()}),
        ("tickets", {"ticket": set()}),
        ("accounts", {"company": set(), "domain": set(), "account_phone": set(), "account_id": set()}),
    ):
        others = BUSINESS - {missing}
        scopes = frozenset(f"{each}:read" for each in others)
        for client in (office.client(grant("all", others, **ALL)), office.client(scopes=scopes)):
            assert await office.found(client) == EVERYTHING | lost, missing


async def test_a_grant_under_a_condition_counts_where_it_holds(office: Office) -> None:
    everybody = grant("all", open="read", personal="masked")
    for stage, found in (("lead", EVERYTHING), ("customer", None)):
        where = {"field": "lifecycle_stage", "op": "eq", "value": stage}
        clear = Grant(frozenset({"contacts"}), frozenset({"read"}), "all", {"open": "read", "personal": "read"}, where)
        told = await office.found(office.client(everybody, clear))
        assert (told["name"], told["phone"]) == (({"contact"},) * 2 if found else (set(),) * 2)


async def test_how_many_have_what_is_masked_is_not_told(stack: Stack) -> None:
    tenant, world = stack.tenant()
    for number in range(700):
        phones = [{"number": f"+86138{number:08d}", "label": None}]
        world.create("contact", full_name="王伟", phones=phones)
    async with stack.gateway.runtime.database.write(tenant.id) as session:
        await project(session, [event for _, event in world.events])
    for personal, partial in (("read", ["common"]), ("masked", []), ("hidden", [])):
        rights = Rights(UserId.new(), (), [grant("all", open="read", personal=personal)], admin=False)
        client = stack.gateway.tenant(tenant.id, rights=rights).client
        for q in ("王伟", "8613800", "wangwei", "伟 13800", "王"):
            answer = (await client.get("/v1/customers", params={"q": q})).json()
            assert (answer["partial"], bool(answer["data"])) == (partial, bool(partial)), (personal, q)


async def test_a_kind_that_may_not_be_read_is_refused(office: Office) -> None:
    client = office.client(scopes=frozenset({"customers:read", "contacts:read"}))
    assert (await client.get("/v1/customers", params={"q": "云", "kind": "account"})).status_code == 403
    assert (await office.client(scopes=frozenset({"contacts:read"})).get("/v1/customers?q=x")).status_code == 403


async def test_who_is_found_is_told_in_the_audit_log(office: Office) -> None:
    rights = Rights(UserId.new(), (), [grant("all", **ALL)], admin=True)
    client = office.stack.gateway.tenant(office.tenant_id, rights=rights).client
    [item] = (await client.get("/v1/customers", params={"q": "晓梅"})).json()["data"]
    log = office.stack.gateway.tenant(office.tenant_id, scopes=frozenset({"admin", "read"}))
    entries = await log.read("/internal/audit-log", action="read")
    assert [e["entity_id"] for e in entries["data"] if e["actor"] == rights.user_id] == [item["id"]]
