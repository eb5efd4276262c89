"""Who may do what by SCIM; what another tenant sees; how a refusal looks."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from crm_testkit.door import Door, Keyholder

USER_ID = "user_01jd3zq8w9e2vbx7k5m4n6p8qr"
EVERY = [
    ("GET", "/Users"),
    ("POST", "/Users"),
    ("POST", "/Users/.search"),
    ("GET", f"/Users/{USER_ID}"),
    ("PUT", f"/Users/{USER_ID}"),
    ("PATCH", f"/Users/{USER_ID}"),
    ("DELETE", f"/Users/{USER_ID}"),
    ("GET", "/Groups"),
    ("POST", "/Groups"),
    ("POST", "/Groups/.search"),
    ("GET", f"/Groups/{USER_ID}"),
    ("PUT", f"/Groups/{USER_ID}"),
    ("PATCH", f"/Groups/{USER_ID}"),
    ("DELETE", f"/Groups/{USER_ID}"),
    ("POST", "/.search"),
]


@pytest.mark.parametrize(("method", "path"), EVERY)
async def test_nothing_without_a_key(door: Door, scim: Any, method: str, path: str) -> None:
    body = {} if method in ("POST", "PUT", "PATCH") else None
    for key in (None, "relata_nonsense"):
        answer = await type(scim)(door.client(key)).call(method, path, body)
        assert answer.status_code == 401, answer.text
        assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_discovery_is_open_to_anybody_and_may_not_be_written(door: Door, scim: Any) -> None:
    stranger = type(scim)(door.client())
    for path in ("/ServiceProviderConfig", "/ResourceTypes", "/Schemas", "/ResourceTypes/User"):
        answer = await stranger.call("GET", path)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/scim+json")
        refused = await stranger.call("POST", path, {})
        assert (refused.status_code, refused.headers["allow"]) == (405, "GET")
    for path in ("/Schemas/urn:x:y", "/ResourceTypes/Device", "/Bulk", "/Me", "/nothing"):
        assert (await stranger.call("GET", path)).status_code == 404


async def test_another_tenants_users_and_groups_are_nowhere(door: Door, scim: Any) -> None:
    jing = await scim.user(externalId="E-7")
    group = await scim.group("华东", jing)
    stranger = type(scim)((await door.tenant("Other")).client)
    own = await stranger.user("own")
    for kind, resource in (("Users", jing), ("Groups", group)):
        path, put = f"/{kind}/{resource['id']}", {"userName": "x@example.com", "displayName": "x"}
        patch = {"Operations": [{"op": "replace", "path": "displayName", "value": "x"}]}
        for method, body in (("GET", None), ("PUT", put), ("PATCH", patch), ("DELETE", None)):
            answer = await stranger.call(method, path, body)
            assert answer.status_code == 404, (method, path, answer.text)
            assert (await stranger.call(method, f"/{kind}/{USER_ID}", body)).status_code == 404
    for kind, filter_ in (
        ("Users", f'id eq "{jing["id"]}" or externalId eq "E-7" or userName sw "jing"'),
        ("Users", f'groups.value eq "{group["id"]}" or groups.display eq "华东"'),
        ("Groups", f'id eq "{group["id"]}" or members eq "{jing["id"]}" or displayName eq "华东"'),
    ):
        assert await scim.found(kind, filter_) != []
        assert await stranger.found(kind, filter_) == []
    join = {"op": "add", "path": "members", "value": [{"value": jing["id"]}]}
    theirs = await stranger.group("Own", own)
    answer = await stranger.patched("Groups", theirs, join)
    assert (answer.status_code, answer.json()["scimType"]) == (400, "invalidValue")
    assert await scim.read("Groups", group) == group


async def test_who_may_read_reads_no_more_than_that(door: Door, tenant: Keyholder, scim: Any) -> None:
    jing = await scim.user(displayName="陈静")
    group = await scim.group("华东", jing)
    only_users = type(scim)(await door.key(tenant, "users:read"))
    only_teams = type(scim)(await door.key(tenant, "teams:read"))
    assert (await only_users.call("GET", f"/Groups/{group['id']}")).status_code == 403
    assert (await only_teams.call("GET", f"/Users/{jing['id']}")).status_code == 403
    [shown] = (await only_users.read("Users", jing))["groups"]
    assert shown.keys() == {"value", "$ref", "type"}, "a team's name is the team's"
    assert "members" not in await only_teams.read("Groups", group), "who belongs to it the users say"
    for client, kind, filter_ in (
        (only_users, "Users", 'groups.display eq "华东"'),
        (only_users, "Users", 'not (groups[display sw "华"])'),
        (only_teams, "Groups", f'members eq "{jing["id"]}"'),
        (only_teams, "Groups", "displayName pr or members pr"),
    ):
        answer = await client.call("GET", f"/{kind}", params={"filter": filter_})
        assert answer.status_code == 403, filter_
    for client in (only_users, only_teams):
        assert (await client.call("POST", "/.search", {})).status_code == 403
        for method, path in EVERY:
            if method in ("PUT", "PATCH", "DELETE"):
                answer = await client.call(method, path, None if method == "DELETE" else {})
                assert (answer.status_code, "admin" in answer.json()["detail"]) == (403, True)


async def test_an_administrators_key_alone_sees_no_names(door: Door, tenant: Keyholder, scim: Any) -> None:
    """`admin` writes; what an answer shows of the other kind takes its reading."""
    admin = type(scim)(await door.key(tenant, "admin"))
    jing = await admin.user()
    group = await admin.group("华东", jing)
    assert "members" not in group
    assert await scim.members(group) == {jing["id"]}
    assert (await admin.call("GET", "/Users")).status_code == 403


async def _endless() -> AsyncIterator[bytes]:
    for _ in range(32):
        yield b" " * 65_536


async def test_a_refusal_has_scims_shape_and_the_readers_language(scim: Any) -> None:
    chinese = {"Accept-Language": "zh-CN"}
    large = scim.client.post("/scim/v2/Users", content=_endless(), headers=chinese)
    for answer, status in (
        (await scim.call("POST", "/Users", {"userName": "x"}, headers=chinese), 400),
        (await scim.call("GET", "/Users", params={"filter": "x"}, headers=chinese), 400),
        (await scim.call("GET", "/Users/nobody", headers=chinese), 404),
        (await scim.call("PUT", "/Users", {}, headers=chinese), 405),
        (await large, 413),
        (await scim.call("POST", "/Users", {}, headers={**chinese, "Content-Type": "text/xml"}), 415),
    ):
        assert (answer.status_code, answer.headers["content-language"]) == (status, "zh-CN")
        assert not answer.json()["detail"].isascii()
    elsewhere = await scim.client.get("/v1/users/nobody")
    assert elsewhere.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("content", "scim_type"),
    [
        (b"{", "invalidSyntax"),
        (b"", "invalidValue"),
        (b"[]", "invalidValue"),
        (b"null", "invalidValue"),
        (b'{"userName": "a@example.com", "userName": "b@example.com"}', "invalidValue"),
        (b'{"userName": "a@example.com", "displayName": "\\ud800"}', "invalidValue"),
        (b'{"userName": "a@example.com", "displayName": ' + b"[" * 5_000 + b"]" * 5_000 + b"}", "invalidValue"),
        (b'{"userName": "a@example.com", "x": NaN}', "invalidSyntax"),
    ],
)
async def test_a_hostile_body_is_a_clear_refusal(scim: Any, content: bytes, scim_type: str) -> None:
    for media_type in ("application/scim+json; charset=utf-8", "application/json"):
        headers = {"Content-Type": media_type}
        answer = await scim.client.post("/scim/v2/Users", content=content, headers=headers)
        assert (answer.status_code, answer.json()["scimType"]) == (400, scim_type), answer.text
    assert await scim.found("Users") == []


async def test_what_would_take_long_to_read_is_refused_at_once(scim: Any) -> None:
    made, group = await scim.user(), await scim.group("华东")
    paths = [{"op": "remove", "path": f'emails[type eq "{"x" * 3_000}"]'}] * 30
    names = [{"op": "replace", "value": {f"{number}{'x' * 200}": 1 for number in range(500)}}]
    nested = [{"op": "replace", "value": {"name": {f"{number}{'x' * 200}": 1 for number in range(500)}}}]
    for kind, operations in (("Users", paths), ("Users", names), ("Groups", nested)):
        answer = await scim.patched(kind, made if kind == "Users" else group, *operations)
        assert (answer.status_code, answer.json()["scimType"]) == (400, "tooMany"), answer.text
    spelled = [{"op": "remove", "path": "title"}] * 1_001
    answer = await scim.call("PATCH", f"/Users/{made['id']}", {"Operations": spelled[:1], "OPERATIONS": spelled})
    assert (answer.status_code, answer.json()["scimType"]) == (400, "tooMany")
    many = [f"userName{number}" for number in range(1_000)]
    for body in ({"attributes": many}, {"excludedAttributes": many}, {"ATTRIBUTES": many}):
        assert (await scim.call("POST", "/Users/.search", body)).json()["scimType"] == "invalidPath"
    answer = await scim.call("GET", f"/Users/{made['id']}", params={"attributes": ",".join(many)})
    assert (answer.status_code, answer.json()["scimType"]) == (400, "invalidPath")
