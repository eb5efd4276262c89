"""A tenant's identity provider: a client that speaks SCIM."""

from typing import Any

import httpx
import pytest
from crm_testkit.door import Keyholder

Json = dict[str, Any]

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


class Scim:
    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def call(self, method: str, path: str, body: Json | None = None, **options: Any) -> httpx.Response:
        headers = {"Content-Type": "application/scim+json", **options.pop("headers", {})}
        return await self.client.request(method, f"/scim/v2{path}", json=body, headers=headers, **options)

    async def made(self, kind: str, **body: Any) -> Json:
        schema = USER if kind == "Users" else GROUP
        answer = await self.call("POST", f"/{kind}", {"schemas": [schema], **body})
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def user(self, login: str = "jing", /, **body: Any) -> Json:
        return await self.made("Users", userName=f"{login}@example.com", **body)

    async def group(self, name: str = "华东", *members: Json, **body: Any) -> Json:
        return await self.made("Groups", displayName=name, members=[{"value": one["id"]} for one in members], **body)

    async def read(self, kind: str, resource: Json, **params: Any) -> Json:
        answer = await self.call("GET", f"/{kind}/{resource['id']}", params=params)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def patched(self, kind: str, resource: Json, *operations: Json, **options: Any) -> httpx.Response:
        body = {"schemas": [PATCH], "Operations": list(operations)}
        return await self.call("PATCH", f"/{kind}/{resource['id']}", body, **options)

    async def found(self, kind: str, filter_: str | None = None, **params: Any) -> list[str]:
        params = params if filter_ is None else {"filter": filter_, **params}
        answer = await self.call("GET", f"/{kind}", params=params)
        assert answer.status_code == 200, answer.text
        return [resource["id"] for resource in answer.json()["Resources"]]

    async def members(self, group: Json) -> set[str]:
        return {member["value"] for member in (await self.read("Groups", group)).get("members", [])}


@pytest.fixture
def scim(tenant: Keyholder) -> Scim:
    return Scim(tenant.client)
