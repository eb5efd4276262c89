"""Relationships stand with the contact that is left, and are their own again when a merge is undone."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

from crm_contracts.registry import RELATIONSHIP
from crm_testkit.service import ServiceUnderTest, Tenant

Made = Callable[[str], Awaitable[str]]
PATH = "/v1/relationships"
Said = tuple[str, str | None, str | None, str, str]


async def _merge(tenant: Tenant, into: str, *others: str, **options: Any) -> str:
    answer = await tenant.client.post(f"/v1/contacts/{into}/merge", json={"from": list(others), **options})
    assert answer.is_success, answer.text
    return str((answer.json()["merge"] or {}).get("id"))


async def _undo(tenant: Tenant, merge_id: str) -> None:
    answer = await tenant.client.post(f"/v1/merges/{merge_id}/undo")
    assert answer.status_code == 200, answer.text


async def _all(tenant: Tenant) -> set[Said]:
    data = (await tenant.read(PATH, limit=200))["data"]
    return {
        (each["id"], each["account_id"], each["related_contact_id"], each["label"], each["contact_id"]) for each in data
    }


async def test_they_follow_and_come_back(tenant: Tenant, person: Made, company: Made) -> None:
    wei, again, na, acme = await person("王伟"), await person("Wang Wei"), await person("李娜"), await company("Acme")
    role = await tenant.create(PATH, contact_id=again, account_id=acme, label="buyer", started_on="2026-01-01")
    friends = await tenant.create(PATH, contact_id=na, related_contact_id=again, label="friend")
    before = await _all(tenant)

    assert await _merge(tenant, wei, again, dry_run=True) == "None"
    assert await _all(tenant) == before
    merge = await _merge(tenant, wei, again)

    found = await tenant.read(PATH, of_contact_id=wei)
    assert {each["id"] for each in found["data"]} == {role["id"], friends["id"]}
    assert (await tenant.read(f"{PATH}/{friends['id']}"))["related_contact_id"] == wei
    assert (await tenant.read(f"{PATH}/{role['id']}"))["started_on"] == "2026-01-01"
    # By its old id the one that is left is meant.
    made = await tenant.create(PATH, contact_id=again, account_id=acme, label="billing")
    assert made["contact_id"] == wei

    await _undo(tenant, merge)
    assert await _all(tenant) == {*before, (made["id"], acme, None, "billing", wei)}


async def test_what_would_be_there_twice_or_of_one_alone_waits(
    service: ServiceUnderTest, tenant: Tenant, person: Made, company: Made
) -> None:
    wei, again, acme = await person("王伟"), await person("Wang Wei"), await company("Acme")
    first = await tenant.create(PATH, contact_id=wei, account_id=acme, label="buyer", note="first")
    second = await tenant.create(PATH, contact_id=again, account_id=acme, label="Buyer", note="second")
    itself = await tenant.create(PATH, contact_id=wei, related_contact_id=again, label="colleague")
    before = await _all(tenant)
    merge = await _merge(tenant, again, wei)
    [left] = (await tenant.read(PATH))["data"]
    assert (left["id"], left["contact_id"]) == (first["id"], again)
    for gone in (second, itself):
        assert (await tenant.client.get(f"{PATH}/{gone['id']}")).status_code == 404

    await _undo(tenant, merge)

    assert await _all(tenant) == before
    assert (await tenant.read(f"{PATH}/{second['id']}"))["note"] == "second"
    told = [event for event in await service.events(RELATIONSHIP.name) if event.subject == second["id"]]
    assert [event.sequence for event in told if event.entity is not None] == [1, 2, 3]
    assert not told[-1].deleted


async def test_what_the_one_that_is_left_loses_is_not_lost_to_the_other(
    tenant: Tenant, person: Made, company: Made
) -> None:
    wei, again, acme = await person("王伟"), await person("Wang Wei"), await company("Acme")
    await tenant.create(PATH, contact_id=wei, account_id=acme, label="buyer")
    theirs = await tenant.create(PATH, contact_id=again, account_id=acme, label="billing")
    merge = await _merge(tenant, wei, again)
    assert (await tenant.client.delete(f"/v1/contacts/{wei}")).status_code == 204
    assert await _all(tenant) == set()
    await _undo(tenant, merge)
    assert await _all(tenant) == {(theirs["id"], acme, None, "billing", again)}
    # And an account that goes takes also those that wait.
    other = await person("W. Wang")
    await tenant.create(PATH, contact_id=other, account_id=acme, label="billing")
    merge = await _merge(tenant, again, other)
    assert (await tenant.client.delete(f"/v1/accounts/{acme}")).status_code == 204
    await _undo(tenant, merge)
    assert await _all(tenant) == set()


async def test_after_any_merges_all_undone_everything_is_as_it_was(tenant: Tenant, person: Made, company: Made) -> None:
    dice = random.Random(35)
    for _ in range(6):
        people = [await person(f"P{n}") for n in range(5)]
        acme = await company("Acme")
        for one in people:
            await tenant.create(PATH, contact_id=one, account_id=acme, label=dice.choice(["buyer", "billing"]))
            other = dice.choice([each for each in people if each != one])
            body = {"contact_id": one, "related_contact_id": other, "label": "friend"}
            assert (await tenant.client.post(PATH, json=body)).status_code in (201, 409)
        before = await _all(tenant)
        standing, merges = list(people), []
        while len(standing) > 2:
            into, *gone = dice.sample(standing, dice.choice([2, 3]))
            merges.append(await _merge(tenant, into, *gone))
            standing = [each for each in standing if each not in gone]
            for one in {*standing} & {*people}:
                page = await tenant.read(PATH, of_contact_id=one)
                assert all(each["contact_id"] != each["related_contact_id"] for each in page["data"])
        for merge in reversed(merges):
            await _undo(tenant, merge)
        assert await _all(tenant) == before


async def test_none_is_left_behind_that_is_made_while_its_end_goes(tenant: Tenant, person: Made, company: Made) -> None:
    """Merged or deleted at that moment: what is made stands with the one that is left, or is refused, or goes too."""
    acme = await company("Acme")
    for number in range(8):
        left, gone = await person("left"), await person("gone")

        async def ends(gone: str = gone, left: str = left, is_merged: bool = number % 2 == 0) -> int:
            if is_merged:
                answer = await tenant.client.post(f"/v1/contacts/{left}/merge", json={"from": [gone]})
            else:
                answer = await tenant.client.delete(f"/v1/contacts/{gone}")
            return answer.status_code

        bodies = [{"contact_id": gone, "account_id": acme, "label": f"role {n}"} for n in range(6)]
        ending = asyncio.create_task(ends())
        answers = await asyncio.gather(*(tenant.client.post(PATH, json=body) for body in bodies))
        assert await ending in (201, 204)
        assert {answer.status_code for answer in answers} <= {201, 422}
        assert (await tenant.read(PATH, of_contact_id=gone))["data"] == []
        kept = {each["id"] for each in (await tenant.read(PATH, of_contact_id=left))["data"]}
        told = {answer.json()["id"] for answer in answers if answer.status_code == 201}
        assert kept == (told if number % 2 == 0 else set())
