"""Contacts through the public door."""

import asyncio
from typing import Any

import pytest
from crm_testkit.service import ServiceUnderTest, Tenant


async def test_a_created_contact_is_normalised_and_published(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    contact = await tenant.create(
        "/v1/contacts",
        full_name="欧阳晓梅",
        emails=[{"address": "Xiaomei@Example.COM"}],
        phones=[{"number": "138 0013 8000"}],
        tags=["vip", "vip"],
    )
    assert contact["phones"] == [{"number": "+8613800138000", "label": None}]
    assert contact["emails"] == [{"address": "Xiaomei@example.com", "primary": True, "verified": False}]
    assert (contact["last_name"], contact["first_name"], contact["tags"]) == ("欧阳", "晓梅", ["vip"])
    assert await tenant.read(f"/v1/contacts/{contact['id']}") == contact

    [event] = await service.events("crm.contacts.contact", key=contact["id"])
    assert event.entity == contact
    assert (event.type, event.sequence, event.tenant_id) == ("crm.contacts.contact.created.v1", 1, tenant.id)


async def test_a_number_without_country_code_is_of_the_tenants_region(service: ServiceUnderTest) -> None:
    contact = await service.tenant(region="US").create("/v1/contacts", phones=[{"number": "(201) 555-0123"}])
    assert contact["phones"][0]["number"] == "+12015550123"


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({}, "", "identity_required"),
        ({"tags": ["x"], "title": "Buyer"}, "", "identity_required"),
        ({"full_name": "   "}, "/full_name", "too_short"),
        ({"emails": [{"address": "a@example.com"}, {"address": "nobody"}]}, "/emails/1/address", "email"),
        ({"emails": [{"address": f"{n}@x.cn", "primary": True} for n in range(2)]}, "", "primary_email"),
        ({"phones": [{"number": "+8613800138000"}, {"number": "12345"}]}, "/phones/1/number", "phone"),
        ({"full_name": "a", "birthday": "2026-02-30"}, "/birthday", "format"),
        ({"full_name": "a", "lifecycle_stage": "friend"}, "/lifecycle_stage", "unknown_stage"),
        ({"full_name": "a", "account_id": "account_01jd3zq8w9e2vbx7k5m4n6p8qr"}, "/account_id", "not_found"),
        ({"full_name": "a", "account_id": "contact_01jd3zq8w9e2vbx7k5m4n6p8qr"}, "/account_id", "format"),
        ({"full_name": "a", "custom": {"Bad Name": 1}}, None, "format"),
        ({"full_name": "a", "custom": {"deep": {"a": 1}}}, "/custom/deep", None),
    ],
)
async def test_input_that_cannot_be_is_refused_with_its_place(
    service: ServiceUnderTest, body: dict[str, Any], pointer: str | None, code: str | None
) -> None:
    answer = await service.tenant().client.post("/v1/contacts", json=body, headers={"Accept-Language": "zh"})
    [first, *_] = answer.json()["errors"]
    assert answer.status_code == 422
    assert pointer in (None, first["pointer"])
    assert code in (None, first["code"])
    assert not first["detail"].isascii()


@pytest.mark.parametrize(
    ("patch", "names"),
    [
        ({"first_name": "小梅"}, ("小梅", "欧阳", "欧阳小梅")),
        ({"full_name": "王伟"}, ("伟", "王", "王伟")),
        ({"first_name": "Mei", "full_name": "Mei O."}, ("Mei", "欧阳", "Mei O.")),
        ({"full_name": None}, ("晓梅", "欧阳", "欧阳晓梅")),
        ({"title": "Buyer"}, ("晓梅", "欧阳", "欧阳晓梅")),
    ],
)
async def test_the_parts_of_a_name_follow_one_another(
    service: ServiceUnderTest, patch: dict[str, Any], names: tuple[str, str, str]
) -> None:
    tenant = service.tenant()
    contact = await tenant.create("/v1/contacts", full_name="欧阳晓梅")
    changed = (await tenant.client.patch(f"/v1/contacts/{contact['id']}", json=patch)).json()
    assert (changed["first_name"], changed["last_name"], changed["full_name"]) == names


async def test_filters_find_however_the_value_is_spelled(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    contact = await tenant.create(
        "/v1/contacts",
        emails=[{"address": "Xiao.Mei@Example.com"}, {"address": "b@example.com"}],
        phones=[{"number": "13800138000"}],
        external_ids={"shop": "A-1"},
        tags=["vip"],
    )
    await tenant.create("/v1/contacts", emails=[{"address": "other@example.com"}], full_name="Other")
    for name, value in (
        ("email", "xiao.mei@example.COM"),
        ("email", "B@EXAMPLE.COM"),
        ("phone", "+86 138-0013-8000"),
        ("phone", "+8613800138000"),
        ("external_id", "shop:A-1"),
        ("tag", "vip"),
    ):
        assert (await tenant.read("/v1/contacts", **{name: value}))["data"] == [contact], (name, value)
    for name, value in (("external_id", "shop:a-1"), ("tag", "VIP"), ("email", "mei@example.com")):
        assert (await tenant.read("/v1/contacts", **{name: value}))["data"] == [], (name, value)
    where = {
        "any": [{"field": "email", "op": "starts_with", "value": "XIAO."}, {"field": "tag", "op": "eq", "value": "-"}]
    }
    found = await tenant.client.post("/v1/contacts/search", json={"where": where})
    assert found.json()["data"] == [contact]


async def test_an_external_id_belongs_to_one_contact_even_in_a_race(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    bodies = [{"full_name": f"Person {n}", "external_ids": {"shop": "1", "erp": str(n)}} for n in range(12)]
    answers = await asyncio.gather(*(tenant.client.post("/v1/contacts", json=body) for body in bodies))
    [made] = [answer.json() for answer in answers if answer.status_code == 201]
    refused = [answer.json() for answer in answers if answer.status_code != 201]
    assert {(problem["status"], problem["code"]) for problem in refused} == {(409, "external_id_taken")}
    assert {problem["contact_id"] for problem in refused} == {made["id"]}

    other = await tenant.create("/v1/contacts", full_name="Other", external_ids={"shop": "2"})
    clash = await tenant.client.patch(f"/v1/contacts/{other['id']}", json={"external_ids": {"shop": "1"}})
    assert clash.status_code == 409
    assert (await service.tenant().create("/v1/contacts", external_ids={"shop": "1"}))["version"] == 1
    await tenant.client.delete(f"/v1/contacts/{made['id']}")
    assert (await tenant.client.patch(f"/v1/contacts/{other['id']}", json={"external_ids": {"shop": "1"}})).is_success


async def _upsert(tenant: Tenant, match: str, data: dict[str, Any]) -> dict[str, Any]:
    operation = {"method": "upsert", "match": match, "data": data}
    answer = await tenant.client.post("/v1/contacts/batch", json={"operations": [operation]})
    [result] = answer.json()["results"]
    assert isinstance(result, dict)
    return result


@pytest.mark.parametrize(
    ("match", "data"),
    [
        ("email", [{"emails": [{"address": spelling}]} for spelling in ("a@Example.com", "A@example.com")]),
        ("phone", [{"phones": [{"number": spelling}]} for spelling in ("13800138000", "+86 138 0013 8000")]),
        ("external_id", [{"external_ids": {"shop": "1"}}, {"external_ids": {"shop": "1"}}]),
    ],
)
async def test_upserts_at_once_make_one_contact(
    service: ServiceUnderTest, match: str, data: list[dict[str, Any]]
) -> None:
    tenant = service.tenant()
    results = await asyncio.gather(*(_upsert(tenant, match, {**data[n % 2], "title": f"Title {n}"}) for n in range(12)))
    assert sorted(result["status"] for result in results) == [200] * 11 + [201]
    assert len({result["id"] for result in results}) == 1
    assert sorted(result["version"] for result in results) == list(range(1, 13))
    assert len((await tenant.read("/v1/contacts"))["data"]) == 1


async def test_an_upsert_without_its_key_or_with_several_matches_says_so(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    for name in ("One", "Two"):
        await tenant.create("/v1/contacts", full_name=name, emails=[{"address": "shared@example.com"}])
    several = await _upsert(tenant, "email", {"emails": [{"address": "shared@example.com"}], "title": "Buyer"})
    assert (several["status"], len(several["error"]["candidates"])) == (409, 2)
    without: list[dict[str, Any]] = [
        {"full_name": "No key"},
        {"emails": []},
        {"emails": None},
        {"emails": "a@example.com"},
    ]
    for data in without:
        missing = await _upsert(tenant, "email", data)
        assert (missing["status"], missing["error"]["errors"][0]["pointer"]) == (422, "/emails")
    assert len((await tenant.read("/v1/contacts"))["data"]) == 2


@pytest.mark.parametrize("number", [1e300, 1e19, -1e200, 5e-324])
@pytest.mark.parametrize("path", ["/v1/contacts", "/v1/activities"])
async def test_a_number_of_any_size_survives_to_the_deletion(
    service: ServiceUnderTest, path: str, number: float
) -> None:
    """PostgreSQL writes 1e300 out in 301 digits, which read back as an integer no JSON writer takes."""
    tenant = service.tenant()
    contact = await tenant.create("/v1/contacts", full_name="王伟")
    body = {"kind": "call", "contact_id": contact["id"], "data": {"n": number}}
    entity = await tenant.create(
        path, **({"full_name": "李娜", "custom": {"n": number}} if path == "/v1/contacts" else body)
    )
    member = "custom" if path == "/v1/contacts" else "data"
    patched = await tenant.client.patch(
        f"{path}/{entity['id']}", json={"title" if member == "custom" else "subject": "x"}
    )
    assert (patched.status_code, patched.json()[member]) == (200, {"n": number})
    assert (await tenant.client.delete(f"{path}/{entity['id']}")).status_code == 204
