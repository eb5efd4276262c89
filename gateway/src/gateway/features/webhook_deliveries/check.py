"""What the doctor says of webhooks, by the numbers that metrics have."""

from collections.abc import AsyncIterator
from typing import Final

from crm_kit.db.session import ReadSession
from crm_kit.doctor.findings import Finding, fault, ok, warning

from gateway.features.webhook_deliveries.gauge import backlog_of

_LONG_SECONDS: Final = 300.0


async def look_at_webhooks(session: ReadSession) -> AsyncIterator[Finding]:
    backlog = await backlog_of(session)
    late = max(backlog.overdue, backlog.oldest)
    said = f"{backlog.events:,} events were not offered yet, and what is due has waited for {late:.0f} s"
    if late > _LONG_SECONDS:
        advice = "does a gateway run the role consume, and what says its log (webhooks_interrupted)?"
        yield fault("webhooks", f"{said}: {advice}")
    else:
        yield ok("webhooks", f"{said}." if backlog.events or late else "Nothing waits to be told to webhook endpoints.")
    failing, off = backlog.endpoints["failing"], backlog.endpoints["off"]
    if failing or off:
        waiting = f"{backlog.retried:,} deliveries are tried again and {backlog.held:,} wait behind those"
        said = f"{failing:,} endpoints fail and {off:,} are paused, disabled or fetched from; {waiting}"
        kind, advice = (warning, ": GET /v1/webhook-endpoints says which, and why.") if failing else (ok, ".")
        yield kind("webhook endpoints", said + advice)
