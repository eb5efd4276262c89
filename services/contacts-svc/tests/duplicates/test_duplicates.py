"""Who a contact may be once more: asked of one that is there, and of one that is about to be."""

import asyncio
from typing import Any

from crm_testkit.service import ServiceUnderTest, Tenant

_MEI = {
    "full_name": "欧阳晓梅",
    "phones": [{"number": "138 0013 8000"}],
    "address": {"street": "文三路138号2栋301室", "district": "西湖区", "city": "杭州市", "region": "浙江省"},
}
_MEI_AGAIN = {"full_name": "Xiaomei Ouyang", "phones": [{"number": "+8613800138000"}]}


async def _duplicates(tenant: Tenant, contact_id: str, **query: Any) -> list[dict[str, Any]]:
    answer = await tenant.client.get(f"/v1/contacts/{contact_id}/duplicates", params=query)
    assert answer.status_code == 200, answer.text
    data: list[dict[str, Any]] = answer.json()["data"]
    return data


async def test_a_contact_is_found_in_its_other_spelling(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    mei = await tenant.create("/v1/contacts", **_MEI)
    again = await tenant.create("/v1/contacts", **_MEI_AGAIN)
    await tenant.create("/v1/contacts", full_name="王伟")

    (found,) = await _duplicates(tenant, mei["id"])

    assert found["contact"] == again
    assert found["score"] > 0.95
    assert {("name", "same"), ("phone", "same")} <= {(reason["field"], reason["level"]) for reason in found["why"]}
    assert all(reason["weight"] > 0 for reason in found["why"] if reason["field"] != "relation")
    assert [each["contact"]["id"] for each in await _duplicates(tenant, again["id"])] == [mei["id"]]


async def test_another_tenants_contacts_are_no_duplicates(service: ServiceUnderTest) -> None:
    await service.tenant().create("/v1/contacts", **_MEI)
    tenant = service.tenant()
    mei = await tenant.create("/v1/contacts", **_MEI)
    assert await _duplicates(tenant, mei["id"], min_score=0) == []


async def test_a_changed_contact_is_found_by_what_it_is_now(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    mei = await tenant.create("/v1/contacts", **_MEI)
    other = await tenant.create("/v1/contacts", full_name="李娜")
    assert await _duplicates(tenant, mei["id"]) == []
    await tenant.client.patch(f"/v1/contacts/{other['id']}", json=_MEI_AGAIN)
    assert [each["contact"]["id"] for each in await _duplicates(tenant, mei["id"])] == [other["id"]]
    await tenant.client.delete(f"/v1/contacts/{other['id']}")
    assert await _duplicates(tenant, mei["id"]) == []


async def test_a_family_is_shown_only_to_who_asks_for_the_improbable(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    father = await tenant.create("/v1/contacts", **{**_MEI, "full_name": "王伟"})
    daughter = await tenant.create("/v1/contacts", **{**_MEI, "full_name": "王芳"})
    assert await _duplicates(tenant, father["id"]) == []
    (found,) = await _duplicates(tenant, father["id"], min_score=0)
    assert found["contact"]["id"] == daughter["id"]
    assert "relation" in {reason["field"] for reason in found["why"]}


async def test_companies_count_without_their_legal_form(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    first = await tenant.create("/v1/accounts", name="上海星河科技股份有限公司")
    second = await tenant.create("/v1/accounts", name="星河科技")
    one = await tenant.create("/v1/contacts", full_name="葛磊", account_id=first["id"])
    await tenant.create("/v1/contacts", full_name="葛磊", account_id=second["id"])
    (found,) = await _duplicates(tenant, one["id"])
    assert {reason["field"]: reason["level"] for reason in found["why"]}["company"] in ("same", "alike")


async def test_two_verified_addresses_are_never_merged_unasked(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    one = await tenant.create("/v1/contacts", **_MEI, wechat="mei", emails=[{"address": "a@x.com", "verified": True}])
    await tenant.create("/v1/contacts", **_MEI, wechat="mei", emails=[{"address": "b@y.com", "verified": True}])
    (found,) = await _duplicates(tenant, one["id"])
    assert found["contradictions"] == ["email"]
    assert found["may_merge"] is False


async def test_a_duplicate_is_refused_where_that_is_asked_for(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    mei = await tenant.create("/v1/contacts", **_MEI)

    answer = await tenant.client.post("/v1/contacts?duplicates=refuse", json=_MEI_AGAIN)

    assert answer.status_code == 409
    problem = answer.json()
    assert problem["code"] == "duplicate_contacts"
    (candidate,) = problem["candidates"]
    assert candidate["id"] == mei["id"]
    assert candidate["score"] > 0.95
    assert {reason["field"] for reason in candidate["why"]} >= {"name", "phone"}
    for query in ("", "?duplicates=allow"):
        assert (await tenant.client.post(f"/v1/contacts{query}", json=_MEI_AGAIN)).status_code == 201


async def test_who_is_new_is_created_where_duplicates_are_refused(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    await tenant.create("/v1/contacts", **_MEI)
    answer = await tenant.client.post("/v1/contacts?duplicates=refuse", json={"full_name": "王伟"})
    assert answer.status_code == 201


async def test_faults_are_told_before_duplicates(service: ServiceUnderTest) -> None:
    client = service.tenant().client
    answer = await client.post("/v1/contacts?duplicates=refuse", json={"phones": [{"number": "123"}]})
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "phone")
    answer = await client.post("/v1/contacts?duplicates=perhaps", json={"full_name": "王伟"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "?duplicates")


async def test_of_two_that_come_at_once_one_is_refused(service: ServiceUnderTest) -> None:
    """A double click: each waits for the other's end."""
    tenant = service.tenant()
    answers = await asyncio.gather(*(tenant.client.post("/v1/contacts?duplicates=refuse", json=_MEI) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409]


async def test_a_retry_gets_the_first_answer(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    headers = {"Idempotency-Key": "k-1"}
    first, again = [
        await tenant.client.post("/v1/contacts?duplicates=refuse", json=_MEI, headers=headers) for _ in range(2)
    ]
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json()["id"] == first.json()["id"]


async def test_nobody_has_duplicates_who_is_not_there(service: ServiceUnderTest) -> None:
    client = service.tenant().client
    path = "/v1/contacts/contact_01jd3zq8w9e2vbx7k5m4n6p8qr/duplicates"
    assert (await client.get(path)).status_code == 404
    contact = await service.tenant().create("/v1/contacts", **_MEI)
    assert (await client.get(f"/v1/contacts/{contact['id']}/duplicates")).status_code == 404
    assert (await client.get(f"{path}?min_score=2")).status_code == 422
