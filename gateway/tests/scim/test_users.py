"""Users by SCIM are the users of `/v1/users`: one store, one set of rules."""

import asyncio
from typing import Any

import pytest
from crm_contracts.registry import USER as USER_TOPIC
from crm_testkit.door import Door, Keyholder

CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"


async def known(tenant: Keyholder, user_id: str) -> dict[str, Any]:
    answer = await tenant.client.get(f"/v1/users/{user_id}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_what_scim_says_is_what_relata_keeps(door: Door, tenant: Keyholder, scim: Any) -> None:
    made = await scim.user(
        externalId="00u1", displayName="陈静", active=True, preferredLanguage="zh-CN", name={"givenName": "J"}
    )
    user = await known(tenant, made["id"])
    assert {name: user[name] for name in ("email", "name", "status", "language", "external_id", "version")} == {
        "email": "jing@example.com",
        "name": "陈静",
        "status": "active",
        "language": "zh-CN",
        "external_id": "00u1",
        "version": 1,
    }
    assert made["emails"] == [{"value": "jing@example.com", "type": "work", "primary": True}]
    assert made["meta"]["location"] == f"/scim/v2/Users/{made['id']}"
    [event] = await door.service.events(USER_TOPIC.name, key=made["id"])
    assert event.entity is not None
    assert event.entity["name"] == "陈静"


async def test_what_is_not_kept_is_dropped_and_does_not_come_back(scim: Any) -> None:
    extra: dict[str, Any] = {
        "schemas": [CORE, ENTERPRISE],
        "title": "经理",
        "phoneNumbers": [{"value": "+8613800138000", "type": "mobile"}],
        "password": "s3cret-never-kept",
        "roles": [{"value": "admin"}],
        "groups": [{"value": "team_01jd3zq8w9e2vbx7k5m4n6p8qr"}],
        "meta": {"resourceType": "User"},
        "id": "theirs",
        ENTERPRISE: {"department": "Sales", "manager": {"value": "x"}},
    }
    answer = await scim.call("POST", "/Users", {"userName": "jing@example.com", **extra})
    assert answer.status_code == 201, answer.text
    assert answer.json().keys() == {"schemas", "id", "userName", "active", "emails", "meta"}
    assert answer.json()["schemas"] == [CORE]
    assert answer.json()["id"].startswith("user_")
    assert "s3cret" not in (await scim.call("GET", f"/Users/{answer.json()['id']}")).text


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ({"displayName": "Jing Chen", "name": {"formatted": "x", "givenName": "y", "familyName": "z"}}, "Jing Chen"),
        ({"name": {"formatted": "Jing C.", "givenName": "y", "familyName": "z"}}, "Jing C."),
        ({"name": {"givenName": "Jing", "familyName": "Chen"}}, "Jing Chen"),
        ({"name": {"givenName": "静", "familyName": "陈"}}, "陈静"),
        ({"name": {"givenName": "晓梅", "familyName": "欧阳"}}, "欧阳晓梅"),
        ({"name": {"givenName": "太郎", "familyName": "山田"}}, "山田太郎"),
        ({"name": {"givenName": "Jing", "familyName": "陈"}}, "Jing 陈"),
        ({"name": {"familyName": "陈"}}, "陈"),
        ({}, "jing@example.com"),
    ],
)
async def test_a_name_of_its_parts(tenant: Keyholder, scim: Any, said: dict[str, Any], name: str) -> None:
    made = await scim.user(**said)
    assert (await known(tenant, made["id"]))["name"] == name
    assert made.get("displayName") == (name if said else None)


@pytest.mark.parametrize(
    ("said", "language"),
    [
        ({"preferredLanguage": "zh-CN", "locale": "en-US"}, "zh-CN"),
        ({"locale": "en_US"}, "en-US"),
        ({"preferredLanguage": "da, en-gb;q=0.8, en;q=0.7"}, "da"),
        ({}, None),
    ],
)
async def test_a_language_however_it_is_written(
    tenant: Keyholder, scim: Any, said: dict[str, Any], language: str | None
) -> None:
    made = await scim.user(**said)
    assert (await known(tenant, made["id"]))["language"] == language
    assert made.get("preferredLanguage") == language


@pytest.mark.parametrize(
    ("body", "scim_type", "word"),
    [
        ({}, "invalidValue", "userName"),
        ({"userName": None}, "invalidValue", "userName"),
        ({"userName": "jing"}, "invalidValue", "address"),
        ({"userName": "jing", "emails": [{"value": "jing@example.com", "primary": True}]}, "invalidValue", "address"),
        ({"userName": "jing@corp.local"}, "invalidValue", "address"),
        ({"userName": 7}, "invalidValue", "userName"),
        ({"userName": ["jing@example.com"]}, "invalidValue", "userName"),
        ({"userName": "jing@example.com", "active": "perhaps"}, "invalidValue", "active"),
        ({"userName": "jing@example.com", "active": 1}, "invalidValue", "active"),
        ({"userName": "jing@example.com", "active": "yes"}, "invalidValue", "active"),
        ({"userName": "jing@example.com", "displayName": "x" * 201}, "invalidValue", "displayName"),
        ({"userName": "jing@example.com", "preferredLanguage": "*"}, "invalidValue", "preferredLanguage"),
        ({"userName": "jing@example.com", "externalId": "x" * 201}, "invalidValue", "externalId"),
        ({"userName": "jing@example.com", "schemas": "x"}, "invalidValue", "schemas"),
        ({"userName": "jing@example.com", "displayName": "a\u0000b"}, "invalidValue", ""),
    ],
)
async def test_what_cannot_be_kept_is_refused(scim: Any, body: dict[str, Any], scim_type: str, word: str) -> None:
    answer = await scim.call("POST", "/Users", {"schemas": [CORE], **body})
    assert (answer.status_code, answer.json().get("scimType")) == (400, scim_type), answer.text
    assert word in answer.json()["detail"]
    assert await scim.found("Users") == []


@pytest.mark.parametrize(
    "taken", [{"userName": "JING@Example.com"}, {"userName": "b@example.com", "externalId": "E-7"}]
)
async def test_two_users_do_not_share_an_identity(door: Door, scim: Any, taken: dict[str, str]) -> None:
    await scim.user(externalId="E-7")
    other = await scim.user("other")
    answers = [
        await scim.call("POST", "/Users", taken),
        await scim.call("PUT", f"/Users/{other['id']}", taken),
        await scim.patched("Users", other, {"op": "replace", "value": taken}),
    ]
    for answer in answers:
        assert (answer.status_code, answer.json()["scimType"]) == (409, "uniqueness"), answer.text
    stranger = type(scim)((await door.tenant("Other")).client)
    assert (await stranger.call("POST", "/Users", taken)).status_code == 201


async def test_of_several_at_once_one_is_created(scim: Any) -> None:
    for number in range(5):
        body = {"userName": f"once{number}@example.com", "externalId": f"E-{number}"}
        answers = await asyncio.gather(*(scim.call("POST", "/Users", body) for _ in range(3)))
        assert sorted(answer.status_code for answer in answers) == [201, 409, 409]
        assert {answer.json()["scimType"] for answer in answers if answer.status_code == 409} == {"uniqueness"}


async def test_put_replaces_what_scim_speaks_of_and_nothing_else(tenant: Keyholder, scim: Any) -> None:
    made = await scim.user(externalId="E-7", displayName="陈静", preferredLanguage="zh-CN", active=False)
    team = (await tenant.client.post("/v1/teams", json={"name": "华东"})).json()
    lead = {"teams": [{"team_id": team["id"], "manager": True}]}
    assert (await tenant.client.patch(f"/v1/users/{made['id']}", json=lead)).status_code == 200
    answer = await scim.call("PUT", f"/Users/{made['id']}", {"schemas": [CORE], "userName": "jing@b.example"})
    assert answer.status_code == 200, answer.text
    user = await known(tenant, made["id"])
    assert (user["email"], user["name"]) == ("jing@b.example", "jing@b.example")
    assert (user["language"], user["external_id"]) == (None, None)
    assert user["status"] == "disabled", "a PUT that does not speak of it must not let anybody in again"
    assert user["teams"] == lead["teams"]
    assert [group["value"] for group in answer.json()["groups"]] == [team["id"]]


async def test_disabled_and_enabled_again(tenant: Keyholder, scim: Any) -> None:
    made = await scim.user()
    for active, status in ((False, "disabled"), (True, "active"), ("False", "disabled"), ("True", "active")):
        answer = await scim.patched("Users", made, {"op": "replace", "path": "active", "value": active})
        assert answer.json()["active"] is (status == "active")
        assert (await known(tenant, made["id"]))["status"] == status


async def test_a_deleted_user_is_gone(tenant: Keyholder, scim: Any) -> None:
    made = await scim.user()
    group = await scim.group("华东", made)
    answer = await scim.call("DELETE", f"/Users/{made['id']}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["consistency-token"] == f"{made['id']}@3"
    assert await scim.members(group) == set()
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        body = {"userName": "x@example.com", "Operations": [{"op": "remove", "path": "displayName"}]}
        again = await scim.call(method, f"/Users/{made['id']}", body if method in ("PUT", "PATCH") else None)
        assert again.status_code == 404, method
    assert (await tenant.client.get(f"/v1/users/{made['id']}")).status_code == 404
    assert (await scim.user())["id"] != made["id"], "the address is free again"


async def test_if_match_guards_and_if_none_match_spares(scim: Any) -> None:
    made = await scim.user()
    tag, path = made["meta"]["version"], f"/Users/{made['id']}"
    assert tag == 'W/"1"'
    for stale in ('W/"7"', '"7"', 'W/"1-1"'):
        for method in ("PUT", "PATCH", "DELETE"):
            body = (
                {"userName": "x@example.com"} if method == "PUT" else {"Operations": [{"op": "remove", "path": "name"}]}
            )
            answer = await scim.call(method, path, None if method == "DELETE" else body, headers={"If-Match": stale})
            assert (answer.status_code, answer.headers["etag"]) == (412, tag)
    assert (await scim.call("DELETE", path, headers={"If-Match": "1"})).status_code == 400
    unchanged = await scim.call("GET", path, headers={"If-None-Match": tag})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    change = {"op": "replace", "path": "displayName", "value": "陈静"}
    for good, version in ((tag, 2), ('"2"', 2), ("*", 2)):  # saying the same again makes no version
        answer = await scim.patched("Users", made, change, headers={"If-Match": good})
        assert (answer.status_code, answer.headers["etag"]) == (200, f'W/"{version}"')
        assert answer.json()["meta"]["version"] == answer.headers["etag"]
    assert (await scim.call("GET", path, headers={"If-None-Match": tag})).status_code == 200


async def test_only_the_attributes_that_are_asked_for(scim: Any) -> None:
    made = await scim.user(displayName="陈静", externalId="E-7")
    group = await scim.group("华东", made)
    always = {"schemas", "id"}
    for params, members in (
        ({"attributes": "userName"}, {"userName"}),
        ({"attributes": "userName,DISPLAYNAME, nonsense"}, {"userName", "displayName"}),
        ({"attributes": f"{CORE}:userName,emails.value"}, {"userName", "emails"}),
        ({"excludedAttributes": "groups,emails,meta,name,active,externalId"}, {"userName", "displayName"}),
    ):
        assert (await scim.read("Users", made, **params)).keys() == always | members, params
    both = await scim.call("GET", f"/Users/{made['id']}", params={"attributes": "id", "excludedAttributes": "name"})
    assert (both.status_code, both.json()["scimType"]) == (400, "invalidValue")
    answer = await scim.call("GET", "/Groups", params={"excludedAttributes": "members"})
    assert [one.keys() for one in answer.json()["Resources"]] == [always | {"displayName", "meta"}]
    shown = await scim.read("Groups", group, attributes="members.display")
    assert shown["members"] == [{"display": "陈静"}]


async def test_pages_hold_everybody_once(scim: Any) -> None:
    made = [(await scim.user(f"u{number}"))["id"] for number in range(7)]
    walked: list[str] = []
    while len(walked) < 7:
        answer = await scim.call("GET", "/Users", params={"startIndex": len(walked) + 1, "count": 3})
        body = answer.json()
        assert (body["totalResults"], body["startIndex"]) == (7, len(walked) + 1)
        assert body["itemsPerPage"] == len(body["Resources"]) <= 3
        walked += [one["id"] for one in body["Resources"]]
    assert walked == made
    for params, expected in (
        ({"startIndex": 0, "count": 2}, made[:2]),
        ({"startIndex": -5, "count": 2}, made[:2]),
        ({"count": 0}, []),
        ({"count": -1}, []),
        ({"startIndex": 8}, []),
        ({"startIndex": 10**30}, []),
        ({"count": 10**30}, made),
        ({"sortBy": "displayName", "sortOrder": "descending"}, made),
        ({"unheard": "of"}, made),
    ):
        answer = await scim.call("GET", "/Users", params=params)
        assert (answer.json()["totalResults"], [one["id"] for one in answer.json()["Resources"]]) == (7, expected), (
            params
        )
    for wrong in ("x", "1.5", ""):
        answer = await scim.call("GET", "/Users", params={"count": wrong})
        assert (answer.status_code, answer.json()["scimType"]) == (400, "invalidValue"), wrong


async def test_a_search_in_a_body_has_types(scim: Any) -> None:
    made = await scim.user()
    for wrong in ({"count": True}, {"count": "5"}, {"startIndex": [1]}, {"attributes": "id"}, {"filter": 7}):
        answer = await scim.call("POST", "/Users/.search", wrong)
        assert (answer.status_code, answer.json()["scimType"]) == (400, "invalidValue"), answer.text
    good = {"count": 5, "startIndex": None, "attributes": ["userName"], "filter": "id pr", "sortBy": "userName"}
    [found] = (await scim.call("POST", "/Users/.search", good)).json()["Resources"]
    assert found == {name: made[name] for name in ("schemas", "id", "userName")}


async def test_a_retry_with_a_key_makes_one_user(scim: Any) -> None:
    body = {"userName": "jing@example.com"}
    first, again = [await scim.call("POST", "/Users", body, headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert (first.status_code, again.status_code, first.content) == (201, 201, again.content)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["content-type"] == "application/scim+json"
