"""tickets-svc keeps what every service promises."""

from crm_contracts.registry import TICKET, TICKET_MESSAGE
from crm_testkit.conformance import Sample, ServiceConformance
from crm_testkit.service import Tenant
from tickets_svc.manifest import MANIFEST


async def _a_ticket(tenant: Tenant) -> dict[str, str]:
    ticket = await tenant.create("/v1/tickets", subject="无法登录")
    return {"ticket_id": ticket["id"]}


class TestConformance(ServiceConformance):
    manifest = MANIFEST
    samples = (
        Sample(
            path="/v1/tickets",
            topic=TICKET,
            body=lambda n, _: {"subject": f"Ticket {n}", "kind": "incident"},
            patch={"priority": "high"},
            text="subject",
            clears="kind",
            counter="custom.n",
            equals=("subject", "subject"),
        ),
        Sample(
            path="/v1/tickets/{ticket_id}/messages",
            topic=TICKET_MESSAGE,
            prepare=_a_ticket,
            body=lambda n, _: {"body": f"Message {n}"},
            patch={},
            text="body",
        ),
    )
