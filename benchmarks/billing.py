"""What an ERP's push costs: `python benchmarks/billing.py`.

Batches of a thousand upserts by external id, each twice: orders, products, invoices with and without a last day, payments that name an
invoice each and payments that name none; and the same again, told late, which changes nothing.
"""

import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from crm_kit.db.embedded import EmbeddedPostgres
from crm_kit.db.provision import EventLogDatabase, ServiceDatabase, provision
from crm_kit.observability.logs import configure_logs
from crm_testkit.postgres import make_open_folder
from crm_testkit.service import ServiceUnderTest, Tenant, running_service
from pipeline_svc.manifest import MANIFEST

_ROUNDS: Final = 3
_SIZE: Final = 1000
_MONEY: Final = {"amount": "1999.00", "currency": "CNY"}


async def _pushed(
    tenant: Tenant, resource: str, bodies: list[dict[str, Any]], *, late: bool = False
) -> tuple[float, list[str]]:
    """The seconds of one batch, and the ids."""
    told = {"source_updated_at": "2026-10-01T08:00:00Z" if late else "2026-10-02T08:00:00Z"}
    operations = [{"method": "upsert", "match": "external_id", "data": {**body, **told}} for body in bodies]
    began = time.perf_counter()
    answer = await tenant.client.post(f"/v1/{resource}/batch", json={"operations": operations})
    took = time.perf_counter() - began
    results = answer.json()["results"]
    assert {result["status"] for result in results} <= {200, 201}, results[:3]
    assert not late or all(result["stale"] for result in results)
    return took, [result["id"] for result in results]


async def measured(service: ServiceUnderTest) -> None:
    took: dict[str, list[float]] = {}
    for round_ in range(_ROUNDS):
        tenant = service.tenant()

        def bodies(round_: int = round_, **more: Any) -> list[dict[str, Any]]:
            return [{"source": "erp", "external_id": f"{round_}-{n}", **more} for n in range(_SIZE)]

        async def push(name: str, resource: str, some: list[dict[str, Any]], tenant_id: str = tenant.id) -> list[str]:
            seconds, ids = await _pushed(service.tenant(tenant_id), resource, some)
            took.setdefault(name, []).append(seconds)
            return ids

        await push("products", "products", bodies(name="滤芯", unit_price=_MONEY))
        orders = [{**body, "number": f"SO-{body['external_id']}"} for body in bodies(total=_MONEY, status="paid")]
        await push("orders", "orders", orders)
        seconds, _ = await _pushed(service.tenant(tenant.id), "orders", orders, late=True)
        took.setdefault("orders that come late", []).append(seconds)
        invoices = [{**body, "number": f"FP-{body['external_id']}"} for body in bodies(total=_MONEY)]
        await push("invoices", "invoices", invoices)
        await push("invoices that we number", "invoices", [{**body, "source": "erp3"} for body in bodies(total=_MONEY)])
        dated = [{**body, "source": "erp2", "due_at": "2099-12-31"} for body in invoices]
        ids = await push("invoices with a last day", "invoices", dated)
        await push("payments", "payments", bodies(amount=_MONEY))
        paying = [
            {**body, "source": "erp2", "invoice_id": each}
            for body, each in zip(bodies(amount=_MONEY), ids, strict=True)
        ]
        await push("payments of an invoice each", "payments", paying)
    for name, seconds in took.items():
        print(f"{name}: {_SIZE / statistics.median(seconds):,.0f} a second (median of {_ROUNDS} batches of {_SIZE:,})")


async def main() -> None:
    configure_logs("pipeline", "WARNING", "console")
    with make_open_folder() as folder, tempfile.TemporaryDirectory() as keys:
        server = EmbeddedPostgres(folder / "postgres")
        server.start()
        try:
            database, events = ServiceDatabase("pipeline", "owner", "app", "system"), EventLogDatabase("event_log")
            await provision(server.superuser_url(), database, events)
            urls = database.urls(server.superuser_url())
            async with running_service(MANIFEST, urls, events.url(server.superuser_url()), Path(keys)) as service:
                await measured(service)
        finally:
            server.stop()


if __name__ == "__main__":
    asyncio.run(main())
