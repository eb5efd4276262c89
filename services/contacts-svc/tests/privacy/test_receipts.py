"""What the services tell, in any order and twice: a part is done when all of its pieces are there."""

import base64
import io
import json
import zipfile
import zlib
from datetime import UTC, datetime
from typing import Any

from crm_contracts.envelope import Event
from crm_contracts.ids import EventId, PrivacyReceiptId
from crm_contracts.registry import PRIVACY_RECEIPTS
from crm_testkit.jobs import ended
from crm_testkit.service import ServiceUnderTest, Tenant

REQUESTS = "/v1/privacy-requests"
TOPICS = {topic.service: topic for topic in PRIVACY_RECEIPTS}
OTHERS = ("pipeline", "tickets", "campaigns", "gateway")


def receipt(tenant: Tenant, request: str, service: str, number: int, **members: Any) -> tuple[str, Event]:
    topic, id_, now = TOPICS[service], PrivacyReceiptId.new(), datetime.now(UTC)
    whole = {"id": id_, "version": 1, "created_at": now, "updated_at": now, "request_id": request, "service": service,
             "number": number, "is_last": False, "records": {}, "content": None, **members}  # fmt: skip
    entity = topic.model.model_validate(whole).model_dump(mode="json")
    event = Event(
        id=EventId.new(), source=f"/relata/{service}", type=topic.event_type("created"), subject=id_, time=now,
        tenant_id=tenant.id, sequence=1, entity=entity,
    )  # fmt: skip
    return topic.name, event


def piece(text: bytes) -> str:
    return base64.b64encode(zlib.compress(text)).decode()


async def test_pieces_come_in_any_order_and_twice(service: ServiceUnderTest, tenant: Tenant) -> None:
    contact = await tenant.create("/v1/contacts", full_name="李娜")
    request = (await tenant.create(REQUESTS, kind="export", contact_id=contact["id"]))["id"]
    lines = b"".join(json.dumps({"kind": "deal", "entity": {"n": n}}).encode() + b"\n" for n in range(9))
    parts = [lines[:70], lines[70:71], lines[71:]]  # within lines
    told = [receipt(tenant, request, "pipeline", n, content=piece(part)) for n, part in enumerate(parts)]
    last = receipt(tenant, request, "pipeline", 3, is_last=True, records={"deal": 9})
    for events in ([last, told[2]], [told[2], last], [told[0]]):
        await service.publish(*events)
    for other in OTHERS[1:]:
        await service.publish(receipt(tenant, request, other, 0, is_last=True))
    assert (await tenant.read(f"{REQUESTS}/{request}"))["status"] == "running", "a piece is missing"
    await service.publish(told[1], last)
    found = await ended(tenant.client, f"{REQUESTS}/{request}")
    records = {one["service"]: one["records"] for one in found["receipts"]}
    assert (found["status"], len(found["receipts"]), records["pipeline"]) == ("succeeded", 5, {"deal": 9})
    with zipfile.ZipFile(io.BytesIO((await tenant.client.get(found["file"])).content)) as archive:
        deals = archive.read("pipeline/deal.ndjson").splitlines()
    assert [json.loads(line) for line in deals] == [{"n": n} for n in range(9)]


async def test_an_export_can_be_cancelled_and_nothing_of_it_stays(service: ServiceUnderTest, tenant: Tenant) -> None:
    contact = await tenant.create("/v1/contacts", full_name="李娜")
    request = await tenant.create(REQUESTS, kind="export", contact_id=contact["id"])
    await service.publish(receipt(tenant, request["id"], "pipeline", 0, content=piece(b"{}")))
    again = await tenant.client.post(REQUESTS, json={"kind": "export", "contact_id": contact["id"]})
    assert (again.status_code, again.json()["request_id"]) == (409, request["id"])
    assert (await tenant.client.post(f"/internal/jobs/{request['job_id']}/cancel")).status_code == 200
    found = await tenant.read(f"{REQUESTS}/{request['id']}")
    assert (found["status"], found["file"]) == ("cancelled", None)
    assert (await tenant.client.get(f"{REQUESTS}/{request['id']}/file")).json()["code"] == "no_archive"
    assert (await tenant.create(REQUESTS, kind="export", contact_id=contact["id"]))["status"] == "running"
