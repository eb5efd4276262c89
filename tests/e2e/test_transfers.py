"""Records change hands: a leaver's, those of a condition, with what belongs to them, by who may give them away."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import pytest_asyncio
from crm_testkit.whole_stack import Relata, bearer

Json = dict[str, Any]
TRANSFERS = "/v1/transfers"


@dataclass
class Office:
    client: httpx.AsyncClient
    users: dict[str, str] = field(default_factory=dict)

    async def post(self, path: str, **body: Any) -> Json:
        answer = await self.client.post(path, json=body)
        assert answer.status_code in (200, 201), answer.text
        found: Json = answer.json()
        return found

    async def hire(self, name: str, *roles: str, **more: Any) -> str:
        made = await self.post("/v1/users", name=name, email=f"{name}@example.com", roles=list(roles), **more)
        self.users[name] = made["id"]
        return str(made["id"])

    async def a_customer(self, owner: str | None, **more: Any) -> dict[str, str]:
        """An account with a contact, a deal and a ticket, all of one owner."""
        account = await self.post("/v1/accounts", name="云帆", owner_id=owner)
        contact = await self.post(
            "/v1/contacts", full_name="欧阳晓梅", owner_id=owner, account_id=account["id"], **more
        )
        about = {"contact_id": contact["id"]}
        deal = await self.post("/v1/deals", name="框架", owner_id=owner, **about)
        ticket = await self.post("/v1/tickets", subject="无法登录", assignee_id=owner, **about)
        return {"accounts": account["id"], "contacts": contact["id"], "deals": deal["id"], "tickets": ticket["id"]}

    async def owners(self, ids: dict[str, str]) -> dict[str, str | None]:
        found = {}
        for resource, id_ in ids.items():
            record = (await self.client.get(f"/v1/{resource}/{id_}")).json()
            found[resource] = record["assignee_id" if resource == "tickets" else "owner_id"]
        return found

    async def done(self, transfer: Json) -> Json:
        """The transfer when it has ended."""
        async with asyncio.timeout(60):
            while transfer["status"] in ("pending", "running"):
                await asyncio.sleep(0.05)
                answer = await self.client.get(f"{TRANSFERS}/{transfer['id']}")
                transfer = answer.json()
        return transfer

    async def transfer(self, **body: Any) -> Json:
        return await self.done(await self.post(TRANSFERS, **body))


@pytest_asyncio.fixture
async def office(on_embedded: Relata) -> AsyncIterator[Office]:
    async with on_embedded.client_of(await on_embedded.new_tenant_key("Transfers")) as client:
        yield Office(client)


EVERYTHING = ["accounts", "contacts", "deals", "tickets"]


async def test_a_leaver_leaves_nothing_behind(office: Office) -> None:
    leaver, heir = await office.hire("leaver", "sales"), await office.hire("heir", "sales")
    theirs = [await office.a_customer(leaver) for _ in range(3)]
    others = await office.a_customer(heir)
    nobodys = await office.a_customer(None)
    for resource in ("accounts", "contacts"):
        archived = await office.client.post(f"/v1/{resource}/{theirs[2][resource]}/archive")
        assert archived.status_code == 200, archived.text
    assert (await office.client.delete(f"/v1/users/{leaver}")).status_code == 204

    dry = await office.transfer(resources=EVERYTHING, from_user_id=leaver, to={"owner_id": heir}, dry_run=True)
    assert (dry["status"], dry["moved"]) == ("succeeded", dict.fromkeys(EVERYTHING, 3))
    assert await office.owners(theirs[0]) == dict.fromkeys(EVERYTHING, leaver)

    done = await office.transfer(resources=EVERYTHING, from_user_id=leaver, to={"owner_id": heir})
    assert (done["status"], done["moved"], done["failed"]) == ("succeeded", dict.fromkeys(EVERYTHING, 3), {})
    assert done["started_at"] <= done["finished_at"]
    for ids in (*theirs, others):
        assert await office.owners(ids) == dict.fromkeys(EVERYTHING, heir)
    assert await office.owners(nobodys) == dict.fromkeys(EVERYTHING)
    again = await office.transfer(resources=EVERYTHING, from_user_id=leaver, to={"owner_id": heir})
    assert (again["status"], again["moved"]) == ("succeeded", {})


async def test_what_is_chosen_goes_along_with_a_customer(office: Office) -> None:
    one, two = await office.hire("one"), await office.hire("two")
    team = (await office.post("/v1/teams", name="华东"))["id"]
    chosen, unchosen = await office.a_customer(one, source="fair"), await office.a_customer(one, source="web")
    fair = {"field": "source", "op": "eq", "value": "fair"}
    anothers = await office.post("/v1/deals", name="框架", owner_id=two, contact_id=chosen["contacts"])
    done = await office.transfer(
        resources=["contacts"], where=fair, to={"owner_id": two, "team_id": team}, follow=["tickets"]
    )
    assert done["moved"] == {"contacts": 1, "tickets": 1}
    assert await office.owners(chosen) == {"accounts": one, "contacts": two, "deals": one, "tickets": two}
    assert await office.owners(unchosen) == dict.fromkeys(EVERYTHING, one)
    assert (await office.client.get(f"/v1/contacts/{chosen['contacts']}")).json()["team_id"] == team
    view = (await office.client.get(f"/v1/customers/{chosen['contacts']}?consistency=live")).json()
    assert view["profile"]["owner_id"] == two

    ids = [chosen["accounts"], unchosen["accounts"]]
    everything = await office.transfer(
        resources=["accounts"], ids=ids, to={"owner_id": None}, follow=["contacts", "deals", "tickets"]
    )
    assert everything["moved"] == {"accounts": 2, "contacts": 1, "deals": 1, "tickets": 1}
    assert await office.owners(unchosen) == dict.fromkeys(EVERYTHING)
    assert (await office.client.get(f"/v1/deals/{anothers['id']}")).json()["owner_id"] == two


async def test_nobody_moves_what_they_could_not_give_away(office: Office, on_embedded: Relata) -> None:
    team = (await office.post("/v1/teams", name="华东"))["id"]
    manager = await office.hire("manager", "sales_manager", teams=[{"team_id": team, "manager": True}])
    seller = await office.hire("seller", "sales", teams=[{"team_id": team, "manager": False}])
    stranger = await office.hire("stranger", "sales")
    ours, theirs = await office.a_customer(seller), await office.a_customer(stranger)
    shared = await office.a_customer(stranger)
    share = {"shares": [{"user_id": manager, "access": "write"}]}
    assert (await office.client.patch(f"/v1/contacts/{shared['contacts']}", json=share)).status_code == 200

    async def acting(user: str) -> httpx.AsyncClient:
        key = await office.post("/v1/api-keys", name="x", scopes=["read", "write"], user_id=user)
        return on_embedded.client_of(key["key"])

    async with await acting(seller) as mine, await acting(manager) as managers:
        own = {"resources": ["contacts"], "from_user_id": seller, "to": {"owner_id": stranger}}
        refused = await mine.post(TRANSFERS, json=own)
        assert (refused.status_code, refused.json()["missing_permission"]) == (403, "transfers:create")
        customers = {"resources": ["accounts", "contacts", "deals"], "to": {"owner_id": manager}}
        refused = await managers.post(TRANSFERS, json={**customers, "from_user_id": stranger, "resources": ["tickets"]})
        assert (refused.status_code, refused.json()["missing_permission"]) == (403, "tickets:assign")

        started = await managers.post(TRANSFERS, json={**customers, "from_user_id": stranger})
        done = await office.done(started.json())
        assert (done["status"], done["moved"]) == ("succeeded", {})
        assert done["failed"] == {"contacts": 1, "deals": 1}
        assert {fault["id"] for fault in done["faults"]} == {shared["contacts"], shared["deals"]}
        assert await office.owners(theirs) == dict.fromkeys(EVERYTHING, stranger)
        done = await office.done((await managers.post(TRANSFERS, json={**customers, "from_user_id": seller})).json())
        assert done["moved"] == {"accounts": 1, "contacts": 1, "deals": 1}
        assert await office.owners(ours) == {**dict.fromkeys(EVERYTHING, manager), "tickets": seller}
        seen = (await managers.get(TRANSFERS)).json()["data"]
        assert {one["requested_by"] for one in seen} == {manager}
        assert (await mine.get(TRANSFERS)).status_code == 403


async def test_a_transfer_ends_where_its_rights_end(office: Office, on_embedded: Relata) -> None:
    one, two = await office.hire("one"), await office.hire("two")
    await office.a_customer(one)
    key = await office.post("/v1/api-keys", name="x", scopes=["read", "write"])
    await on_embedded.stack.take_down("contacts")
    try:
        headers = bearer(key["key"])
        body = {"resources": ["contacts"], "from_user_id": one, "to": {"owner_id": two}}
        started = (await office.client.post(TRANSFERS, json=body, headers=headers)).json()
        assert (await office.client.delete(f"/v1/api-keys/{key['id']}")).status_code == 204
    finally:
        await on_embedded.stack.bring_back("contacts")
    done = await office.done(started)
    assert (done["status"], done["error"], done["moved"]) == ("failed", "unauthenticated", {})


async def test_killed_in_the_middle_it_goes_on_and_counts_each_once(office: Office, on_embedded: Relata) -> None:
    one, two = await office.hire("one"), await office.hire("two")
    operations = [{"method": "create", "data": {"full_name": f"n{n}", "owner_id": one}} for n in range(900)]
    await office.post("/v1/contacts/batch", operations=operations)
    started = await office.post(TRANSFERS, resources=["contacts"], from_user_id=one, to={"owner_id": two})
    for name in ("gateway", "contacts", "gateway"):
        await asyncio.sleep(0.3)
        await on_embedded.stack.restart(name)
    done = await office.done(started)
    assert (done["status"], done["moved"], done["failed"]) == ("succeeded", {"contacts": 900}, {})
    left = await office.client.get("/v1/contacts", params={"owner_id": one})
    assert left.json()["data"] == []
    versions = set()
    cursor: str | None = None
    while True:
        params = {"owner_id": two, "limit": "200"} | ({"cursor": cursor} if cursor else {})
        page = (await office.client.get("/v1/contacts", params=params)).json()
        versions |= {contact["version"] for contact in page["data"]}
        if (cursor := page["next_cursor"]) is None:
            break
    assert versions == {2}


async def test_what_is_cancelled_moves_no_more(office: Office) -> None:
    one, two = await office.hire("one"), await office.hire("two")
    operations = [{"method": "create", "data": {"full_name": f"n{n}", "owner_id": one}} for n in range(1000)]
    await office.post("/v1/contacts/batch", operations=operations)
    started = await office.post(TRANSFERS, resources=["contacts"], from_user_id=one, to={"owner_id": two})
    cancelled = await office.post(f"{TRANSFERS}/{started['id']}/cancel")
    assert cancelled["status"] == "cancelled"
    over = await office.client.post(f"{TRANSFERS}/{started['id']}/cancel")
    assert (over.status_code, over.json()["code"]) == (409, "transfer_over")
    await asyncio.sleep(1)
    settled = (await office.client.get(f"{TRANSFERS}/{started['id']}")).json()
    assert settled["moved"].get("contacts", 0) < 1000
    await asyncio.sleep(1)
    assert (await office.client.get(f"{TRANSFERS}/{started['id']}")).json()["moved"] == settled["moved"]


_NOBODY = {"team_id": None}
_ABSENT = "01jd3zq8w9e2vbx7k5m4n6p8qr"


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({"resources": ["contacts"], "to": _NOBODY}, "", "selection_required"),
        ({"resources": ["contacts"], "from_user_id": "USER", "to": {}}, "/to", "receiver"),
        ({"resources": ["contacts", "deals"], "ids": [f"deal_{_ABSENT}"], "to": _NOBODY}, "", "one_resource"),
        ({"resources": ["deals"], "ids": [f"contact_{_ABSENT}"], "to": _NOBODY}, "/ids/0", "other_resource"),
        ({"resources": ["deals"], "from_user_id": "USER", "to": {"owner_id": f"user_{_ABSENT}"}}, "/to/owner_id", "not_found"),
        ({"resources": ["deals"], "from_user_id": "USER", "to": {"team_id": f"team_{_ABSENT}"}}, "/to/team_id", "not_found"),
        ({"resources": ["deals"], "where": {"field": "source", "op": "eq", "value": 1}, "to": _NOBODY}, "/where/field", "unknown_field"),
        ({"resources": ["orders"], "from_user_id": "USER", "to": _NOBODY}, "/resources/0", "choice"),
    ],
)  # fmt: skip
async def test_what_could_not_be_done_is_refused_at_once(office: Office, body: Json, pointer: str, code: str) -> None:
    if body.get("from_user_id"):
        body = {**body, "from_user_id": await office.hire("one")}
    answer = await office.client.post(TRANSFERS, json=body)
    assert answer.status_code == 422, answer.text
    assert (pointer, code) in {(fault["pointer"], fault["code"]) for fault in answer.json()["errors"]}, answer.text
