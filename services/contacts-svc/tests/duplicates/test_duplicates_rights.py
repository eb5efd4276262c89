"""Duplicates show nobody more than the records themselves do."""

from crm_contracts.ids import UserId
from crm_kit.rights import Rights
from crm_kit.rights.grants import ACTIONS, Grant
from crm_testkit.jobs import ended
from crm_testkit.service import ServiceUnderTest, Tenant

_ME = UserId.new()
_MEI = {"full_name": "欧阳晓梅", "phones": [{"number": "+8613800138000"}], "wechat": "mei"}
_OPEN = {"open": "write", "personal": "write", "commercial": "write", "private": "write"}


def _somebody(service: ServiceUnderTest, tenant: Tenant, *grants: Grant) -> Tenant:
    return service.tenant(tenant.id, rights=Rights(_ME, (), grants, admin=False))


def _grant(level: str, **fields: str) -> Grant:
    return Grant(frozenset({"contacts"}), frozenset(ACTIONS), level, fields)  # type: ignore[arg-type]  # words of the vocabulary


async def test_only_those_are_shown_that_the_caller_sees(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    mine = await tenant.create("/v1/contacts", **_MEI, owner_id=_ME)
    also_mine = await tenant.create("/v1/contacts", **_MEI, owner_id=_ME)
    await tenant.create("/v1/contacts", **_MEI, owner_id=UserId.new())
    me = _somebody(service, tenant, _grant("own", **_OPEN))
    seen = await me.read(f"/v1/contacts/{mine['id']}/duplicates")
    assert [each["contact"]["id"] for each in seen["data"]] == [also_mine["id"]]


async def test_nothing_is_told_by_members_that_the_caller_does_not_read(service: ServiceUnderTest) -> None:
    """By what agrees, a masked telephone could be guessed."""
    tenant = service.tenant()
    mine = await tenant.create("/v1/contacts", **_MEI, owner_id=_ME)
    others = await tenant.create("/v1/contacts", **_MEI, owner_id=UserId.new())
    me = _somebody(service, tenant, _grant("own", **_OPEN), _grant("all", open="read", personal="masked"))
    assert await me.read(f"/v1/contacts/{mine['id']}/duplicates") == {"data": [], "withheld": False}
    assert await me.read(f"/v1/contacts/{others['id']}/duplicates") == {"data": [], "withheld": True}


async def test_a_creation_is_refused_for_the_sake_of_those_alone_that_its_creator_sees(
    service: ServiceUnderTest,
) -> None:
    tenant = service.tenant()
    await tenant.create("/v1/contacts", **_MEI, owner_id=UserId.new())
    me = _somebody(service, tenant, _grant("own", **_OPEN))
    first, second = [await me.client.post("/v1/contacts?duplicates=refuse", json=_MEI) for _ in range(2)]
    assert first.status_code == 201
    assert second.status_code == 409
    assert [each["id"] for each in second.json()["candidates"]] == [first.json()["id"]]
    assert (await me.client.post("/v1/contacts", json=_MEI)).status_code == 201


async def test_who_may_not_read_is_told_of_nobody(service: ServiceUnderTest) -> None:
    """As the key of a public form."""
    tenant = service.tenant()
    await tenant.create("/v1/contacts", **_MEI)
    form = service.tenant(tenant.id, scopes=frozenset({"contacts:write"})).client
    refused = await form.post("/v1/contacts?duplicates=refuse", json=_MEI)
    assert (refused.status_code, refused.json()["missing_permission"]) == (403, "contacts:read")
    assert (await form.post("/v1/contacts", json=_MEI)).status_code == 201


async def test_a_read_of_duplicates_is_told_in_the_audit_log_like_any_other(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    one = await tenant.create("/v1/contacts", **_MEI, owner_id=_ME)
    other = await tenant.create("/v1/contacts", **_MEI, owner_id=_ME)
    me = _somebody(service, tenant, _grant("own", **_OPEN))
    await me.read(f"/v1/contacts/{one['id']}/duplicates")
    told = await tenant.client.get("/internal/audit-log", params={"action": "read"})
    assert other["id"] in {entry["entity_id"] for entry in told.json()["data"]}


async def test_pairs_are_told_to_who_reads_what_identifies_both(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    owners = (_ME, _ME, UserId.new())
    mine, also_mine, others = [await tenant.create("/v1/contacts", **_MEI, owner_id=owner) for owner in owners]
    scan = await tenant.create("/v1/duplicate-scans")
    assert (await ended(tenant.client, f"/v1/duplicate-scans/{scan['id']}"))["status"] == "succeeded"
    pairs = {frozenset(pair["contact_ids"]): pair["id"] for pair in (await tenant.read("/v1/duplicates"))["data"]}
    assert len(pairs) == 3
    permitted = Grant(frozenset({"duplicates"}), frozenset(ACTIONS), "all", _OPEN)
    me = _somebody(service, tenant, _grant("own", **_OPEN), permitted)
    (told,) = (await me.read("/v1/duplicates"))["data"]
    assert set(told["contact_ids"]) == {mine["id"], also_mine["id"]}
    hidden = pairs[frozenset({mine["id"], others["id"]})]
    for method, path in (("GET", f"/v1/duplicates/{hidden}"), ("POST", f"/v1/duplicates/{hidden}/dismiss")):
        assert (await me.client.request(method, path)).status_code == 404
    masked = _somebody(service, tenant, _grant("all", open="read", personal="masked"), permitted)
    assert (await masked.read("/v1/duplicates"))["data"] == []
