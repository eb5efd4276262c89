"""Groups are teams; their members are what users' teams say."""

import asyncio
from typing import Any

import pytest
from crm_contracts.registry import USER as USER_TOPIC
from crm_testkit.door import Door, Keyholder

NOBODY = "user_01jd3zq8w9e2vbx7k5m4n6p8qr"


async def teams_of(tenant: Keyholder, user: dict[str, Any]) -> list[dict[str, Any]]:
    return list((await tenant.client.get(f"/v1/users/{user['id']}")).json()["teams"])


async def test_a_group_with_members_is_a_team_of_them(door: Door, tenant: Keyholder, scim: Any) -> None:
    jing, wei = await scim.user("jing", displayName="陈静"), await scim.user("wei")
    group = await scim.group("华东", jing, wei, externalId="dropped")
    assert {member["value"]: member["$ref"] for member in group["members"]} == {
        user["id"]: f"/scim/v2/Users/{user['id']}" for user in (jing, wei)
    }
    team = (await tenant.client.get(f"/v1/teams/{group['id']}")).json()
    assert (team["name"], team["parent_id"]) == ("华东", None)
    assert await teams_of(tenant, jing) == [{"team_id": group["id"], "manager": False}]
    [shown] = (await scim.read("Users", jing))["groups"]
    assert shown == {
        "value": group["id"],
        "$ref": f"/scim/v2/Groups/{group['id']}",
        "display": "华东",
        "type": "direct",
    }
    events = await door.service.events(USER_TOPIC.name, key=jing["id"], at_least=2)
    assert [(event.sequence, event.changed) for event in events][1] == (2, ("teams",))


async def test_scim_leaves_the_tree_and_who_leads_alone(tenant: Keyholder, scim: Any) -> None:
    top = (await tenant.client.post("/v1/teams", json={"name": "销售部"})).json()
    low = (await tenant.client.post("/v1/teams", json={"name": "华东", "parent_id": top["id"]})).json()
    jing, wei = await scim.user("jing"), await scim.user("wei")
    lead = {"teams": [{"team_id": low["id"], "manager": True}]}
    assert (await tenant.client.patch(f"/v1/users/{jing['id']}", json=lead)).status_code == 200
    both = [{"value": jing["id"]}, {"value": wei["id"]}]
    answers = [
        await scim.call("PUT", f"/Groups/{low['id']}", {"displayName": "华东一部", "members": both}),
        await scim.patched("Groups", low, {"op": "replace", "value": {"displayName": "华东二部", "members": both}}),
    ]
    assert [answer.status_code for answer in answers] == [200, 204]
    team = (await tenant.client.get(f"/v1/teams/{low['id']}")).json()
    assert (team["name"], team["parent_id"]) == ("华东二部", top["id"])
    assert await teams_of(tenant, jing) == lead["teams"]
    assert await teams_of(tenant, wei) == [{"team_id": low["id"], "manager": False}]
    refused = await scim.call("DELETE", f"/Groups/{top['id']}")
    assert (refused.status_code, refused.json().get("scimType")) == (409, None)
    assert (await scim.call("DELETE", f"/Groups/{low['id']}")).status_code == 204
    assert await teams_of(tenant, jing) == await teams_of(tenant, wei) == []


async def test_a_put_without_members_renames_and_no_more(scim: Any) -> None:
    jing = await scim.user()
    group = await scim.group("旧", jing)
    assert (await scim.call("PUT", f"/Groups/{group['id']}", {"displayName": "新"})).json()["displayName"] == "新"
    assert await scim.members(group) == {jing["id"]}
    answer = await scim.call("PUT", f"/Groups/{group['id']}", {"displayName": "新", "members": []})
    assert "members" not in answer.json()


@pytest.mark.parametrize(
    ("member", "word"),
    [
        ({"value": NOBODY}, NOBODY),
        ({"value": "jing@example.com"}, "no user"),
        ({"value": "\u202e" * 200}, "no user"),
        ({"value": ""}, "id"),
        ({"value": None}, "id"),
        ({"display": "Jing"}, "id"),
        ({"value": 7}, ""),
        ({"value": NOBODY, "type": "Group"}, "users alone"),
    ],
)
async def test_who_is_nobody_joins_nothing(scim: Any, member: dict[str, Any], word: str) -> None:
    jing = await scim.user()
    group = await scim.group("华东", jing)
    members = [{"value": jing["id"]}, member]
    answers = [
        await scim.call("POST", "/Groups", {"displayName": "x", "members": members}),
        await scim.call("PUT", f"/Groups/{group['id']}", {"displayName": "x", "members": members}),
        await scim.patched("Groups", group, {"op": "add", "path": "members", "value": [member]}),
    ]
    for answer in answers:
        assert (answer.status_code, answer.json()["scimType"]) == (400, "invalidValue"), answer.text
        assert word in answer.json()["detail"]
    assert await scim.found("Groups") == [group["id"]]
    assert (await scim.read("Groups", group))["displayName"] == "华东"


async def test_who_left_long_ago_may_be_removed_again(scim: Any) -> None:
    group = await scim.group("华东", jing := await scim.user())
    for value in ([{"value": NOBODY}], [{"value": "never-an-id"}], []):
        answer = await scim.patched("Groups", group, {"op": "remove", "path": "members", "value": value})
        assert answer.status_code == 204, answer.text
    gone = {"op": "remove", "path": f'members[value eq "{NOBODY}"]'}
    assert (await scim.patched("Groups", group, gone)).status_code == 204
    assert await scim.members(group) == {jing["id"]}


async def test_another_membership_is_another_version_of_the_group(tenant: Keyholder, scim: Any) -> None:
    jing = await scim.user()
    group = await scim.group("华东")
    tag = group["meta"]["version"]
    join = {"op": "add", "path": "members", "value": [{"value": jing["id"]}]}
    joined = await scim.patched("Groups", group, join, headers={"If-Match": tag})
    assert (joined.status_code, joined.content) == (204, b"")
    assert joined.headers["etag"] != tag
    assert (await scim.read("Groups", group))["meta"]["version"] == joined.headers["etag"]
    stale = await scim.patched("Groups", group, {"op": "remove", "path": "members"}, headers={"If-Match": tag})
    assert (stale.status_code, stale.headers["etag"]) == (412, joined.headers["etag"])
    # Whoever changes a user elsewhere changes the group as SCIM shows it.
    assert (await tenant.client.patch(f"/v1/users/{jing['id']}", json={"teams": []})).status_code == 200
    assert (await scim.read("Groups", group))["meta"]["version"] == tag
    with_answer = await scim.patched("Groups", group, join, params={"attributes": "members"})
    assert [member["value"] for member in with_answer.json()["members"]] == [jing["id"]]


async def test_many_members_at_once_and_no_more_than_may_be(scim: Any) -> None:
    users = [await scim.user(f"u{number}") for number in range(30)]
    group = await scim.group("大", *users)
    removals = [{"op": "remove", "path": f'members[value eq "{user["id"]}"]'} for user in users[:20]]
    assert (await scim.patched("Groups", group, *removals)).status_code == 204
    assert await scim.members(group) == {user["id"] for user in users[20:]}
    by_name = {"op": "remove", "path": 'members[display sw "U2" and display ew "0@example.com"]'}
    assert (await scim.patched("Groups", group, by_name)).status_code == 204
    del users[20]
    assert await scim.members(group) == {user["id"] for user in users[20:]}
    strangers = [{"value": f"user_{number}"} for number in range(1_001)]
    too_many = await scim.patched("Groups", group, {"op": "add", "path": "members", "value": strangers})
    assert (too_many.status_code, too_many.json()["scimType"]) == (400, "tooMany")
    operations = [{"op": "remove", "path": "members"}] * 1_001
    too_many = await scim.patched("Groups", group, *operations)
    assert (too_many.status_code, too_many.json()["scimType"]) == (400, "tooMany")
    looks = [{"op": "remove", "path": 'members[display sw "x"]'}] * 1_000
    assert (await scim.patched("Groups", group, *looks[:100])).status_code == 204
    assert await scim.members(group) == {user["id"] for user in users[20:]}


async def test_changes_of_one_group_at_once_lose_nobody(scim: Any) -> None:
    users = [await scim.user(f"u{number}") for number in range(6)]
    one, other = await scim.group("甲"), await scim.group("乙")

    def join(group: dict[str, Any], user: dict[str, Any]) -> Any:
        return scim.patched("Groups", group, {"op": "add", "path": "members", "value": [{"value": user["id"]}]})

    changes = [join(group, user) for user in users for group in (one, other)]
    renames = [
        scim.call("PUT", f"/Users/{user['id']}", {"userName": user["userName"], "displayName": "新"}) for user in users
    ]
    answers = await asyncio.gather(*changes, *renames)
    assert {answer.status_code for answer in answers} == {204, 200}
    everybody = {user["id"] for user in users}
    assert await scim.members(one) == await scim.members(other) == everybody


async def test_nobody_joins_a_group_while_it_is_deleted(tenant: Keyholder, scim: Any) -> None:
    jing = await scim.user()
    for _ in range(6):
        group = await scim.group("短")
        join = {"op": "add", "path": "members", "value": [{"value": jing["id"]}]}
        joined, deleted = await asyncio.gather(
            scim.patched("Groups", group, join), scim.call("DELETE", f"/Groups/{group['id']}")
        )
        assert (joined.status_code, deleted.status_code) in ((204, 204), (404, 204))
    assert await teams_of(tenant, jing) == []


async def test_a_list_with_members_takes_as_many_statements_however_long_it_is(scim: Any) -> None:
    users = [await scim.user(f"u{number}") for number in range(3)]
    groups = [await scim.group(f"G{number}", *users[: number % 4]) for number in range(8)]
    answer = await scim.call("GET", "/Groups")
    shown = {one["id"]: {member["value"] for member in one.get("members", [])} for one in answer.json()["Resources"]}
    assert shown == {group["id"]: {user["id"] for user in users[: number % 4]} for number, group in enumerate(groups)}


async def test_users_and_groups_are_searched_at_once(scim: Any) -> None:
    jing = await scim.user("jing", displayName="East")
    group = await scim.group("East", jing)
    for filter_, expected in (
        ('displayName eq "east"', [jing["id"], group["id"]]),
        ('meta.resourceType eq "Group"', [group["id"]]),
        ("userName pr", [jing["id"]]),
        ('members[value pr] or userName sw "jing"', [jing["id"], group["id"]]),
        ("not (userName pr)", [group["id"]]),
    ):
        answer = await scim.call("POST", "/.search", {"filter": filter_})
        assert [one["id"] for one in answer.json()["Resources"]] == expected, filter_
        assert answer.json()["totalResults"] == len(expected)
    pages = [await scim.call("POST", "/.search", {"startIndex": start, "count": 1}) for start in (1, 2, 3)]
    assert [[one["id"] for one in page.json()["Resources"]] for page in pages] == [[jing["id"]], [group["id"]], []]
    nothing = await scim.call("POST", "/.search", {"filter": "nonsense pr"})
    assert (nothing.status_code, nothing.json()["scimType"]) == (400, "invalidFilter")
