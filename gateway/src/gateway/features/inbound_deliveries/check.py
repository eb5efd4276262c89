"""What the doctor says of what came in, by the numbers that metrics have."""

from collections.abc import AsyncIterator
from typing import Final

from crm_kit.db.session import ReadSession
from crm_kit.doctor.findings import Finding, fault, ok, warning

from gateway.features.inbound_deliveries.gauge import backlog_of, parked

_LONG_SECONDS: Final = 300.0


async def look_at_inbound(session: ReadSession) -> AsyncIterator[Finding]:
    backlog = await backlog_of(session)
    said = f"{backlog.due:,} inbound deliveries are due, the first for {backlog.overdue:.0f} s, and {backlog.later:,} later"
    if backlog.overdue > _LONG_SECONDS:
        advice = (
            "does a gateway run the role consume, and what says its log (deliveries_interrupted, deliveries_failed)?"
        )
        yield fault("inbound", f"{said}: {advice}")
    else:
        yield ok("inbound", f"{said}." if backlog.due or backlog.later else "No inbound delivery waits.")
    if count := await parked(session):
        advice = "GET /v1/inbound-deliveries?status=parked says why; mend the mapping and run them anew"
        yield warning("inbound", f"{count:,} inbound deliveries are parked: {advice}.")
