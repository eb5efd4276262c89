"""Conditions of grants are checked when the role is written, against the fields of each resource."""

import asyncio
from typing import Any

import pytest
from crm_testkit.door import Keyholder


async def write(tenant: Keyholder, where: dict[str, Any], *resources: str) -> Any:
    grants = [{"resources": ["users"], "actions": ["read"], "records": "all"}]
    grants.append({"resources": list(resources), "actions": ["read"], "records": "all", "where": where})  # type: ignore[dict-item]  # JSON
    return await tenant.client.post("/v1/roles", json={"name": "区域", "grants": grants})


async def test_a_condition_is_kept_as_it_was_written(tenant: Keyholder) -> None:
    where = {"all": [{"field": "status", "op": "eq", "value": "open"}, {"field": "amount", "op": "lt", "value": 5}]}
    made = await write(tenant, where, "deals")
    assert made.status_code == 201, made.text
    assert [grant["where"] for grant in made.json()["grants"]] == [None, where]
    again = await tenant.client.get(f"/v1/roles/{made.json()['id']}")
    assert again.json() == made.json()


@pytest.mark.parametrize(
    ("where", "resources", "pointer", "code"),
    [
        ({"field": "amount", "op": "lt", "value": 5}, ["deals", "contacts"], "/grants/1/where/field", "unknown_field"),
        ({"field": "amount", "op": "lt", "value": "x"}, ["deals"], "/grants/1/where/value", "type_mismatch"),
        ({"all": [{"field": "tag", "op": "near", "value": "x"}]}, ["deals"], "/grants/1/where/all/0/op", "unknown_operator"),
        ({"field": "email", "op": "eq", "value": "a@example.com"}, ["contacts"], "/grants/1/where/field", "unknown_field"),
        ({"field": "name", "op": "eq", "value": "x"}, ["*"], "/grants/1/resources/0", "no_conditions"),
        ({"field": "name", "op": "eq", "value": "x"}, ["deals", "customers"], "/grants/1/resources/1", "no_conditions"),
        ({}, ["deals"], "/grants/1/where", "malformed"),
    ],
)  # fmt: skip
async def test_what_no_search_would_take_is_refused_in_its_place(
    tenant: Keyholder, where: dict[str, Any], resources: list[str], pointer: str, code: str
) -> None:
    answer = await write(tenant, where, *resources)
    assert answer.status_code == 422, answer.text
    assert (pointer, code) in {(fault["pointer"], fault["code"]) for fault in answer.json()["errors"]}, answer.text


async def test_rights_that_no_request_could_carry_are_refused_and_can_be_taken_away(
    tenant: Keyholder,
) -> None:
    where = {"field": "name", "op": "in", "value": [f"{number:0180}" for number in range(200)]}
    role = (await write(tenant, where, "deals")).json()
    key = await tenant.client.post("/v1/api-keys", json={"name": "x", "scopes": ["read"], "roles": [role["id"]]})
    headers = {"Authorization": f"Bearer {key.json()['key']}"}
    refused = await tenant.client.get("/v1/users", headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (403, "rights_too_large")
    assert (
        await tenant.client.patch(f"/v1/roles/{role['id']}", json={"grants": role["grants"][:1]})
    ).status_code == 200
    async with asyncio.timeout(15):
        while (await tenant.client.get("/v1/users", headers=headers)).status_code != 200:
            await asyncio.sleep(0.1)
