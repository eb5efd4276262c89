"""Static segments and their members."""

import asyncio
from typing import Any

from crm_contracts.ids import ContactId

Shop = Any  # the fixture's class lives in conftest.py, which is no module to import from


async def test_members_are_added_once_and_counted(shop: Shop) -> None:
    segment = await shop.segment()
    path = f"/v1/segments/{segment['id']}/members"
    ids = [ContactId.new() for _ in range(5)]
    added = await shop.post(path, contact_ids=[*ids[:3], ids[0]])
    assert added == {"segment_id": segment["id"], "added": 3, "already": 0, "member_count": 3}
    added = await shop.post(path, contact_ids=ids)
    assert (added["added"], added["already"], added["member_count"]) == (2, 3, 5)

    removed = await shop.client.delete(f"{path}/{ids[0]}")
    assert (removed.status_code, removed.headers["consistency-token"]) == (204, f"{segment['id']}@4")
    for gone in (ids[0], ContactId.new(), "x", "contact_%00"):
        assert (await shop.client.delete(f"{path}/{gone}")).status_code == 404
    now = await shop.tenant.read(f"/v1/segments/{segment['id']}")
    assert (now["member_count"], now["version"]) == (4, 4)
    members = (await shop.tenant.read(path))["data"]
    assert {member["contact_id"] for member in members} == set(ids[1:])

    events = await shop.service.events("crm.campaigns.segment_member", key=members[0]["id"])
    assert (events[0].action, events[0].entity) == ("created", members[0])
    counts = await shop.service.events("crm.campaigns.segment", key=segment["id"], at_least=4)
    assert [event.entity["member_count"] for event in counts if event.entity] == [0, 3, 5, 4]


async def test_a_removed_member_leaves_a_tombstone(shop: Shop) -> None:
    contact_id = ContactId.new()
    segment = await shop.segment(contact_id)
    path = f"/v1/segments/{segment['id']}/members"
    [member] = (await shop.tenant.read(path))["data"]
    await shop.client.delete(f"{path}/{contact_id}")
    events = await shop.service.events("crm.campaigns.segment_member", key=member["id"], at_least=3)
    assert [(event.action, event.entity is None) for event in events] == [
        ("created", False),
        ("deleted", False),
        ("deleted", True),
    ]


async def test_a_thousand_at_once_and_pages_of_them(shop: Shop) -> None:
    segment = await shop.segment()
    path = f"/v1/segments/{segment['id']}/members"
    ids = [ContactId.new() for _ in range(1000)]
    assert (await shop.post(path, contact_ids=ids))["added"] == 1000
    seen: list[str] = []
    cursor = None
    while True:
        page = await shop.tenant.read(path, limit=200, **({"cursor": cursor} if cursor else {}))
        seen += [member["contact_id"] for member in page["data"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert sorted(seen) == sorted(ids)
    assert (await shop.tenant.read(path, contact_id=ids[7]))["data"][0]["contact_id"] == ids[7]
    for bad in ([], [*ids, ContactId.new()], ["x"], ["account_01jd3zq8w9e2vbx7k5m4n6p8qr"]):
        assert (await shop.client.post(path, json={"contact_ids": bad})).status_code == 422


async def test_the_count_is_exact_under_concurrency(shop: Shop) -> None:
    segment = await shop.segment()
    path = f"/v1/segments/{segment['id']}/members"
    ids = [ContactId.new() for _ in range(40)]

    async def work(start: int) -> None:
        await shop.client.post(path, json={"contact_ids": ids[start : start + 20]})
        await shop.client.delete(f"{path}/{ids[start]}")

    await asyncio.gather(*(work(start) for start in range(0, 20, 2)))
    members = (await shop.tenant.read(path, limit=200))["data"]
    count = (await shop.tenant.read(f"/v1/segments/{segment['id']}"))["member_count"]
    assert count == len(members) == len({member["contact_id"] for member in members})


async def test_the_members_of_a_deleted_segment_go_behind_it(shop: Shop) -> None:
    ids = [ContactId.new() for _ in range(450)]  # more than two batches
    segment = await shop.segment(*ids)
    path = f"/v1/segments/{segment['id']}/members"
    assert (await shop.client.delete(f"/v1/segments/{segment['id']}")).status_code == 204
    assert (await shop.client.get(path)).status_code == 404
    async with asyncio.timeout(20):
        while (await shop.post("/internal/facts", contact_ids=ids[:200]))["memberships"]:
            await asyncio.sleep(0.05)


async def test_a_stale_if_match_adds_nobody(shop: Shop) -> None:
    segment = await shop.segment()
    body = {"contact_ids": [ContactId.new()]}
    answer = await shop.client.post(f"/v1/segments/{segment['id']}/members", json=body, headers={"If-Match": '"9"'})
    assert answer.status_code == 412
    assert (await shop.tenant.read(f"/v1/segments/{segment['id']}"))["member_count"] == 0


async def test_another_tenants_segment_is_not_found(shop: Shop) -> None:
    segment = await shop.segment(ContactId.new())
    stranger = shop.service.tenant().client
    path = f"/v1/segments/{segment['id']}/members"
    assert (await stranger.get(path)).status_code == 404
    assert (await stranger.post(path, json={"contact_ids": [ContactId.new()]})).status_code == 404
    assert (await stranger.delete(f"{path}/{ContactId.new()}")).status_code == 404
