"""Invoices through the public door."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any

from crm_testkit.passing_time import let_invoices_wait
from crm_testkit.service import ServiceUnderTest

TOTAL = {"amount": "100.00", "currency": "CNY"}


async def test_an_invoice_has_number_total_and_time_of_its_own_accord(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    line = {"name": "滤芯", "quantity": "2", "unit_price": {"amount": "50.00", "currency": "CNY"}}
    invoice = await tenant.create("/v1/invoices", lines=[line])
    assert (invoice["number"], invoice["total"], invoice["status"]) == ("INV-000001", TOTAL, "open")
    assert datetime.now(UTC) - datetime.fromisoformat(invoice["issued_at"]) < timedelta(minutes=1)
    draft = await tenant.create("/v1/invoices", lines=[line], status="draft")
    assert (draft["number"], draft["issued_at"]) == ("INV-000002", None)
    issued = (await tenant.client.patch(f"/v1/invoices/{draft['id']}", json={"status": "open"})).json()
    assert issued["issued_at"] is not None
    again = (await tenant.client.patch(f"/v1/invoices/{draft['id']}", json={"issued_at": None})).json()
    assert again["issued_at"] == issued["issued_at"]
    missing = await tenant.client.post("/v1/invoices", json={})
    assert (missing.status_code, missing.json()["errors"][0]["pointer"]) == (422, "/total")


async def test_numbers_and_ids_are_unique_within_their_source(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    first = await tenant.create("/v1/invoices", number="1", source="erp", external_id="a", total=TOTAL)
    for taken, code in (
        ({"number": "1", "source": "erp"}, "invoice_number_taken"),
        ({"external_id": "a", "source": "erp"}, "invoice_external_id_taken"),
    ):
        answer = await tenant.client.post("/v1/invoices", json={"total": TOTAL, **taken})
        assert (answer.status_code, answer.json()["code"], answer.json()["invoice_id"]) == (409, code, first["id"])
    await tenant.create("/v1/invoices", number="1", total=TOTAL)


async def test_an_invoice_is_overdue_once_its_last_day_has_passed(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    today = datetime.now(UTC).date()

    async def due(day: date, **more: Any) -> dict[str, Any]:
        return await tenant.create("/v1/invoices", total=TOTAL, due_at=day.isoformat(), **more)

    late = await due(today - timedelta(days=1))
    assert late["overdue"] is True
    soon, paid, void = [await due(today + timedelta(days=2)) for _ in range(3)]
    moved, brought = await due(today + timedelta(days=2)), await due(today + timedelta(days=30))
    await tenant.create("/v1/payments", invoice_id=paid["id"], amount=TOTAL)
    await tenant.client.patch(f"/v1/invoices/{void['id']}", json={"status": "void"})
    await tenant.client.patch(f"/v1/invoices/{moved['id']}", json={"due_at": "2999-01-01"})
    await tenant.client.patch(f"/v1/invoices/{brought['id']}", json={"due_at": soon["due_at"]})
    assert {one["id"] for one in (await tenant.read("/v1/invoices", overdue="true"))["data"]} == {late["id"]}

    await let_invoices_wait(service.urls.app, tenant.id, 5)
    overdue: set[str] = set()
    async with asyncio.timeout(20):
        while not {soon["id"], brought["id"]} <= overdue:
            overdue = {one["id"] for one in (await tenant.read("/v1/invoices", overdue="true"))["data"]}
            await asyncio.sleep(0.05)
    assert overdue == {late["id"], soon["id"], brought["id"]}
    actions = [event.action for event in await service.events("crm.pipeline.invoice", key=soon["id"], at_least=2)]
    assert actions == ["created", "overdue"]
    await tenant.create("/v1/payments", invoice_id=soon["id"], amount=TOTAL)
    assert (await tenant.read(f"/v1/invoices/{soon['id']}"))["overdue"] is False


async def test_a_day_that_is_moved_is_looked_at_anew(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    invoice = await tenant.create("/v1/invoices", total=TOTAL, due_at="2020-01-31")
    path = f"/v1/invoices/{invoice['id']}"
    later = (await tenant.client.patch(path, json={"due_at": "2999-01-01"})).json()
    back = (await tenant.client.patch(path, json={"due_at": "2020-01-31"})).json()
    none = (await tenant.client.patch(path, json={"due_at": None})).json()
    assert [one["overdue"] for one in (invoice, later, back, none)] == [True, False, True, False]
    actions = [event.action for event in await service.events("crm.pipeline.invoice", key=invoice["id"], at_least=4)]
    assert actions == ["created", "updated", "overdue", "updated"]
