"""What the suite that every service inherits is told of the toy service."""

from crm_testkit.conformance import Sample
from crm_testkit.toy_service.contracts import NOTE

SAMPLES = (
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
