"""Messages through the public door, and what they do to their ticket."""

from typing import Any

import pytest
from crm_contracts.ids import AccountId, ContactId, UserId
from crm_contracts.tickets import TicketMessage
from crm_testkit.service import ServiceUnderTest

TICKET = "crm.tickets.ticket"
MESSAGE = "crm.tickets.ticket_message"


async def test_a_message_is_published_with_its_tickets_customer(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    contact_id, account_id = ContactId.new(), AccountId.new()
    ticket = await tenant.create("/v1/tickets", subject="Login", contact_id=contact_id, account_id=account_id)
    attachment = {
        "name": "截图.png",
        "url": "https://files.example.com/截图.png?v=1",
        "media_type": "image/png",
        "size": 10_240,
    }
    response = await tenant.client.post(
        f"/v1/tickets/{ticket['id']}/messages",
        json={"body": "登录时报 500", "author": {"kind": "contact", "id": contact_id}, "attachments": [attachment]},
    )
    message = response.json()
    assert response.status_code == 201, message
    assert TicketMessage.model_validate(message).model_dump(mode="json") == message
    assert response.headers["location"] == f"/v1/tickets/{ticket['id']}/messages/{message['id']}"
    assert response.headers["consistency-token"] == f"{message['id']}@1"
    assert (message["ticket_number"], message["contact_id"], message["account_id"]) == (1, contact_id, account_id)
    assert (message["visibility"], message["attachments"]) == ("public", [attachment])
    assert await tenant.read(response.headers["location"]) == message

    [event] = await service.events(MESSAGE, key=message["id"])
    assert (event.type, event.sequence, event.entity) == (f"{MESSAGE}.created.v1", 1, message)
    created, added = await service.events(TICKET, key=ticket["id"], at_least=2)
    assert (created.action, added.type, added.sequence) == ("created", f"{TICKET}.message_added.v1", 2)
    assert added.changed == ("last_message_at", "message_count")
    assert added.entity == await tenant.read(f"/v1/tickets/{ticket['id']}")
    assert added.entity["last_message_at"] == message["at"]


async def test_the_caller_is_the_author_where_none_is_named(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    ticket = await tenant.create("/v1/tickets", subject="x")
    path = f"/v1/tickets/{ticket['id']}/messages"
    assert (await tenant.create(path, body="a"))["author"] == {"kind": "user", "id": "key_test"}
    assert (await tenant.create(path, body="b", author={"kind": "system"}))["author"] == {"kind": "system", "id": None}
    user_id = UserId.new()
    named = await tenant.create(path, body="c", author={"kind": "user", "id": user_id})
    assert named["author"] == {"kind": "user", "id": user_id}


async def test_internal_messages_are_marked_and_are_no_answer(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    ticket = await tenant.create("/v1/tickets", subject="x")
    path = f"/v1/tickets/{ticket['id']}"
    note = await tenant.create(f"{path}/messages", body="Look at the logs", visibility="internal")
    assert note["visibility"] == "internal"
    assert (await tenant.read(path))["first_responded_at"] is None

    answer = await tenant.create(f"{path}/messages", body="We look into it")
    assert (await tenant.read(path))["first_responded_at"] == answer["at"]
    await tenant.create(f"{path}/messages", body="Found")
    assert (await tenant.read(path))["first_responded_at"] == answer["at"]

    for visibility, expected in (("internal", [note["id"]]), ("public", None)):
        page = (await tenant.read(f"{path}/messages", visibility=visibility))["data"]
        assert expected is None or [message["id"] for message in page] == expected
        assert {message["visibility"] for message in page} == {visibility}


@pytest.mark.parametrize(
    ("status", "author", "visibility", "after", "reopened"),
    [
        ("new", "contact", "public", "new", 0),
        ("pending", "contact", "public", "open", 0),
        ("on_hold", "contact", "public", "open", 0),
        ("solved", "contact", "public", "open", 1),
        ("solved", "contact", "internal", "solved", 0),
        ("solved", "user", "public", "solved", 0),
        ("pending", "system", "public", "pending", 0),
    ],
)
async def test_a_contacts_public_message_wakes_a_ticket(
    service: ServiceUnderTest, status: str, author: str, visibility: str, after: str, reopened: int
) -> None:
    tenant = service.tenant()
    ticket = await tenant.create("/v1/tickets", subject="x", status=status)
    await tenant.create(
        f"/v1/tickets/{ticket['id']}/messages", body="still broken", visibility=visibility, author={"kind": author}
    )
    found = await tenant.read(f"/v1/tickets/{ticket['id']}")
    assert (found["status"], found["reopened_count"]) == (after, reopened)
    assert (found["solved_at"] is not None) == (after == "solved")
    assert [event.action for event in await service.events(TICKET, key=ticket["id"], at_least=2)] == [
        "created",
        "message_added",
    ]


async def test_a_closed_ticket_takes_no_message(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    ticket = await tenant.create("/v1/tickets", subject="x", status="closed")
    path = f"/v1/tickets/{ticket['id']}"
    refused = await tenant.client.post(f"{path}/messages", json={"body": "hello?"})
    assert (refused.status_code, refused.json()["code"]) == (409, "ticket_closed")
    assert refused.json()["detail"] == "A closed ticket stays closed; open a new ticket."
    assert (await tenant.read(f"{path}/messages"))["data"] == []
    assert await tenant.read(path) == ticket


async def test_messages_are_immutable_and_belong_to_their_ticket(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    one, two = [await tenant.create("/v1/tickets", subject=subject) for subject in ("one", "two")]
    message = await tenant.create(f"/v1/tickets/{one['id']}/messages", body="hello")
    path = f"/v1/tickets/{one['id']}/messages/{message['id']}"
    for method in ("PATCH", "PUT", "DELETE"):
        assert (await tenant.client.request(method, path, json={})).status_code == 405
    assert (await tenant.client.get(f"/v1/tickets/{two['id']}/messages/{message['id']}")).status_code == 404
    stranger = service.tenant()
    for hidden in (path, f"/v1/tickets/{one['id']}/messages"):
        assert (await stranger.client.get(hidden)).status_code == 404
    posted = await stranger.client.post(f"/v1/tickets/{one['id']}/messages", json={"body": "x"})
    assert posted.status_code == 404


async def test_pages_go_through_all_messages_once(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    ticket = await tenant.create("/v1/tickets", subject="x")
    path = f"/v1/tickets/{ticket['id']}/messages"
    written = [(await tenant.create(path, body=str(number)))["id"] for number in range(7)]
    found: list[str] = []
    page: dict[str, Any] = await tenant.read(path, limit=3)
    found += [message["id"] for message in page["data"]]
    while page["next_cursor"]:
        page = await tenant.read(path, limit=3, cursor=page["next_cursor"])
        found += [message["id"] for message in page["data"]]
    assert found == written[::-1]
    assert [m["id"] for m in (await tenant.read(path, sort="at"))["data"]] == written


async def test_messages_go_with_their_ticket_to_another_customer(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    old, new, account_id = ContactId.new(), ContactId.new(), AccountId.new()
    ticket = await tenant.create("/v1/tickets", subject="x", contact_id=old, message={"body": "first"})
    path = f"/v1/tickets/{ticket['id']}"
    await tenant.create(f"{path}/messages", body="second")
    changed = {"contact_id": new, "account_id": account_id, "message": {"body": "third"}}
    assert (await tenant.client.patch(path, json=changed)).status_code == 200

    page = (await tenant.read(f"{path}/messages", sort="at"))["data"]
    assert [(m["contact_id"], m["account_id"]) for m in page] == [(new, account_id)] * 3
    assert [m["version"] for m in page] == [2, 2, 1]
    for message in page[:2]:
        created, updated = await service.events(MESSAGE, key=message["id"], at_least=2)
        assert (created.entity or {})["contact_id"] == old
        assert (updated.type, updated.sequence, updated.entity) == (f"{MESSAGE}.updated.v1", 2, message)
        assert updated.changed == ("account_id", "contact_id")
    untouched = await tenant.client.patch(path, json={"subject": "y"})
    assert untouched.status_code == 200
    assert [m["version"] for m in (await tenant.read(f"{path}/messages", sort="at"))["data"]] == [2, 2, 1]


async def test_a_deleted_ticket_takes_its_messages_with_it(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    ticket = await tenant.create("/v1/tickets", subject="x", message={"body": "first"})
    path = f"/v1/tickets/{ticket['id']}"
    await tenant.create(f"{path}/messages", body="second")
    messages = (await tenant.read(f"{path}/messages"))["data"]
    deleted = await tenant.client.delete(path)
    assert (deleted.status_code, deleted.headers["consistency-token"]) == (204, f"{ticket['id']}@3")
    for gone in (path, f"{path}/messages", f"{path}/messages/{messages[0]['id']}"):
        assert (await tenant.client.get(gone)).status_code == 404
    for topic, key, last in [(TICKET, ticket["id"], 3), *((MESSAGE, message["id"], 2) for message in messages)]:
        *_, goodbye, tombstone = await service.events(topic, key=key, at_least=last + 1)
        assert (goodbye.action, goodbye.sequence, goodbye.deleted) == ("deleted", last, True)
        assert goodbye.entity is not None
        assert (tombstone.entity, tombstone.sequence, tombstone.type) == (None, last, goodbye.type)
