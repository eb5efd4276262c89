"""Tickets through the public door."""

from typing import Any

import pytest
from crm_contracts.ids import AccountId, ContactId, QueueId, UserId
from crm_contracts.tickets import Ticket
from crm_testkit.service import ServiceUnderTest, Tenant

TOPIC = "crm.tickets.ticket"


async def _patch(tenant: Tenant, ticket: dict[str, Any], **body: Any) -> dict[str, Any]:
    response = await tenant.client.patch(f"/v1/tickets/{ticket['id']}", json=body)
    assert response.status_code == 200, response.text
    patched: dict[str, Any] = response.json()
    return patched


async def test_a_created_ticket_has_a_number_and_is_published(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    ticket = await tenant.create("/v1/tickets", subject="  无法登录 ", tags=["vip", "vip"], custom={"shop": "杭州"})
    assert Ticket.model_validate(ticket).model_dump(mode="json") == ticket
    assert (ticket["number"], ticket["subject"], ticket["status"], ticket["priority"]) == (
        1,
        "无法登录",
        "new",
        "normal",
    )
    assert (ticket["tags"], ticket["custom"]) == (["vip"], {"shop": "杭州"})
    assert ticket["sla"] == {"first_response_due_at": None, "resolution_due_at": None, "breached": False}
    assert await tenant.read(f"/v1/tickets/{ticket['id']}") == ticket

    [event] = await service.events(TOPIC, key=ticket["id"])
    assert event.entity == ticket
    assert (event.type, event.sequence, event.tenant_id) == (f"{TOPIC}.created.v1", 1, tenant.id)


async def test_each_tenant_counts_for_itself(service: ServiceUnderTest) -> None:
    first, second = service.tenant(), service.tenant()
    for expected in (1, 2):
        assert (await first.create("/v1/tickets", subject="a"))["number"] == expected
    assert (await second.create("/v1/tickets", subject="b"))["number"] == 1


async def test_a_status_moves_only_as_the_rules_allow(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    ticket = await tenant.create("/v1/tickets", subject="Refund")
    solved = await _patch(tenant, ticket, status="solved")
    assert solved["solved_at"] is not None

    refused = await tenant.client.patch(f"/v1/tickets/{ticket['id']}", json={"status": "on_hold"})
    assert refused.status_code == 409
    problem = refused.json()
    assert problem["code"] == "ticket_transition_refused"
    assert problem["detail"] == "A ticket that is solved can become open, closed; not on_hold."
    assert (problem["current_status"], problem["allowed"]) == ("solved", ["open", "closed"])
    assert problem["errors"][0]["pointer"] == "/status"

    again = await _patch(tenant, ticket, status="open")
    assert (again["solved_at"], again["reopened_count"]) == (None, 1)
    closed = await _patch(tenant, ticket, status="closed")
    assert closed["solved_at"] is not None
    final = await tenant.client.patch(
        f"/v1/tickets/{ticket['id']}", json={"status": "open"}, headers={"Accept-Language": "zh-CN"}
    )
    assert final.status_code == 409
    assert final.json()["detail"] == "状态为 closed 的工单不能再改变状态，请新建工单。"
    assert (await tenant.client.delete(f"/v1/tickets/{ticket['id']}")).status_code == 204

    events = await service.events(TOPIC, key=ticket["id"], at_least=6)
    assert [event.action for event in events] == ["created", "solved", "reopened", "updated", "deleted", "deleted"]
    assert [event.sequence for event in events] == [1, 2, 3, 4, 5, 5]
    assert events[-1].entity is None
    assert set(events[1].changed) == {"status", "solved_at"}


async def test_solve_and_reopen_do_nothing_twice(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    ticket = await tenant.create("/v1/tickets", subject="Invoice")
    path = f"/v1/tickets/{ticket['id']}"

    solved = await tenant.client.post(f"{path}/solve", json={"message": {"body": "Sent again."}})
    assert solved.status_code == 200
    assert (solved.headers["etag"], solved.headers["consistency-token"]) == ('"2"', f"{ticket['id']}@2")
    assert (solved.json()["status"], solved.json()["message_count"]) == ("solved", 1)
    assert solved.json()["first_responded_at"] is not None
    again = await tenant.client.post(f"{path}/solve", json={"message": {"body": "Sent again."}})
    assert (again.status_code, again.json()) == (200, solved.json())

    reopened = await tenant.client.post(f"{path}/reopen", json={"reason": "Wrong address"})
    assert (reopened.json()["status"], reopened.json()["reopened_count"]) == ("open", 1)
    assert reopened.json()["solved_at"] is None
    again = await tenant.client.post(f"{path}/reopen")
    assert (again.status_code, again.json()) == (200, reopened.json())

    notes = (await tenant.read(f"{path}/messages"))["data"]
    assert [(note["body"], note["visibility"]) for note in notes] == [
        ("Wrong address", "internal"),
        ("Sent again.", "public"),
    ]
    events = await service.events(TOPIC, key=ticket["id"], at_least=3)
    assert [(event.action, event.sequence) for event in events] == [("created", 1), ("solved", 2), ("reopened", 3)]
    assert events[-1].entity == reopened.json()


@pytest.mark.parametrize("action", ["solve", "reopen"])
async def test_actions_honour_if_match_and_refuse_a_closed_ticket(service: ServiceUnderTest, action: str) -> None:
    tenant = service.tenant()
    ticket = await tenant.create("/v1/tickets", subject="Closed soon")
    path = f"/v1/tickets/{ticket['id']}"
    stale = await tenant.client.post(f"{path}/{action}", headers={"If-Match": '"7"'})
    assert (stale.status_code, stale.json()["current_version"]) == (412, 1)

    await _patch(tenant, ticket, status="closed")
    refused = await tenant.client.post(f"{path}/{action}")
    assert (refused.status_code, refused.json()["code"]) == (409, "ticket_closed")
    assert "open a new ticket" in refused.json()["detail"]
    assert (await tenant.client.post(f"/v1/tickets/ticket_unknown/{action}")).status_code == 404


async def test_a_ticket_can_come_with_its_first_message(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    contact_id = ContactId.new()
    ticket = await tenant.create(
        "/v1/tickets", subject="Help", contact_id=contact_id, message={"body": "500", "author": {"kind": "contact"}}
    )
    assert (ticket["version"], ticket["status"], ticket["message_count"]) == (1, "new", 1)
    [message] = (await tenant.read(f"/v1/tickets/{ticket['id']}/messages"))["data"]
    assert (message["author"], message["ticket_number"]) == ({"kind": "contact", "id": contact_id}, 1)
    assert ticket["last_message_at"] == message["at"]

    answered = await _patch(tenant, ticket, status="pending", message={"body": "Which browser?"})
    assert (answered["version"], answered["status"], answered["message_count"]) == (2, "pending", 2)
    assert answered["first_responded_at"] == answered["last_message_at"]


async def test_filters_sorts_and_search(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    contact_id, account_id, user_id, queue_id = ContactId.new(), AccountId.new(), UserId.new(), QueueId.new()
    one = await tenant.create(
        "/v1/tickets",
        subject="B",
        contact_id=contact_id,
        account_id=account_id,
        assignee_id=user_id,
        queue_id=queue_id,
        kind="incident",
        channel="wechat",
        priority="high",
        tags=["vip"],
    )
    two = await tenant.create("/v1/tickets", subject="A")
    three = await tenant.create("/v1/tickets", subject="C", status="solved")
    await tenant.create(f"/v1/tickets/{two['id']}/messages", body="hello")

    for name, value in {
        "number": 1,
        "subject": "B",
        "contact_id": contact_id,
        "account_id": account_id,
        "assignee_id": user_id,
        "queue_id": queue_id,
        "kind": "incident",
        "channel": "wechat",
        "priority": "high",
        "tag": "vip",
        "created_at": one["created_at"],
    }.items():
        found = await tenant.read("/v1/tickets", **{name: value})
        assert [ticket["id"] for ticket in found["data"]] == [one["id"]], name

    async def order(sort: str) -> list[str]:
        page = (await tenant.read("/v1/tickets", sort=sort))["data"]
        return [{one["id"]: "one", two["id"]: "two", three["id"]: "three"}[ticket["id"]] for ticket in page]

    assert await order("subject") == ["two", "one", "three"]
    assert await order("-number") == ["three", "two", "one"]
    assert await order("-updated_at") == ["two", "three", "one"]
    assert (await order("-solved_at"))[0] == "three" or (await order("solved_at"))[0] == "three"
    assert "two" in ((await order("last_message_at"))[0], (await order("-last_message_at"))[0])

    where = {"all": [{"field": "status", "op": "in", "value": ["solved", "closed"]}]}
    found_by_search = await tenant.client.post("/v1/tickets/search", json={"where": where})
    assert [ticket["id"] for ticket in found_by_search.json()["data"]] == [three["id"]]


async def test_faults_are_named_in_both_languages(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    body = {
        "subject": "  ",
        "status": "lost",
        "contact_id": "account_01jd3zq8w9e2vbx7k5m4n6p8qr",
        "colour": "red",
        "message": {
            "body": "",
            "author": {"kind": "contact", "id": "nobody"},
            "attachments": [{"name": "a.png", "url": "http://example.com/a.png", "size": -1}],
        },
    }
    english = await tenant.client.post("/v1/tickets", json=body)
    assert english.status_code == 422
    faults = {error["pointer"]: error["detail"] for error in english.json()["errors"]}
    assert set(faults) == {
        "/subject",
        "/status",
        "/contact_id",
        "/colour",
        "/message/body",
        "/message/author/id",
        "/message/attachments/0/url",
        "/message/attachments/0/size",
    }
    assert faults["/subject"] == "Must have at least 1 characters"
    assert faults["/message/attachments/0/url"] == "Must be a URL that begins with https://"
    chinese = await tenant.client.post("/v1/tickets", json=body, headers={"Accept-Language": "zh-CN"})
    found = {error["pointer"]: error["detail"] for error in chinese.json()["errors"]}
    assert set(found) == set(faults)
    assert found["/message/attachments/0/url"] == "必须是以 https:// 开头的网址"
    assert all(any("\u4e00" <= character <= "\u9fff" for character in detail) for detail in found.values())


async def test_in_a_batch_one_bad_row_spoils_no_other_and_no_number(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    ticket = await tenant.create("/v1/tickets", subject="first", status="solved")
    operations = [
        {"method": "create", "data": {"subject": "second"}},
        {"method": "create", "data": {"subject": ""}},
        {"method": "create", "data": {"subject": "closed", "status": "closed", "message": {"body": "too late"}}},
        {"method": "update", "id": ticket["id"], "data": {"status": "pending", "subject": "not kept"}},
        {"method": "update", "id": ticket["id"], "data": {"status": "open", "message": {"body": "again"}}},
        {"method": "create", "data": {"subject": "third"}},
    ]
    response = await tenant.client.post("/v1/tickets/batch", json={"operations": operations})
    assert response.status_code == 200
    results = response.json()["results"]
    assert [result["status"] for result in results] == [201, 422, 409, 409, 200, 201]
    assert [results[index]["error"]["code"] for index in (2, 3)] == ["ticket_closed", "ticket_transition_refused"]
    numbers = [(await tenant.read(f"/v1/tickets/{results[index]['id']}"))["number"] for index in (0, 5)]
    assert numbers == [2, 3]
    changed = await tenant.read(f"/v1/tickets/{ticket['id']}")
    assert (changed["subject"], changed["status"], changed["message_count"]) == ("first", "open", 1)
    assert changed["version"] == 2
    assert [event.action for event in await service.events(TOPIC, key=ticket["id"], at_least=2)] == [
        "created",
        "reopened",
    ]
