"""The suite that every service inherits, on a service without any CRM noun."""

from crm_testkit.conformance import Sample, ServiceConformance
from crm_testkit.toy_service import MANIFEST, NOTE


class TestToyService(ServiceConformance):
    manifest = MANIFEST
    samples = (
        Sample(
            path="/v1/notes",
            topic=NOTE,
            body=lambda n, _: {"title": f"Note {n}", "text": "…", "mark": f"mark-{n}"},
            patch={"tags": ["seen"], "price": {"amount": "19.90", "currency": "CNY"}},
            text="text",
            clears="text",
            counter="count",
            integer="size",
            equals=("mark", "mark"),
            upsert="mark",
        ),
    )
