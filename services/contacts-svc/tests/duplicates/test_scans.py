"""Scans for duplicates over HTTP: what they find is told, dismissed, and merged where that is sure enough."""

import asyncio
from typing import Any

from crm_testkit.guides import examples, guide, tried
from crm_testkit.jobs import ended
from crm_testkit.service import ServiceUnderTest, Tenant


def _person(n: int) -> dict[str, Any]:
    surname, given = "欧王李张刘陈"[n % 6], "晓梅建国志强文辉海波雪峰"[n % 11 :][:2]
    return {"full_name": surname + given, "phones": [{"number": f"138001380{n:02}"}], "wechat": f"wx-{n}-own"}


async def _people(tenant: Tenant) -> dict[str, str]:
    """Twenty people, every fifth of them twice; answers the second of each by the first."""
    pairs = {}
    for n in range(20):
        first = await tenant.create("/v1/contacts", **_person(n))
        if n % 5 == 0:
            pairs[first["id"]] = (await tenant.create("/v1/contacts", **_person(n)))["id"]
    return pairs


async def _scan(tenant: Tenant, **body: Any) -> dict[str, Any]:
    made = await tenant.create("/v1/duplicate-scans", **body)
    return await ended(tenant.client, f"/v1/duplicate-scans/{made['id']}")


async def _pairs(tenant: Tenant, **query: Any) -> list[dict[str, Any]]:
    data: list[dict[str, Any]] = (await tenant.read("/v1/duplicates", **query))["data"]
    return data


async def test_what_a_scan_finds_is_told_the_likeliest_first(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    people = await _people(tenant)
    scan = await _scan(tenant)
    assert (scan["status"], scan["contacts"], scan["compared"], scan["merged"]) == ("succeeded", 24, 24, 0)
    told = await _pairs(tenant)
    sure = [pair for pair in told if pair["score"] > 0.9]
    assert {tuple(pair["contact_ids"]) for pair in sure} == set(people.items())
    assert [pair["score"] for pair in told] == sorted((pair["score"] for pair in told), reverse=True)
    assert all(pair["why"] and pair["status"] == "open" for pair in told)
    assert await tenant.read(f"/v1/duplicates/{sure[0]['id']}") == sure[0]
    await _scan(tenant)
    assert await _pairs(tenant) == told  # the same pairs, under the same ids


async def test_what_was_dismissed_is_not_told_again(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    await _people(tenant)
    await _scan(tenant)
    pair = (await _pairs(tenant))[0]
    older, newer = pair["contact_ids"]
    answer = await tenant.client.post(f"/v1/duplicates/{pair['id']}/dismiss")
    assert (answer.status_code, answer.json()["status"]) == (200, "dismissed")
    await _scan(tenant)
    assert pair["id"] not in {each["id"] for each in await _pairs(tenant, status="open")}
    assert [each["id"] for each in await _pairs(tenant, status="dismissed")] == [pair["id"]]
    for contact, other in ((older, newer), (newer, older)):
        found = await tenant.read(f"/v1/contacts/{contact}/duplicates")
        assert other not in {each["contact"]["id"] for each in found["data"]}
    assert (await tenant.client.post(f"/v1/duplicates/{pair['id']}/reopen")).json()["status"] == "open"


async def test_the_sure_ones_are_merged_and_can_be_given_back(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    people = await _people(tenant)
    scan = await _scan(tenant, merge=True)
    assert (scan["status"], scan["merged"], scan["refused"]) == ("succeeded", len(people), 0)
    for older, newer in people.items():
        gone = await tenant.client.get(f"/v1/contacts/{newer}")
        assert (gone.status_code, gone.json()["merged_into"]) == (410, older)
    assert [pair for pair in await _pairs(tenant) if pair["may_merge"]] == []
    merges = (await tenant.read("/v1/merges"))["data"]
    assert len(merges) == len(people)
    assert (await tenant.client.post(f"/v1/merges/{merges[0]['id']}/undo")).status_code == 200


async def test_who_contradict_one_another_are_left_alone(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    for address in ("one@example.com", "two@example.com"):
        await tenant.create("/v1/contacts", **_person(1), emails=[{"address": address, "verified": True}])
    scan = await _scan(tenant, merge=True)
    assert scan["merged"] == 0
    assert len((await tenant.read("/v1/contacts"))["data"]) == 2


async def test_one_scan_at_a_time(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    await _people(tenant)
    answers = await asyncio.gather(*(tenant.client.post("/v1/duplicate-scans", json={}) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409]
    refused = next(answer.json() for answer in answers if answer.status_code == 409)
    assert refused["code"] == "scan_running"


async def test_the_guides_example_is_answered_as_it_says(service: ServiceUnderTest) -> None:
    (example,) = examples(guide("duplicates.md"))
    await tried(service.tenant().client, example)


async def test_another_tenant_is_told_nothing(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    await _people(tenant)
    await _scan(tenant)
    pair = (await _pairs(tenant))[0]
    other = service.tenant()
    assert await _pairs(other) == []
    assert (await other.client.get(f"/v1/duplicates/{pair['id']}")).status_code == 404
    assert (await other.client.post(f"/v1/duplicates/{pair['id']}/dismiss")).status_code == 404
