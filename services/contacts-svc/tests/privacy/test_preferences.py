"""A person's own page: what was consented to, granted and withdrawn with the same ease, by a link and nothing else."""

import asyncio
from typing import Any

import httpx
import pytest
from crm_testkit.service import ServiceUnderTest, Tenant

WORDING = "我同意通过邮件接收新品资讯，可随时撤回。"


@pytest.fixture
async def contact(tenant: Tenant) -> dict[str, Any]:
    return await tenant.create("/v1/contacts", full_name="欧阳晓梅", emails=[{"address": "mei@example.com"}])


async def purpose(tenant: Tenant, name: str = "newsletter", **others: Any) -> dict[str, Any]:
    body = {"label": {"en": name, "zh": "资讯"}, "wording": WORDING, "channels": ["email"], **others}
    return await tenant.create("/v1/consent-purposes", purpose=name, **body)


async def link(tenant: Tenant, contact: dict[str, Any], **body: Any) -> str:
    answer = await tenant.client.post(f"/v1/contacts/{contact['id']}/preference-link", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["path"])


@pytest.fixture
async def nobody(service: ServiceUnderTest) -> httpx.AsyncClient:
    """Without any credential."""
    return service.anonymous()


async def ledger(tenant: Tenant, contact: dict[str, Any]) -> list[dict[str, Any]]:
    return list((await tenant.read(f"/v1/contacts/{contact['id']}/consents"))["data"])


async def test_granting_and_withdrawing_take_the_same_one_call(
    tenant: Tenant, contact: dict[str, Any], nobody: httpx.AsyncClient
) -> None:
    made = await purpose(tenant, separate=True)
    path = await link(tenant, contact)
    shown = await nobody.get(path)
    assert (shown.status_code, shown.headers["cache-control"]) == (200, "no-store")
    assert shown.json()["name"] == "欧***"
    [one] = shown.json()["preferences"]
    assert (one["purpose"], one["status"], one["wording"], one["separate"]) == ("newsletter", None, WORDING, True)

    for status in ("granted", "granted", "withdrawn"):
        decided = {"channel": "email", "purpose": "newsletter", "status": status}
        answer = await nobody.post(path, json={"preferences": [decided]})
        assert answer.json()["preferences"][0]["status"] == status
    withdrawn, granted = await ledger(tenant, contact)  # what is so already is not written again
    assert (granted["status"], granted["wording"], granted["source"]) == ("granted", WORDING, "preference_page")
    assert granted["evidence"] == {"wording_version": 1, "consent_purpose_id": made["id"]}
    assert granted["separate"] is True
    assert withdrawn["status"] == "withdrawn"

    await nobody.post(path, json={"do_not_contact": True})
    assert (await tenant.read(f"/v1/contacts/{contact['id']}"))["do_not_contact"] is True


async def test_what_is_offered_no_more_can_be_withdrawn_only(
    tenant: Tenant, contact: dict[str, Any], nobody: httpx.AsyncClient
) -> None:
    told = {"channel": "sms", "purpose": "old", "status": "granted", "source": "form"}
    await tenant.create(f"/v1/contacts/{contact['id']}/consents", **told)
    path = await link(tenant, contact)
    assert [one["purpose"] for one in (await nobody.get(path)).json()["preferences"]] == ["old"]
    for channel, name, status, expected in (
        ("sms", "old", "granted", 422),
        ("sms", "old", "withdrawn", 200),
        ("email", "invented", "withdrawn", 422),
    ):
        decided = {"channel": channel, "purpose": name, "status": status}
        answer = await nobody.post(path, json={"preferences": [decided]})
        assert answer.status_code == expected, answer.text
    assert [entry["status"] for entry in await ledger(tenant, contact)] == ["withdrawn", "granted"]


async def test_a_link_is_good_for_its_time_and_its_person_alone(
    tenant: Tenant, contact: dict[str, Any], nobody: httpx.AsyncClient, service: ServiceUnderTest
) -> None:
    path = await link(tenant, contact, days=1)
    for wrong in (path[:-1], path[:-1] + ("A" if path[-1] != "A" else "B"), "/v1/preferences/x", path.replace(".", "")):
        answer = await nobody.get(wrong)
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_link")
    stranger = service.tenant()
    assert (await stranger.client.post(f"/v1/contacts/{contact['id']}/preference-link", json={})).status_code == 404
    await tenant.client.delete(f"/v1/contacts/{contact['id']}")
    assert (await nobody.get(path)).status_code == 404


async def test_the_link_of_a_merged_contact_leads_to_the_one_that_is_left(
    tenant: Tenant, contact: dict[str, Any], nobody: httpx.AsyncClient
) -> None:
    path = await link(tenant, contact)
    survivor = await tenant.create("/v1/contacts", full_name="司马相如")
    await tenant.create(f"/v1/contacts/{survivor['id']}/merge", **{"from": [contact["id"]]})
    assert (await nobody.get(path)).json()["name"] == "司***"


async def test_other_words_are_another_version(tenant: Tenant) -> None:
    made = await purpose(tenant)
    path = f"/v1/consent-purposes/{made['id']}"
    for change, version in (({"active": False}, 1), ({"wording": "Other words"}, 2), ({"position": 3}, 2)):
        assert (await tenant.client.patch(path, json=change)).json()["wording_version"] == version
    assert (await tenant.client.patch(path, json={"purpose": "other"})).status_code == 422
    again = await tenant.client.post(
        "/v1/consent-purposes", json={"purpose": "newsletter", "label": {"en": "x", "zh": "x"}, "wording": "x", "channels": ["sms"]}
    )  # fmt: skip
    assert (again.status_code, again.json()["consent_purpose_id"]) == (409, made["id"])


async def test_what_takes_a_consent_of_its_own_is_not_granted_with_others(
    tenant: Tenant, contact: dict[str, Any]
) -> None:
    await purpose(tenant, "cross-border", separate=True)
    entry = {"channel": "email", "purpose": "cross-border", "status": "granted", "source": "form"}
    path = f"/v1/contacts/{contact['id']}/consents"
    answer = await tenant.client.post(path, json=entry)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "separate_consent")
    assert (await tenant.client.post(path, json={**entry, "separate": True})).status_code == 201
    withdrawn = await tenant.client.post(path, json={**entry, "status": "withdrawn"})
    assert withdrawn.status_code == 201, "a withdrawal needs nothing"


async def test_two_decisions_at_once_are_both_written(
    tenant: Tenant, contact: dict[str, Any], nobody: httpx.AsyncClient
) -> None:
    await purpose(tenant, channels=["email", "sms"])
    path = await link(tenant, contact)
    decided = [{"channel": channel, "purpose": "newsletter", "status": "granted"} for channel in ("email", "sms")]
    answers = await asyncio.gather(*(nobody.post(path, json={"preferences": [one]}) for one in decided))
    assert [answer.status_code for answer in answers] == [200, 200]
    assert sorted(entry["number"] for entry in await ledger(tenant, contact)) == [1, 2]


async def test_a_key_that_is_none_is_refused_from_anybody(
    tenant: Tenant, contact: dict[str, Any], nobody: httpx.AsyncClient
) -> None:
    path = await link(tenant, contact)
    for key, status in (("x" * 300, 400), ("a-key", 200), ("a-key", 200)):
        answer = await nobody.post(path, json={}, headers={"Idempotency-Key": key})
        assert answer.status_code == status, answer.text
