"""Every operation of the merged document, for every ready role and some of our own, on records of every distance."""

import asyncio
import uuid
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
import pytest_asyncio
from crm_testkit.one_of_everything import CONTACTS
from crm_testkit.rights_matrix import MatrixRole, shown
from crm_testkit.rights_world import EVERYBODY, Company, Trial
from crm_testkit.whole_stack import Relata, differences

pytestmark = pytest.mark.long

BUSINESS = ["customers", "contacts", "accounts", "activities", "consents", "deals", "orders", "invoices", "payments",
            "tickets"]  # fmt: skip


def _role(name: str, *grants: Mapping[str, Any]) -> MatrixRole:
    return MatrixRole(name, grants)


def _grant(records: str, actions: list[str], resources: list[str] | None = None, **fields: str) -> dict[str, Any]:
    return {"resources": resources or BUSINESS, "actions": actions, "records": records, "fields": fields}


OWN_ROLES = [
    _role(
        "clear in one's own, masked in all",
        _grant("own", ["read", "update"], open="write", personal="write", commercial="write", private="write"),
        _grant("all", ["read"], open="read", personal="masked"),
    ),
    _role(
        "reads the team's, changes one's own",
        _grant("team", ["read"], open="read", personal="read", commercial="read"),
        _grant("own", ["update", "delete"], open="write"),
    ),
    _role(
        "customers without sales",
        _grant("all", ["read", "update"], ["customers", "contacts", "accounts"], open="write", personal="read"),
    ),
    _role(
        "sales without persons",
        _grant("all", ["read"], ["customers", "contacts"], open="read"),
        _grant("all", ["read"], ["deals", "orders"], open="read", commercial="read"),
    ),
    _role("one's own deals", _grant("own", ["read", "create"], ["deals"], open="read")),
    _role("nothing"),
]

CHECKED = {"contacts": "full_name", "accounts": "name", "deals": "amount", "orders": "total", "invoices": "total",
           "payments": "amount", "tickets": "subject"}  # fmt: skip
"""Resources that are asked about, with a member of each."""

LOST = {"field": "status", "op": "eq", "value": "lost"}
UNDER_A_CONDITION = _role(
    "deals under a condition",
    _grant("own", ["read", "update", "delete"], ["deals"], open="write"),
    {**_grant("all", ["read"], ["deals"], open="read", commercial="read"), "where": {"not": LOST}},
    {**_grant("all", ["update"], ["deals"], open="write"), "where": LOST},
)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def company(on_embedded: Relata) -> Any:
    async with on_embedded.client_of(await on_embedded.new_tenant_key("Rights")) as client:
        company = Company(client)
        await company.settle()
        await _until_all_is_known(company)
        yield company


async def _until_all_is_known(company: Company) -> None:
    """The views show what has been made, and the services know whose it is."""
    lead = await _key_of(
        company, company.me, _role("everything of one's own", _grant("own", ["read"], ["*"], open="read"))
    )
    async with asyncio.timeout(60), lead as mine:
        while True:
            views = [await company.client.get(f"/v1/customers/{ids[CONTACTS]}") for ids in _customers(company)]
            lists = [await mine.get(path) for path in ("/v1/orders", "/v1/tickets", "/v1/customers")]
            if all(len(view.json().get("timeline", ())) >= 7 for view in views) and all(
                answer.json()["data"] for answer in lists
            ):
                return
            await asyncio.sleep(0.1)


def _customers(company: Company) -> list[dict[str, str]]:
    return [ids for whose, ids in company.ids.items() if whose != EVERYBODY]


async def _key_of(company: Company, user_id: str, role: MatrixRole, *, ready: bool = False) -> httpx.AsyncClient:
    """A client that acts for the user, who has this role alone."""
    name = role.name
    if not ready:
        made = await company.client.post(
            "/v1/roles", json={"name": f"{role.name} {uuid.uuid4()}", "grants": role.grants}
        )
        assert made.status_code == 201, made.text
        name = made.json()["id"]
    changed = await company.client.patch(f"/v1/users/{user_id}", json={"roles": [name]})
    assert changed.status_code == 200, changed.text
    key = await company.client.post(
        "/v1/api-keys", json={"name": "x", "scopes": ["read", "write", "admin"], "user_id": user_id}
    )
    assert key.status_code == 201, key.text
    return httpx.AsyncClient(
        base_url=company.client.base_url, headers={"Authorization": f"Bearer {key.json()['key']}"}, timeout=60
    )


@pytest.mark.timeout(900)  # of each operation for each role, two at a time with others
async def test_every_operation_shows_each_role_what_it_may_see_and_no_more(
    on_embedded: Relata, company: Company
) -> None:
    document = (await company.client.get("/openapi.json")).json()
    ready = (await company.client.get("/v1/roles/ready")).json()["data"]
    # Those under a condition, which holds for none of these records, are tried by themselves (test_lifecycle_and_pool.py).
    plain = [one for one in ready if all(grant["where"] is None for grant in one["grants"])]
    roles = [(MatrixRole(one["name"], one["grants"], one["admin"]), True) for one in plain]
    trial = Trial(company, document)
    await trial.prepare()
    for role, is_ready in [*roles, *((role, False) for role in OWN_ROLES)]:
        async with await _key_of(company, company.me, role, ready=is_ready) as client:
            await trial.of(role, client)
    assert not trial.matrix.findings, shown(trial.matrix.findings)
    assert trial.matrix.compared > 2000


async def test_a_live_view_asks_the_services_for_everything_and_shows_what_the_role_may_see(company: Company) -> None:
    ids = company.ids["mine"]
    role = _role("sales as it is", _grant("own", ["read"], open="read", commercial="read"))
    async with await _key_of(company, company.me, role) as client:
        path = f"/v1/customers/{ids[CONTACTS]}"
        live = (await client.get(path, params={"consistency": "live"})).json()
        stored = (await client.get(path)).json()
    assert "degraded" not in live
    assert not differences(stored, live)
    assert "full_name" not in live["profile"]


async def test_a_check_says_what_a_request_would_be_answered(company: Company) -> None:
    ready = (await company.client.get("/v1/roles/ready")).json()["data"]
    roles = [(MatrixRole(one["name"], one["grants"], one["admin"]), True) for one in ready]
    roles += [(role, False) for role in (*OWN_ROLES, UNDER_A_CONDITION)]
    for role, is_ready in roles:
        async with await _key_of(company, company.me, role, ready=is_ready) as client:

            async def compare(resource: str, record: str, client: httpx.AsyncClient = client) -> None:
                member = CHECKED[resource]
                told = await _checks(client, resource, record, member)
                assert told == await _outcomes(client, resource, record, member), (resource, record)
                about = await _checks(company.client, resource, record, member, user_id=company.me)
                assert {**about, "found": told["found"]} == told, (resource, record)

            records = [(one, ids[f"/v1/{one}"]) for one in CHECKED for ids in _customers(company)]
            assert len(records) == 35
            wrong = await asyncio.gather(*(compare(*record) for record in records), return_exceptions=True)
            assert not [error for error in wrong if error is not None], (role.name, wrong)


async def _checks(client: httpx.AsyncClient, resource: str, record: str, member: str, **who: str) -> dict[str, Any]:
    about = {"resource": resource, "id": record, **who}
    checks = [{**about, "action": action} for action in ("read", "update", "delete")]
    checks.append({**about, "action": "read", "member": member})
    answer = await client.post("/v1/access/check", json={"checks": checks})
    assert answer.status_code == 200, answer.text
    *actions, of_member = answer.json()["results"]
    for result in answer.json()["results"]:
        applies = [why for why in result["why"] if why["reason"] == "applies"]
        assert bool(applies) >= (result["allowed"] and bool(result["why"])), result
    return {
        "found": of_member["found"],
        "actions": [result["allowed"] for result in actions],
        "member": of_member["access"] if actions[0]["allowed"] else None,
    }


async def _outcomes(client: httpx.AsyncClient, resource: str, record: str, member: str) -> dict[str, Any]:
    """By requests that would change something, were their precondition met."""
    path, never = f"/v1/{resource}/{record}", {"If-Match": '"999999"'}
    read = await client.get(path)
    patched = await client.patch(path, json={}, headers=never)
    deleted = await client.delete(path, headers=never)
    shown = read.json() if read.status_code == 200 else {}
    access = "masked" if member in shown.get("masked", ()) else "read" if member in shown else "hidden"
    return {
        "found": read.status_code == 200,
        "actions": [read.status_code == 200, patched.status_code == 412, deleted.status_code == 412],
        "member": access if shown else None,
    }
