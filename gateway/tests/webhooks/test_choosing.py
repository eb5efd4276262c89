"""Which events an endpoint is told of, and what of them: kinds, condition, origin, fields, rights."""

from typing import Any

import pytest
from crm_testkit.door import Door, Keyholder
from crm_testkit.webhooks import Hooks, place


async def told(hooks: Hooks, endpoint: dict[str, Any]) -> list[dict[str, Any]]:
    await hooks.caught_up_on(endpoint)
    found = (await hooks.get(f"{place(endpoint)}/events", after="beginning"))["data"]
    return [event for event in found if event["subject"] not in hooks.marks]


@pytest.mark.parametrize(
    ("kinds", "actions"),
    [
        (["*"], ["created", "updated", "deleted"]),
        (["team.updated"], ["updated"]),
        (["team.*"], ["created", "updated", "deleted"]),
        (["*.deleted"], ["deleted"]),
        (["crm.gateway.team.created.v1", "team.deleted"], ["created", "deleted"]),
        (["crm.gateway.*"], ["created", "updated", "deleted"]),
        (["contact.*"], []),
    ],
)
async def test_kinds_are_patterns(hooks: Hooks, kinds: list[str], actions: list[str]) -> None:
    made = await hooks.subscribe(kinds=kinds, url=None, transport="pull")
    team = await hooks.rename(await hooks.team("一"), "二")
    await hooks.client.delete(f"/v1/teams/{team['id']}")
    events = await told(hooks, made)
    assert [event["type"].split(".")[3] for event in events if event["subject"] == team["id"]] == actions


async def test_a_kind_that_no_event_has_is_refused(hooks: Hooks) -> None:
    problem = await hooks.post(
        "/v1/webhook-endpoints", 422, {"url": "https://example.com/", "kinds": ["team.*", "tame.*"]}
    )
    assert [error["pointer"] for error in problem["errors"]] == ["/kinds/1"]
    assert problem["errors"][0]["code"] == "unknown_kind"


async def test_a_condition_chooses_by_the_entity_and_the_event(hooks: Hooks) -> None:
    renamed = {"field": "event.changed", "op": "contains", "value": "name"}
    where = {"all": [renamed, {"field": "event.action", "op": "eq", "value": "updated"}]}
    made = await hooks.subscribe(where=where, url=None, transport="pull")
    by_name = await hooks.subscribe(
        where={"field": "name", "op": "starts_with", "value": "销售"}, url=None, transport="pull"
    )
    team = await hooks.rename(await hooks.team("一"), "销售二部")
    assert [event["sequence"] for event in await told(hooks, made)] == ["2"]
    assert [event["data"]["entity"]["name"] for event in await told(hooks, by_name)] == [team["name"]]


async def test_a_condition_that_makes_no_sense_is_refused_with_its_place(hooks: Hooks) -> None:
    body = {"url": "https://example.com/", "kinds": ["team.*"], "where": {"field": "amount", "op": "gt", "value": 1}}
    problem = await hooks.post("/v1/webhook-endpoints", 422, body)
    assert problem["errors"][0]["pointer"].startswith("/where")


async def test_fields_narrow_the_entity(hooks: Hooks) -> None:
    made = await hooks.subscribe(fields=["name"], url=None, transport="pull")
    team = await hooks.team("一")
    [event] = await told(hooks, made)
    assert event["data"]["entity"] == {"id": team["id"], "version": 1, "name": "一"}


async def test_what_the_receiver_did_itself_is_not_told_it(hooks: Hooks, door: Door, tenant: Keyholder) -> None:
    answer = await tenant.client.post("/v1/api-keys", json={"name": "ERP", "scopes": ["read", "write", "admin"]})
    erp = answer.json()
    made = await hooks.subscribe(skip_origins=[erp["id"]], url=None, transport="pull")
    theirs = await door.client(erp["key"]).post("/v1/teams", json={"name": "theirs"})
    assert theirs.status_code == 201
    ours = await hooks.team("ours")
    assert [event["subject"] for event in await told(hooks, made)] == [ours["id"]]


async def test_a_write_that_follows_from_a_webhook_is_a_hop_further(hooks: Hooks) -> None:
    made = await hooks.subscribe()
    await hooks.team("一")
    await hooks.arrived(1)
    chain = {name: value for name, value in hooks.receiver.last.headers.items() if name.startswith("relata-")}
    answer = await hooks.client.post("/v1/teams", json={"name": "answer"}, headers=chain)
    assert answer.status_code == 201
    first, second = await hooks.arrived(2)
    assert (second["hops"], second["causationid"], second["correlationid"]) == (1, first["id"], first["correlationid"])
    assert hooks.receiver.last.headers["relata-hops"] == "1"
    assert made["skip_origins"] == []


async def test_two_systems_that_answer_one_another_stop(hooks: Hooks) -> None:
    """A receiver that writes back whatever it is told."""
    await hooks.subscribe()
    await hooks.team("0")
    answers: list[int] = []
    for number in range(1, 20):
        await hooks.arrived(number)
        chain = {name: value for name, value in hooks.receiver.last.headers.items() if name.startswith("relata-")}
        answer = await hooks.client.post("/v1/teams", json={"name": str(number)}, headers=chain)
        answers.append(answer.status_code)
        if answer.status_code == 409:
            assert answer.json()["code"] == "loop_detected"
            break
    assert answers == [201] * 8 + [409]


async def test_match_tells_why_an_event_is_not_for_it(hooks: Hooks) -> None:
    made = await hooks.subscribe(where={"field": "name", "op": "eq", "value": "yes"}, url=None, transport="pull")
    all_of_them = await hooks.subscribe(url=None, transport="pull")
    await hooks.team("no")
    [event] = await told(hooks, all_of_them)
    match = await hooks.post(f"{place(made)}/match", 200, {"event_id": event["id"]})
    assert match["matches"] is False
    assert match["checks"][-1] == {"what": "where", "holds": False}
    event["data"]["entity"]["name"] = "yes"
    match = await hooks.post(f"{place(made)}/match", 200, {"event": event})
    assert match["matches"] is True
    assert match["body"]["data"]["entity"]["name"] == "yes"
    for nonsense in ({}, {"event": {"type": "x"}}, {"event_id": "event_01jd3zq8w9e2vbx7k5m4n6p8qr"}):
        assert (await hooks.client.post(f"{place(made)}/match", json=nonsense)).status_code == 422


async def test_nothing_is_told_that_its_maker_may_not_see(hooks: Hooks, door: Door, tenant: Keyholder) -> None:
    grant = {"resources": ["webhook-endpoints"], "actions": ["create", "read", "update"], "records": "all"}
    role = await hooks.post("/v1/roles", 201, {"name": "hooks", "grants": [grant]})
    client = await door.key(tenant, "read", "write", roles=[role["id"]])
    answer = await client.post("/v1/webhook-endpoints", json={"kinds": ["team.*"], "transport": "pull"})
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert made["roles"] == [role["id"]]
    await hooks.team("secret")
    assert await told(hooks, made) == []


async def test_another_tenant_s_events_are_never_told(hooks: Hooks, door: Door) -> None:
    made = await hooks.subscribe(kinds=["*"], url=None, transport="pull")
    other = await door.tenant("Other")
    await other.client.post("/v1/webhook-endpoints", json={"kinds": ["*"], "transport": "pull"})
    await other.client.post("/v1/teams", json={"name": "theirs"})
    ours = await hooks.team("ours")
    assert ours["id"] in {event["subject"] for event in await told(hooks, made)}
    assert "theirs" not in {event["data"]["entity"].get("name") for event in await told(hooks, made)}
    assert (await other.client.get(place(made))).status_code == 404
    assert (await other.client.get(f"{place(made)}/events")).status_code == 404
