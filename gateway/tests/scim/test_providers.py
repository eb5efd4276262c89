"""The requests that identity providers send, in the form in which they document them."""

from typing import Any

from crm_testkit.door import Keyholder

CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


async def known(tenant: Keyholder, user_id: str) -> dict[str, Any]:
    return dict((await tenant.client.get(f"/v1/users/{user_id}")).json())


async def test_entra_provisions_a_user(tenant: Keyholder, scim: Any) -> None:
    """Microsoft, "Develop and plan provisioning for a SCIM endpoint in Microsoft Entra ID"."""
    address = "Test_User_ab6490ee@testuser.com"
    absent = await scim.call("GET", "/Users", params={"filter": f'userName eq "{address}"'})
    assert (absent.status_code, absent.json()["totalResults"], absent.json()["Resources"]) == (200, 0, [])
    body = {
        "schemas": [CORE, ENTERPRISE],
        "externalId": "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef",
        "userName": address,
        "active": True,
        "emails": [{"primary": True, "type": "work", "value": "Test_User_fd0ea19b@testuser.com"}],
        "meta": {"resourceType": "User"},
        "name": {"formatted": "givenName familyName", "familyName": "familyName", "givenName": "givenName"},
        "roles": [],
        ENTERPRISE: {"employeeNumber": "701984", "department": "Sales"},
    }
    made = await scim.call("POST", "/Users", body)
    assert made.status_code == 201, made.text
    user_id = made.json()["id"]
    assert await scim.found("Users", f'userName eq "{address.upper()}"') == [user_id]
    assert await scim.found("Users", 'externalId eq "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef"') == [user_id]
    assert await scim.found("Users", f'emails[type eq "work"].value eq "{address}"') == [user_id]
    operations: list[dict[str, Any]] = [
        {"op": "Replace", "path": 'emails[type eq "work"].value', "value": "updatedEmail@microsoft.com"},
        {"op": "Replace", "path": "name.familyName", "value": "updatedFamilyName"},
        {"op": "Add", "path": 'phoneNumbers[type eq "mobile"].value', "value": "+8613800138000"},
        {"op": "Add", "path": f"{ENTERPRISE}:manager", "value": [{"$ref": "x", "value": "y"}]},
        {"op": "Replace", "path": "displayName", "value": "新名"},
        {"op": "Replace", "path": "userName", "value": "5b50642d-79fc-4410-9e90-4c077cdd1a59@testuser.com"},
        {"op": "Replace", "path": "preferredLanguage", "value": "zh-Hans"},
    ]
    answer = await scim.call("PATCH", f"/Users/{user_id}", {"schemas": [PATCH], "Operations": operations})
    assert answer.status_code == 200, answer.text
    user = await known(tenant, user_id)
    assert user["email"] == "5b50642d-79fc-4410-9e90-4c077cdd1a59@testuser.com"
    assert (user["name"], user["language"]) == ("新名", "zh-Hans")
    # "Disable user", in both of the forms that Entra has for it.
    for value, status in ((False, "disabled"), ("True", "active"), ("False", "disabled")):
        off = {"schemas": [PATCH], "Operations": [{"op": "Replace", "path": "active", "value": value}]}
        assert (await scim.call("PATCH", f"/Users/{user_id}", off)).json()["active"] is (status == "active")
        assert (await known(tenant, user_id))["status"] == status
    dotted = {"name.givenName": "静", "name.familyName": "陈", f"{ENTERPRISE}:department": "销售", "active": "True"}
    answer = await scim.call("PATCH", f"/Users/{user_id}", {"Operations": [{"op": "replace", "value": dotted}]})
    assert answer.status_code == 200, answer.text
    user = await known(tenant, user_id)
    assert (user["name"], user["status"]) == ("陈静", "active")
    assert (await scim.call("DELETE", f"/Users/{user_id}")).status_code == 204


async def test_entra_provisions_a_group(scim: Any) -> None:
    jing, wei = await scim.user("jing"), await scim.user("wei")
    body = {
        "schemas": [GROUP, "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"],
        "externalId": "8aa1a0c0-c4c3-4bc0-b4a5-2ef676900159",
        "displayName": "displayName",
        "meta": {"resourceType": "Group"},
    }
    group = (await scim.call("POST", "/Groups", body)).json()
    params = {"excludedAttributes": "members", "filter": 'displayName eq "displayName"'}
    [found] = (await scim.call("GET", "/Groups", params=params)).json()["Resources"]
    assert (found["id"], found.keys()) == (group["id"], {"schemas", "id", "displayName", "meta"})
    rename = {"op": "Replace", "path": "displayName", "value": "1879db59-3bdf-4490-ad68-ab880a269474updated"}
    assert (await scim.patched("Groups", group, rename)).status_code == 204
    for user in (jing, wei):
        join = {"op": "Add", "path": "members", "value": [{"$ref": None, "value": user["id"]}]}
        assert (await scim.patched("Groups", group, join)).status_code == 204
    assert await scim.found("Groups", f'id eq "{group["id"]}" and members eq "{wei["id"]}"') == [group["id"]]
    leave = {"op": "Remove", "path": "members", "value": [{"$ref": None, "value": jing["id"]}]}
    assert (await scim.patched("Groups", group, leave)).status_code == 204
    assert await scim.members(group) == {wei["id"]}
    leave = {"op": "Remove", "path": f'members[value eq "{wei["id"]}"]'}
    assert (await scim.patched("Groups", group, leave)).status_code == 204
    assert await scim.members(group) == set()
    assert (await scim.call("DELETE", f"/Groups/{group['id']}")).status_code == 204


async def test_okta_provisions_a_user(tenant: Keyholder, scim: Any) -> None:
    """Okta, "SCIM 2.0 Protocol Reference"."""
    first = await scim.call("GET", "/Users", params={"startIndex": 1, "count": 1})
    assert first.json()["Resources"] == []
    body = {
        "schemas": [CORE],
        "userName": "test.user@okta.example.com",
        "name": {"givenName": "Test", "familyName": "User"},
        "emails": [{"primary": True, "value": "test.user@okta.example.com", "type": "work"}],
        "displayName": "Test User",
        "locale": "en-US",
        "externalId": "00ujl29u0le5T6Aj10h7",
        "groups": [],
        "password": "1mz050nq",
        "active": True,
    }
    made = await scim.call("POST", "/Users", body)
    assert made.status_code == 201, made.text
    user_id = made.json()["id"]
    assert "1mz050nq" not in made.text
    assert (await known(tenant, user_id))["language"] == "en-US"
    assert await scim.found("Users", 'userName eq "test.user@okta.example.com"') == [user_id]
    whole = (await scim.call("GET", f"/Users/{user_id}")).json()
    whole["displayName"], whole["name"] = "Test Updated", {"givenName": "Test", "familyName": "Updated"}
    replaced = await scim.call("PUT", f"/Users/{user_id}", {**whole, "locale": "en-US"})
    assert (replaced.status_code, replaced.json()["displayName"]) == (200, "Test Updated")
    off = {"schemas": [PATCH], "Operations": [{"op": "replace", "value": {"active": False}}]}
    assert (await scim.call("PATCH", f"/Users/{user_id}", off)).json()["active"] is False


async def test_okta_pushes_a_group(scim: Any) -> None:
    jing, wei = await scim.user("jing"), await scim.user("wei")
    group = (
        await scim.call("POST", "/Groups", {"schemas": [GROUP], "displayName": "Test SCIMv2", "members": []})
    ).json()
    rename = {"op": "replace", "value": {"id": group["id"], "displayName": "Test SCIMv2 renamed"}}
    assert (await scim.patched("Groups", group, rename)).status_code == 204
    foreign = {"op": "replace", "value": {"id": "team_01jd3zq8w9e2vbx7k5m4n6p8qr", "displayName": "x"}}
    refused = await scim.patched("Groups", group, foreign)
    assert (refused.status_code, refused.json()["scimType"]) == (400, "mutability")
    change: list[dict[str, Any]] = [
        {"op": "remove", "path": f'members[value eq "{wei["id"]}"]'},
        {"op": "add", "path": "members", "value": [{"value": jing["id"], "display": "jing@example.com"}]},
    ]
    assert (await scim.patched("Groups", group, *change)).status_code == 204
    assert await scim.members(group) == {jing["id"]}
    every = [{"value": user["id"], "display": user["userName"]} for user in (jing, wei)]
    assert (
        await scim.patched("Groups", group, {"op": "replace", "path": "members", "value": every})
    ).status_code == 204
    assert await scim.members(group) == {jing["id"], wei["id"]}
    put = {"schemas": [GROUP], "id": group["id"], "displayName": "Test SCIMv2", "members": every[:1]}
    assert (await scim.call("PUT", f"/Groups/{group['id']}", put)).status_code == 200
    assert await scim.members(group) == {jing["id"]}


async def test_onelogin_and_keycloak_say_add_where_they_mean_replace(tenant: Keyholder, scim: Any) -> None:
    made = await scim.user("jing", displayName="旧")
    add = {"op": "add", "value": {"displayName": "新", "active": False, "emails": [{"value": "x@example.com"}]}}
    assert (await scim.patched("Users", made, add)).status_code == 200
    user = await known(tenant, made["id"])
    assert (user["name"], user["status"], user["email"]) == ("新", "disabled", "jing@example.com")
