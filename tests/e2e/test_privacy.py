"""What a person may ask for, through all services: everything that is held given out, and nothing left of it."""

import asyncio
import io
import json
import uuid
import zipfile
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest_asyncio
from crm_testkit.guides import examples, guide, tried
from crm_testkit.jobs import ended
from crm_testkit.one_of_everything import (
    ACTIVITIES,
    CONSENTS,
    CONTACTS,
    DEALS,
    INVOICES,
    MESSAGES,
    ORDERS,
    PAYMENTS,
    TICKETS,
    create,
)
from crm_testkit.shops import Shop
from crm_testkit.whole_stack import Relata

Json = dict[str, Any]
REQUESTS = "/v1/privacy-requests"
DATABASES = ("contacts", "pipeline", "tickets", "campaigns", "gateway", "event_log")
_MANY = 600
ERP_SECRETS: dict[str, Any] = {}
SERVICES = {"contacts", "pipeline", "tickets", "campaigns", "gateway"}


@pytest_asyncio.fixture
async def client(on_embedded: Relata) -> AsyncIterator[httpx.AsyncClient]:
    async with on_embedded.client_of(await on_embedded.new_tenant_key("Privacy")) as client:
        yield client


def person(mark: str) -> Json:
    return {
        "full_name": f"欧阳{mark}",
        "emails": [{"address": f"{mark}@example.com", "primary": True}],
        "phones": [{"number": f"+86138{int(mark, 16) % 10**8:08d}", "label": f"home {mark}"}],
        "wechat": f"wx-{mark}",
        "title": f"经理 {mark}",
        "address": {"street": f"{mark} 路 1 号", "city": "杭州", "country": "CN"},
        "external_ids": {"erp": mark},
        "tags": [f"tag {mark}"],
        "custom": {"note": f"likes {mark}"},
    }


async def written_everywhere(client: httpx.AsyncClient, mark: str) -> str:
    """A contact, one merged into it, and something of them in each service; the contact's id."""
    ids: dict[str, str] = {}
    contact, other = [
        (await create(client, CONTACTS, {**person(mark), "external_ids": {"erp": f"{mark}{n}"}}, ids))["id"]
        for n in range(2)
    ]
    ids[CONTACTS] = other
    custom = {"note": mark}
    await create(client, ACTIVITIES, {"kind": "call", "subject": mark, "body": mark, "contact_id": other}, ids)
    await create(client, CONSENTS, {"channel": "email", "purpose": "marketing", "status": "granted", "source": "form",
                                    "evidence": {"signed_by": mark}}, ids)  # fmt: skip
    await create(client, DEALS, {"name": f"Deal {mark}", "contact_id": other, "next_step": mark, "custom": custom,
                                 "tags": [mark]}, ids)  # fmt: skip
    await create(client, ORDERS, {"number": uuid.uuid4().hex, "contact_id": other, "custom": custom, "tags": [mark],
                                  "refunds": [{"amount": {"amount": "1.00", "currency": "CNY"}, "reason": mark,
                                               "at": "2026-10-01T08:00:00Z"}],
                                  "total": {"amount": "1999.00", "currency": "CNY"}}, ids)  # fmt: skip
    invoice = await create(client, INVOICES, {"contact_id": other, "custom": custom, "tags": [mark],
                                              "total": {"amount": "1999.00", "currency": "CNY"}}, ids)  # fmt: skip
    await create(client, PAYMENTS, {"contact_id": other, "invoice_id": invoice["id"], "reference": f"RF {mark}",
                                    "amount": {"amount": "1999.00", "currency": "CNY"}}, ids)  # fmt: skip
    ids[TICKETS] = (await create(client, TICKETS, {"subject": mark, "contact_id": other, "custom": custom}, ids))["id"]
    await create(client, f"{TICKETS}/{{ticket_id}}/messages", {"body": mark}, ids)
    await delivered(client, mark, f"{mark}0")
    await related(client, mark, contact, other)
    answer = await client.post(f"{CONTACTS}/{contact}/merge", json={"from": [other]})
    assert answer.status_code == 201, answer.text
    answer = await client.patch(f"{CONTACTS}/{contact}", json={"title": f"总监 {mark}"})
    assert answer.status_code == 200, answer.text
    assert (await client.get(f"/v1/customers/{contact}")).status_code == 200
    return contact


async def delivered(client: httpx.AsyncClient, mark: str, number: str) -> None:
    """What an ERP says of them: a delivery, and a conflict over their title."""
    source = {"name": "ERP", "kind": "erp", "system": "erp"}
    [found] = (await client.get("/v1/inbound-sources")).json()["data"] or [None]
    shop = Shop(client, found or await create(client, "/v1/inbound-sources", source, {}))
    ERP_SECRETS.setdefault(shop.source["id"], shop.source.get("secret"))
    shop.source["secret"] = ERP_SECRETS[shop.source["id"]]
    customer = {"id": number, "email": f"{mark}@example.com", "title": f"Buyer {mark}", "phone": None}
    answer = await shop.standard({"customers": [customer], "note": mark})
    assert answer.status_code == 200, answer.text
    async with asyncio.timeout(30):
        while True:
            delivery = (await client.get(f"/v1/inbound-deliveries/{answer.json()['delivery_id']}")).json()
            if delivery["due_at"] is None:
                break
            await asyncio.sleep(0.05)
    assert delivery["status"] == "done", delivery
    assert (await client.get("/v1/sync-conflicts", params={"delivery_id": delivery["id"]})).json()["data"]


async def related(client: httpx.AsyncClient, mark: str, contact: str, other: str) -> None:
    """One relationship of each that follows a merge, and one that waits until it is undone."""
    account = (await create(client, "/v1/accounts", {"name": "Acme"}, {}))["id"]
    friend = (await create(client, CONTACTS, {"full_name": "李娜"}, {}))["id"]
    for one, label in ((contact, "buyer"), (other, "buyer"), (other, f"role {mark}")):
        body = {"contact_id": one, "account_id": account, "label": label, "note": mark}
        await create(client, "/v1/relationships", body, {})
    body = {"contact_id": friend, "related_contact_id": other, "label": "friend", "note": mark}
    await create(client, "/v1/relationships", body, {})


async def mailed(client: httpx.AsyncClient, contact: str, mark: str) -> None:
    segment = (await create(client, "/v1/segments", {"name": "All"}, {}))["id"]
    body = {"name": "News", "subject": "Hello {{ contact.full_name }}", "body_text": "Dear {{ contact.full_name }}"}
    template = (await create(client, "/v1/templates", body, {}))["id"]
    await client.post(f"/v1/segments/{segment}/members", json={"contact_ids": [contact]})
    body = {"name": "Autumn", "segment_id": segment, "template_id": template}
    campaign = (await create(client, "/v1/campaigns", body, {}))["id"]
    assert (await client.post(f"/v1/campaigns/{campaign}/schedule", json={})).status_code == 200
    async with asyncio.timeout(30):
        while (await client.get(f"/v1/campaigns/{campaign}")).json()["status"] != "sent":
            await asyncio.sleep(0.05)
    [message] = (await client.get(MESSAGES, params={"campaign_id": campaign})).json()["data"]
    assert message["status"] == "sent", message
    assert mark in message["subject"]


async def asked(client: httpx.AsyncClient, kind: str, contact: str) -> Json:
    request = await create(client, REQUESTS, {"kind": kind, "contact_id": contact, "reason": "DSR-1"}, {})
    assert request["status"] == "running"
    return await ended(client, f"{REQUESTS}/{request['id']}")


async def found_in_databases(relata: Relata, mark: str) -> list[str]:
    """Tables with a row of which any column holds the text, as text or as bytes; the embedded log's among them."""
    found = []
    for database in DATABASES:
        connection = await asyncpg.connect(relata.stack.database_url(database))
        try:
            tables = await connection.fetch(
                "select quote_ident(table_schema) || '.' || quote_ident(table_name) as name from information_schema.tables"
                " where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema')"
            )
            for table in tables:
                columns = await connection.fetch(
                    "select quote_ident(attname) as name, atttypid = 'bytea'::regtype as is_bytes from pg_attribute"
                    " where attrelid = $1::text::regclass and attnum > 0 and not attisdropped", table["name"]
                )  # fmt: skip
                held = " or ".join(
                    f"position(convert_to($1, 'UTF8') in {column['name']}) > 0"
                    if column["is_bytes"]
                    else f"position($1 in {column['name']}::text) > 0"
                    for column in columns
                )
                if await connection.fetchval(f"select exists (select from {table['name']} where {held})", mark):
                    found.append(f"{database}.{table['name']}")
        finally:
            await connection.close()
    return found


async def test_an_archive_holds_everything_of_every_service(client: httpx.AsyncClient) -> None:
    mark = uuid.uuid4().hex[:12]
    contact = await written_everywhere(client, mark)
    request = await asked(client, "export", contact)
    assert request["status"] == "succeeded", request
    assert {receipt["service"] for receipt in request["receipts"]} == SERVICES
    answer = await client.get(request["file"])
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/octet-stream")
    assert len(answer.content) == request["size"]
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        held = {name: archive.read(name).decode() for name in archive.namelist()}
    manifest = json.loads(held.pop("manifest.json"))
    assert manifest["files"] == {name: text.count("\n") for name, text in held.items()}
    assert {name for name, text in held.items() if mark in text} == {
        "gateway/inbound_delivery.ndjson",
        "gateway/sync_conflict.ndjson",
        "contacts/contact.ndjson",
        "contacts/merged_contact.ndjson",
        "contacts/activity.ndjson",
        "contacts/relationship.ndjson",
        "contacts/consent.ndjson",
        "pipeline/deal.ndjson",
        "pipeline/order.ndjson",
        "pipeline/invoice.ndjson",
        "pipeline/payment.ndjson",
        "tickets/ticket.ndjson",
        "tickets/ticket_message.ndjson",
    }
    [profile] = [json.loads(line) for line in held["contacts/contact.ndjson"].splitlines()]
    assert profile == (await client.get(f"{CONTACTS}/{contact}")).json()


async def erased_everywhere(client: httpx.AsyncClient, relata: Relata, mark: str) -> str:
    contact = await written_everywhere(client, mark)
    await mailed(client, contact, mark)
    await asked(client, "export", contact)
    export = await create(client, "/v1/exports", {"resource": "contacts", "columns": ["full_name", "email"]}, {})
    await ended(client, f"/v1/exports/{export['id']}")
    assert len(await found_in_databases(relata, mark)) > 10

    request = await asked(client, "erasure", contact)
    assert request["status"] == "succeeded", request
    receipts = {receipt["service"]: receipt["records"] for receipt in request["receipts"]}
    assert receipts.keys() == SERVICES
    assert receipts["pipeline"] == {"deal": 1, "order": 1, "invoice": 1, "payment": 1}
    assert receipts["tickets"] == {"ticket": 1, "ticket_message": 1}
    assert receipts["contacts"]["activity"] == 1
    assert (receipts["contacts"]["relationship"], receipts["contacts"]["relationship_aside"]) == (3, 1)
    assert await found_in_databases(relata, mark) == []
    return contact


async def test_of_an_erased_person_nothing_is_left_anywhere(relata: Relata) -> None:
    async with relata.client_of(await relata.new_tenant_key("Erasure")) as client:
        mark = uuid.uuid4().hex[:12]
        contact = await erased_everywhere(client, relata, mark)
        assert (await client.get(f"{CONTACTS}/{contact}")).json()["code"] == "erased"
        assert (await client.get(f"/v1/customers/{contact}")).json()["code"] == "erased"
        [order] = (await client.get(ORDERS)).json()["data"]
        assert (order["total"]["amount"], order["contact_id"]) == ("1999.00", None)
        assert [(back["amount"]["amount"], back["reason"]) for back in order["refunds"]] == [("1.00", None)]
        [invoice], [payment] = [(await client.get(path)).json()["data"] for path in (INVOICES, PAYMENTS)]
        assert (invoice["status"], invoice["contact_id"], payment["reference"]) == ("paid", None, None)
        found = await client.post(f"{REQUESTS}/erasures", json={"email": f"{mark.upper()}@example.com"})
        [erasure] = found.json()["data"]
        assert [(one["channel"], one["status"]) for one in erasure["consents"]] == [("email", "granted")]
        found = await client.post(f"{REQUESTS}/erasures", json={"phone": "+8613800000001"})
        assert found.json()["data"] == []


async def test_an_erasure_is_exact_whatever_dies(client: httpx.AsyncClient, on_embedded: Relata) -> None:
    mark = uuid.uuid4().hex[:12]
    contact = (await create(client, CONTACTS, person(mark), {}))["id"]
    for path, body in ((ACTIVITIES, {"kind": "call", "subject": mark}), (DEALS, {"name": mark})):
        operations = [{"method": "create", "data": {**body, "contact_id": contact}} for _ in range(_MANY)]
        answer = await client.post(f"{path}/batch", json={"operations": operations})
        assert answer.status_code == 200, answer.text
    request = await create(client, REQUESTS, {"kind": "erasure", "contact_id": contact}, {})
    for service in ("pipeline", "contacts", "gateway", "pipeline"):
        await asyncio.sleep(0.3)
        await on_embedded.stack.restart(service)
    ended_request = await ended(client, f"{REQUESTS}/{request['id']}")
    receipts = {receipt["service"]: receipt["records"] for receipt in ended_request["receipts"]}
    assert (receipts["pipeline"]["deal"], receipts["contacts"]["activity"]) == (_MANY, _MANY)
    assert await found_in_databases(on_embedded, mark) == []


async def test_no_file_of_the_database_holds_an_erased_person_once_it_is_written_anew(
    client: httpx.AsyncClient, on_embedded: Relata
) -> None:
    mark = uuid.uuid4().hex[:12]
    await erased_everywhere(client, on_embedded, mark)
    for database in DATABASES:
        connection = await asyncpg.connect(on_embedded.stack.database_url(database))
        await connection.execute("vacuum full")
        await connection.execute("checkpoint")
        await connection.close()
    files = [file for file in on_embedded.stack.folder.path.rglob("*") if file.is_file() and "pg_wal" not in file.parts]
    assert len(files) > 1000
    assert [file for file in files if mark.encode() in file.read_bytes()] == []


async def test_the_guide_says_what_happens(client: httpx.AsyncClient) -> None:
    """`CONTACT` is the contact, `PREFERENCES` the path of the link."""
    known: dict[str, str] = {}
    told = list(examples(guide("consent-and-privacy.md")))
    assert len(told) == 11
    for example in told:
        shown = await tried(client, example, known)
        if example.path == CONTACTS:
            known["CONTACT"] = shown["id"]
        if "path" in shown and "token" in shown:
            known["PREFERENCES"] = shown["path"]
        if shown.get("kind") == "restriction":
            lift = f"{REQUESTS}/{shown['id']}/lift"
        if shown.get("code") == "processing_restricted":
            assert (await client.post(lift)).status_code == 200
        if shown.get("kind") in ("export", "erasure"):
            assert (await ended(client, f"{REQUESTS}/{shown['id']}"))["status"] == "succeeded"
    assert len(shown["data"]) == 1
