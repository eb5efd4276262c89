"""Which contacts, accounts, activities and consents somebody reaches who has not all rights."""

from collections.abc import Iterable
from typing import Any

import pytest
from crm_contracts.ids import TeamId, UserId
from crm_kit.rights import Level, Rights
from crm_kit.rights.grants import ACTIONS, Access, Action, Grant
from crm_testkit.service import ServiceUnderTest, Tenant

ME, MATE, STRANGER = UserId.new(), UserId.new(), UserId.new()
OURS, THEIRS = TeamId.new(), TeamId.new()
EVERYTHING: dict[str, Access] = dict.fromkeys(("open", "personal", "commercial", "private"), "write")


def grant(
    level: Level, actions: Iterable[Action] = ACTIONS, fields: dict[str, Access] = EVERYTHING, *resources: str
) -> Grant:
    return Grant(frozenset(resources or ["*"]), frozenset(actions), level, fields)  # type: ignore[arg-type]  # the words are those of the vocabulary


def as_me(service: ServiceUnderTest, tenant: Tenant, *grants: Grant, teams: Iterable[str] = (OURS,)) -> Tenant:
    return service.tenant(tenant.id, rights=Rights(ME, teams, grants, admin=False))


@pytest.fixture
def tenant(service: ServiceUnderTest) -> Tenant:
    return service.tenant()


async def ids(client: Tenant, path: str, **params: Any) -> set[str]:
    return {one["id"] for one in (await client.read(path, **params))["data"]}


async def a_few(tenant: Tenant) -> dict[str, str]:
    """Contacts by whose they are."""
    acme = await tenant.create("/v1/accounts", name="Acme", owner_id=ME)
    made = {
        "mine": {"owner_id": ME},
        "a mate's": {"owner_id": MATE},
        "our team's": {"team_id": OURS, "owner_id": STRANGER},
        "another's": {"owner_id": STRANGER, "team_id": THEIRS},
        "nobody's": {},
        "my account's": {"account_id": acme["id"]},
        "shared with me": {"owner_id": STRANGER, "shares": [{"user_id": ME}]},
        "shared with us": {"shares": [{"team_id": OURS, "access": "write"}]},
        "no longer shared": {"shares": [{"user_id": ME, "until": "2026-01-01T00:00:00Z"}]},
        "shared with others": {"shares": [{"user_id": STRANGER}, {"team_id": THEIRS}]},
    }
    return {whose: (await tenant.create("/v1/contacts", full_name=whose, **body))["id"] for whose, body in made.items()}


REACHED: dict[Level, set[str]] = {
    "own": {"mine", "my account's", "shared with me", "shared with us"},
    "team": {"mine", "my account's", "shared with me", "shared with us", "our team's"},
}


@pytest.mark.parametrize("level", ["own", "team", "all"])
async def test_a_level_reaches_the_same_records_on_every_path(
    service: ServiceUnderTest, tenant: Tenant, level: Level
) -> None:
    contacts = await a_few(tenant)
    me = as_me(service, tenant, grant(level))
    seen = set(contacts) if level == "all" else REACHED[level]
    for whose, contact_id in contacts.items():
        path = f"/v1/contacts/{contact_id}"
        assert (await me.client.get(path)).status_code == (200 if whose in seen else 404), whose
        logged = await me.client.post("/v1/activities", json={"kind": "call", "contact_id": contact_id})
        may_log = whose in seen if whose != "shared with me" else level == "all"
        assert logged.status_code == (201 if may_log else 403), (whose, logged.text)
        consent = {"channel": "email", "purpose": "marketing", "status": "granted"}
        recorded = await me.client.post(f"{path}/consents", json=consent | {"source": "form"})
        assert recorded.status_code in (201, 403) if whose in seen else recorded.status_code == 404, whose
    wanted = {contacts[whose] for whose in seen}
    assert await ids(me, "/v1/contacts") == wanted
    found = await me.client.post("/v1/contacts/search", json={"where": {"field": "id", "op": "exists"}})
    assert {one["id"] for one in found.json()["data"]} == wanted
    assert {one["contact_id"] for one in (await me.read("/v1/activities"))["data"]} <= wanted


async def test_who_may_read_but_not_change_is_told_so_and_who_may_not_read_is_not(
    service: ServiceUnderTest, tenant: Tenant
) -> None:
    contacts = await a_few(tenant)
    me = as_me(service, tenant, grant("team", ["read"]), grant("own", ["update"]))
    for whose, status in {
        "mine": 200,
        "shared with us": 200,
        "shared with me": 403,
        "our team's": 403,
        "nobody's": 404,
    }.items():
        path = f"/v1/contacts/{contacts[whose]}"
        answer = await me.client.patch(path, json={"source": "fair"})
        assert answer.status_code == status, (whose, answer.text)
        removed = await me.client.delete(path)
        assert (removed.status_code, removed.json()["missing_permission"]) == (403, "contacts:delete"), whose


async def test_what_a_user_makes_is_theirs(service: ServiceUnderTest, tenant: Tenant) -> None:
    me = as_me(service, tenant, grant("own", ["read", "create", "update"]))
    made = await me.create("/v1/contacts", full_name="新客户")
    assert made["owner_id"] == ME
    others = await me.client.post("/v1/contacts", json={"full_name": "x", "owner_id": STRANGER})
    assert (others.status_code, others.json()["missing_permission"]) == (403, "contacts:create")
    assert await ids(tenant, "/v1/contacts") == {made["id"]}


async def test_giving_a_record_away_takes_a_permission_of_its_own(service: ServiceUnderTest, tenant: Tenant) -> None:
    contact = await tenant.create("/v1/contacts", full_name="张伟", owner_id=ME)
    path = f"/v1/contacts/{contact['id']}"
    seller = as_me(service, tenant, grant("own", ["read", "create", "update"]))
    for given in ({"owner_id": MATE}, {"team_id": THEIRS}, {"shares": [{"user_id": MATE}]}, {"owner_id": None}):
        answer = await seller.client.patch(path, json=given)
        assert (answer.status_code, answer.json()["missing_permission"]) == (403, "contacts:assign"), given
    assert (await seller.client.patch(path, json={"owner_id": ME, "source": "fair"})).status_code == 200
    lead = as_me(service, tenant, grant("own", ["read", "update", "assign"]))
    shared = await lead.client.patch(path, json={"shares": [{"user_id": MATE, "access": "write"}]})
    assert shared.json()["shares"] == [{"user_id": MATE, "team_id": None, "access": "write", "until": None}]
    assert (await lead.client.patch(path, json={"owner_id": MATE})).status_code == 200
    assert (await lead.client.get(path)).status_code == 404


async def test_a_batch_holds_to_the_same_rights_operation_by_operation(
    service: ServiceUnderTest, tenant: Tenant
) -> None:
    mine = await tenant.create("/v1/contacts", full_name="a", owner_id=ME, emails=[{"address": "mine@example.com"}])
    hidden = await tenant.create("/v1/contacts", full_name="b", emails=[{"address": "hidden@example.com"}])
    me = as_me(service, tenant, grant("own", ["read", "create", "update"]))
    update = {"method": "update", "data": {"source": "fair"}}
    operations = [
        {**update, "id": mine["id"]},
        {**update, "id": hidden["id"]},
        {"method": "create", "data": {"full_name": "c"}},
        {"method": "create", "data": {"full_name": "d", "owner_id": STRANGER}},
        {"method": "upsert", "match": "email", "data": {"emails": [{"address": "mine@example.com"}], "source": "web"}},
        {
            "method": "upsert",
            "match": "email",
            "data": {"emails": [{"address": "hidden@example.com"}], "source": "web"},
        },
    ]
    answer = (await me.client.post("/v1/contacts/batch", json={"operations": operations})).json()
    assert [one["status"] for one in answer["results"]] == [200, 404, 201, 403, 200, 201]
    assert hidden["id"] not in str(answer["results"][2:])
    assert (await tenant.read(f"/v1/contacts/{hidden['id']}")) == hidden
    nothing = as_me(service, tenant, grant("own", ["read"]))
    assert (await nothing.client.post("/v1/contacts/batch", json={"operations": operations})).status_code == 403


async def test_what_is_taken_by_a_record_that_is_not_seen_is_told_without_naming_it(
    service: ServiceUnderTest, tenant: Tenant
) -> None:
    ids = {"external_ids": {"erp": "K-1001"}}
    hidden = await tenant.create("/v1/contacts", full_name="b", **ids)
    me = as_me(service, tenant, grant("own"))
    refused = await me.client.post("/v1/contacts", json={"full_name": "c", **ids})
    assert (refused.status_code, refused.json()["code"]) == (409, "external_id_taken")
    assert hidden["id"] not in refused.text
    named = await as_me(service, tenant, grant("all")).client.post("/v1/contacts", json={"full_name": "c", **ids})
    assert named.json()["contact_id"] == hidden["id"]


async def test_a_role_that_only_creates_may_use_the_batch(service: ServiceUnderTest, tenant: Tenant) -> None:
    form = service.tenant(tenant.id, rights=Rights(None, (), [grant("all", ["read", "create"])], admin=False))
    operations = [{"method": "create", "data": {"full_name": "c"}}, {"method": "update", "id": "contact_x", "data": {}}]
    answer = (await form.client.post("/v1/contacts/batch", json={"operations": operations})).json()
    assert [one["status"] for one in answer["results"]] == [201, 403]


async def test_an_idempotent_replay_shows_nobody_what_another_wrote(service: ServiceUnderTest, tenant: Tenant) -> None:
    headers, body = {"Idempotency-Key": "once"}, {"full_name": "张伟"}
    masked: dict[str, Access] = {"open": "write", "personal": "masked"}
    full, less = as_me(service, tenant, grant("own")), grant("all", ["read", "create"], masked)
    made = await full.client.post("/v1/contacts", json=body, headers=headers)
    again = await full.client.post("/v1/contacts", json=body, headers=headers)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json() == made.json()
    other = service.tenant(tenant.id, rights=Rights(MATE, (), [less], admin=False))
    refused = await other.client.post("/v1/contacts", json=body, headers=headers)
    assert refused.status_code == 403
    assert "张伟" not in refused.text
