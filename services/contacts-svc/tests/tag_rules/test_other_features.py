"""What tag rules have to do with territories, validation rules, imports, merges, archives and restrictions."""

from crm_contracts.ids import TeamId, new_id
from crm_contracts.registry import ORDER
from crm_testkit.importing import act, imported
from crm_testkit.jobs import ended
from crm_testkit.service import ServiceUnderTest, Tenant
from crm_testkit.tagged_contacts import cny, evaluated, made, patched, person, tell, until_tagged

FROM_SHOP = {"field": "source", "op": "eq", "value": "shop"}
HIGH_VALUE = {"field": "orders.total.CNY", "op": "gte", "value": "10000"}


async def test_territories_follow_the_tags_that_rules_give(service: ServiceUnderTest, tenant: Tenant) -> None:
    team = TeamId.new()
    where = {"field": "tag", "op": "eq", "value": "high"}
    await tenant.create("/v1/territories", name="x", resource="contacts", where=where, team_id=team)
    await made(tenant, "high", {"any": [HIGH_VALUE, FROM_SHOP]})
    assert (await tenant.create("/v1/contacts", full_name="李娜", source="shop"))["team_id"] == team
    contact_id = await person(tenant)
    await tell(service, tenant, ORDER, contact_id, total=cny("10000.00"))
    contact = await until_tagged(tenant, contact_id, "high")
    assert (contact["team_id"], contact["version"]) == (team, 2)


async def test_an_automatic_tag_keeps_nobody_from_writing(tenant: Tenant) -> None:
    owned = {"field": "owner_id", "op": "exists", "value": True}
    tagged = {"field": "tag", "op": "eq", "value": "vip"}
    rule = {"resource": "contacts", "condition": owned, "when": tagged, "code": "owned", "message": {"en": "x"}}
    await tenant.create("/v1/validation-rules", **rule)
    await made(tenant, "vip", FROM_SHOP)
    refused = await tenant.client.post("/v1/contacts", json={"full_name": "王伟", "tags": ["vip"]})
    assert refused.status_code == 422
    contact = await tenant.create("/v1/contacts", full_name="王伟", source="shop")
    assert contact["tags"] == ["vip"]
    assert (await patched(tenant, contact["id"], title="Buyer"))["tags"] == ["vip"]


async def test_batches_imports_and_bulk_changes_are_tagged_too(tenant: Tenant) -> None:
    await made(tenant, "shop", FROM_SHOP)
    operations = [{"method": "create", "data": {"wechat": f"w{n}", "source": ["shop", "x"][n % 2]}} for n in range(4)]
    answer = await tenant.client.post("/v1/contacts/batch", json={"operations": operations})
    ids = [each["id"] for each in answer.json()["results"]]
    assert [(await tenant.read(f"/v1/contacts/{id_}"))["tags"] for id_ in ids] == [["shop"], []] * 2
    await imported(tenant.client, "姓名,来源\n赵敏,shop\n".encode())
    [row] = (await tenant.read("/v1/contacts", full_name="赵敏"))["data"]
    assert (row["tags"], row["version"]) == (["shop"], 1)
    body = {"resource": "contacts", "ids": ids, "action": "update", "patch": {"source": "shop"}}
    bulk = (await tenant.client.post("/v1/bulk-changes", json=body)).json()
    await ended(tenant.client, f"/v1/bulk-changes/{bulk['id']}")
    assert [(await tenant.read(f"/v1/contacts/{id_}"))["tags"] for id_ in ids] == [["shop"]] * 4
    body = {"resource": "contacts", "ids": ids[:1], "action": "tag", "remove_tags": ["shop"]}
    bulk = (await tenant.client.post("/v1/bulk-changes", json=body)).json()
    await ended(tenant.client, f"/v1/bulk-changes/{bulk['id']}")
    assert (await tenant.read(f"/v1/contacts/{ids[0]}"))["tags"] == []


async def test_an_import_that_is_taken_back_gives_back_what_people_gave(tenant: Tenant) -> None:
    await made(tenant, "shop", FROM_SHOP)
    await made(tenant, "fair", {"field": "source", "op": "eq", "value": "fair"})
    contact_id = await person(tenant, source="fair", tags=["own"], emails=[{"address": "wei@example.com"}])
    content = "邮箱,来源,标签\nwei@example.com,shop,new\n".encode()
    done = await imported(tenant.client, content, match="email")
    await until_tagged(tenant, contact_id, "own", "new", "shop")
    await act(tenant.client, done["id"], "revert")
    await until_tagged(tenant, contact_id, "own", "fair")
    assert (await patched(tenant, contact_id, source=None))["tags"] == ["own"]


async def test_a_merge_takes_along_what_people_gave_and_decides_the_rest_anew(
    service: ServiceUnderTest, tenant: Tenant
) -> None:
    await made(tenant, "shop", FROM_SHOP)
    await made(tenant, "high", HIGH_VALUE)
    one = await person(tenant, tags=["a"], source="fair")
    other = await person(tenant, tags=["b"], source="shop")
    await tell(service, tenant, ORDER, other, total=cny("10000.00"))
    await until_tagged(tenant, other, "b", "shop", "high")
    merged = await tenant.client.post(f"/v1/contacts/{one}/merge", json={"from": [other]})
    assert merged.status_code == 201, merged.text
    assert merged.json()["contact"]["tags"] == ["a", "b"], "the order is the other's until its own service has moved it"
    undone = await tenant.client.post(f"/v1/merges/{merged.json()['merge']['id']}/undo", json={})
    assert undone.status_code == 200, undone.text
    await until_tagged(tenant, one, "a")
    await until_tagged(tenant, other, "b", "shop", "high")
    merge = {"from": [other], "fields": {"source": other}}
    merged = await tenant.client.post(f"/v1/contacts/{one}/merge", json=merge)
    assert merged.json()["contact"]["tags"] == ["a", "b", "shop"]
    assert (await patched(tenant, one, source=None))["tags"] == ["a", "b"]


async def test_archived_ones_follow_and_restricted_ones_stay_as_they_are(
    service: ServiceUnderTest, tenant: Tenant
) -> None:
    await made(tenant, "high", HIGH_VALUE)
    await made(tenant, "away", {"field": "archived", "op": "eq", "value": True})
    contact_id = await person(tenant)
    path = f"/v1/contacts/{contact_id}"
    assert (await tenant.client.post(f"{path}/archive")).json()["tags"] == ["away"]
    await tell(service, tenant, ORDER, contact_id, total=cny("10000.00"))
    await until_tagged(tenant, contact_id, "away", "high")
    assert (await tenant.client.post(f"{path}/restore")).json()["tags"] == ["high"]
    asked = await tenant.create("/v1/privacy-requests", kind="restriction", contact_id=contact_id)
    await tell(service, tenant, ORDER, contact_id, status="cancelled", known_id=new_id("order"))
    rule = await made(tenant, "every", {"field": "id", "op": "exists", "value": True})
    await evaluated(tenant)
    assert (await tenant.read(path))["tags"] == ["high"]
    lifted = await tenant.client.post(f"/v1/privacy-requests/{asked['id']}/lift", json={})
    assert lifted.status_code == 200, lifted.text
    assert set((await tenant.read(path))["tags"]) == {"high", "every"}
    assert (await tenant.client.delete(f"/v1/tag-rules/{rule['id']}")).status_code == 204
    await until_tagged(tenant, contact_id, "high")


async def test_a_field_that_a_rule_names_stays(tenant: Tenant) -> None:
    field = {"resource": "contacts", "name": "level", "label": {"en": "Level"}, "type": "number"}
    declared = await tenant.create("/v1/custom-fields", **field)
    rule = await made(tenant, "top", {"field": "custom.level", "op": "gte", "value": 9})
    assert (await tenant.create("/v1/contacts", full_name="王伟", custom={"level": 9}))["tags"] == ["top"]
    refused = await tenant.client.delete(f"/v1/custom-fields/{declared['id']}")
    assert (refused.status_code, refused.json()["tag_rule_ids"]) == (409, [rule["id"]]), refused.text
