"""pipeline-svc keeps what every service promises."""

from crm_contracts.registry import DEAL, INVOICE, ORDER, PAYMENT, PIPELINE, PRODUCT
from crm_testkit.conformance import Sample, ServiceConformance
from pipeline_svc.manifest import MANIFEST


class TestConformance(ServiceConformance):
    manifest = MANIFEST
    samples = (
        Sample(
            path="/v1/pipelines",
            topic=PIPELINE,
            body=lambda n, _: {"name": f"Pipeline {n}"},
            patch={"name": "Renamed"},
            text="name",
            standing=1,
        ),
        Sample(
            path="/v1/deals",
            topic=DEAL,
            body=lambda n, _: {"name": f"Deal {n}", "next_step": "Call"},
            patch={"next_step": "Visit"},
            text="next_step",
            clears="next_step",
            counter="custom.n",
            equals=("name", "name"),
        ),
        Sample(
            path="/v1/orders",
            topic=ORDER,
            body=lambda n, _: {
                "number": f"SO-{n}",
                "source": "shop",
                "external_id": f"ext-{n}",
                "total": {"amount": "9.90", "currency": "CNY"},
            },
            patch={"status": "completed"},
            text="number",
            clears="external_id",
            counter="custom.n",
            equals=("number", "number"),
            upsert="external_id",
        ),
        Sample(
            path="/v1/products",
            topic=PRODUCT,
            body=lambda n, _: {"name": f"Product {n}", "sku": f"SKU-{n}", "source": "erp", "external_id": f"ext-{n}"},
            patch={"is_active": False},
            text="name",
            clears="sku",
            counter="custom.n",
            equals=("name", "name"),
            upsert="external_id",
        ),
        Sample(
            path="/v1/invoices",
            topic=INVOICE,
            body=lambda n, _: {
                "number": f"INV-{n}",
                "source": "erp",
                "external_id": f"ext-{n}",
                "total": {"amount": "9.90", "currency": "CNY"},
            },
            patch={"status": "void"},
            text="number",
            clears="external_id",
            counter="custom.n",
            equals=("number", "number"),
            upsert="external_id",
        ),
        Sample(
            path="/v1/payments",
            topic=PAYMENT,
            body=lambda n, _: {
                "reference": f"RF-{n}",
                "source": "erp",
                "external_id": f"ext-{n}",
                "amount": {"amount": "9.90", "currency": "CNY"},
            },
            patch={"status": "failed"},
            text="reference",
            clears="reference",
            counter="custom.n",
            equals=("reference", "reference"),
            upsert="external_id",
        ),
    )
