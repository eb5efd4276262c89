"""campaigns-svc keeps what every service promises."""

from campaigns_svc.manifest import MANIFEST
from crm_contracts.registry import CAMPAIGN, MESSAGE, SEGMENT, TEMPLATE
from crm_testkit.conformance import Sample, ServiceConformance
from crm_testkit.service import Tenant


async def _a_segment_and_a_template(tenant: Tenant) -> dict[str, str]:
    segment = await tenant.create("/v1/segments", name="Everybody")
    template = await tenant.create("/v1/templates", name="News", subject="News", body_text="News")
    return {"segment_id": segment["id"], "template_id": template["id"]}


class TestConformance(ServiceConformance):
    manifest = MANIFEST
    samples = (
        Sample(
            path="/v1/templates",
            topic=TEMPLATE,
            body=lambda n, _: {"name": f"News {n}", "language": "zh-CN", "subject": f"News {n}", "body_text": "Hello"},
            patch={"body_text": "Hello {{ contact.full_name }}"},
            text="name",
            clears="language",
            equals=("name", "name"),
        ),
        Sample(
            path="/v1/segments",
            topic=SEGMENT,
            body=lambda n, _: {"name": f"Segment {n}", "description": "who came last year"},
            patch={"description": "who came this year"},
            text="name",
            clears="description",
            equals=("name", "name"),
        ),
        Sample(
            path="/v1/campaigns",
            topic=CAMPAIGN,
            prepare=_a_segment_and_a_template,
            body=lambda n, values: {"name": f"Campaign {n}", **values},
            patch={"purpose": "newsletter"},
            text="name",
            equals=("name", "name"),
        ),
        Sample(path="/v1/messages", topic=MESSAGE, body=lambda _n, _v: {}, patch={}, text="", created="queued"),
    )
