"""Territories and rights: they need nobody's right to assign, and are no way round it."""

from collections.abc import Iterable

import pytest
from crm_contracts.ids import TeamId, UserId
from crm_kit.rights import Level, Rights
from crm_kit.rights.grants import Action, Grant
from crm_testkit.service import ServiceUnderTest, Tenant

ME, EVE = UserId.new(), UserId.new()
OURS, THEIRS = TeamId.new(), TeamId.new()
SELLER: tuple[Action, ...] = ("read", "create", "update")
ZHEJIANG, SICHUAN = {"region": "浙江"}, {"region": "四川"}


def as_me(service: ServiceUnderTest, tenant: Tenant, level: Level, actions: Iterable[Action] = SELLER) -> Tenant:
    fields = dict.fromkeys(("open", "personal", "commercial", "private"), "write")
    grants = [Grant(frozenset(["contacts", "territories"]), frozenset(actions), level, fields)]  # type: ignore[arg-type]  # the words are those of the vocabulary
    return service.tenant(tenant.id, rights=Rights(ME, [OURS], grants, admin=False))


@pytest.fixture
async def tenant(service: ServiceUnderTest) -> Tenant:
    """浙江 is ours, 四川 theirs and Eve's."""
    tenant = service.tenant()
    for region, team_id, owner_id in (("浙江", OURS, None), ("四川", THEIRS, EVE)):
        where = {"field": "address.region", "op": "eq", "value": region}
        body = {"name": region, "resource": "contacts", "where": where, "team_id": team_id, "owner_id": owner_id}
        await tenant.create("/v1/territories", **body)
    return tenant


async def test_who_creates_owns_and_what_a_system_creates_is_the_territorys(
    service: ServiceUnderTest, tenant: Tenant
) -> None:
    me = as_me(service, tenant, "own")
    mine = await me.create("/v1/contacts", full_name="王伟", address=SICHUAN)
    assert (mine["owner_id"], mine["team_id"]) == (ME, THEIRS)
    systems = await tenant.create("/v1/contacts", full_name="王伟", address=SICHUAN)
    assert (systems["owner_id"], systems["team_id"]) == (EVE, THEIRS)


async def test_an_assignment_takes_no_right_to_assign(service: ServiceUnderTest, tenant: Tenant) -> None:
    me = as_me(service, tenant, "own")
    mine = await me.create("/v1/contacts", full_name="王伟", address=ZHEJIANG)
    path = f"/v1/contacts/{mine['id']}"
    moved = await me.client.patch(path, json={"address": SICHUAN})
    assert (moved.status_code, moved.json()["team_id"], moved.json()["owner_id"]) == (200, THEIRS, ME)
    for given in ({"team_id": None}, {"team_id": OURS}):
        answer = await me.client.patch(path, json=given)
        assert (answer.status_code, answer.json()["missing_permission"]) == (403, "contacts:assign")


async def test_nobody_gives_away_by_a_territory_what_they_may_not_give_away(
    service: ServiceUnderTest, tenant: Tenant
) -> None:
    contact = await tenant.create("/v1/contacts", full_name="王伟", address=ZHEJIANG)
    path = f"/v1/contacts/{contact['id']}"
    me = as_me(service, tenant, "team")
    answer = await me.client.patch(path, json={"address": SICHUAN})
    assert (answer.status_code, answer.json()["missing_permission"]) == (403, "contacts:update")
    body = {"operations": [{"method": "update", "id": contact["id"], "data": {"address": SICHUAN}}]}
    [result] = (await me.client.post("/v1/contacts/batch", json=body)).json()["results"]
    assert result["status"] == 403
    assert (await tenant.read(path))["version"] == 1
    lead = as_me(service, tenant, "team", [*SELLER, "assign"])
    assert (await lead.client.patch(path, json={"address": SICHUAN})).status_code == 200
    assert (await lead.client.get(path)).status_code == 404


async def test_territories_take_rights_to_all_of_them(service: ServiceUnderTest, tenant: Tenant) -> None:
    whole, team = as_me(service, tenant, "all", ["read"]), as_me(service, tenant, "team", ["read", "create"])
    listed = (await whole.read("/v1/territories"))["data"]
    assert {each["name"] for each in listed} == {"浙江", "四川"}
    assert (await team.read("/v1/territories"))["data"] == []
    body = {**{name: listed[0][name] for name in ("name", "resource", "where", "team_id")}}
    for client in (whole, team):
        answer = await client.client.post("/v1/territories", json=body)
        assert (answer.status_code, answer.json()["missing_permission"]) == (403, "territories:create")
    answer = await whole.client.delete(f"/v1/territories/{listed[0]['id']}")
    assert (answer.status_code, answer.json()["missing_permission"]) == (403, "territories:delete")
