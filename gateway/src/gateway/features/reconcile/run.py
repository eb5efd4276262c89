"""One run over some customers: counts, logs, and goes on after what cannot be judged."""

from collections.abc import AsyncIterable
from dataclasses import dataclass, field

import structlog
from crm_kit import context
from crm_kit.db.session import Database
from crm_kit.http.principal import Principal
from crm_kit.inbox.passing import ConsumerBehind
from sqlalchemy import text

from gateway.features.reconcile import metrics
from gateway.features.reconcile.drift import Finding
from gateway.features.reconcile.reconciler import Allowance, Reconciler
from gateway.upstream import UpstreamUnavailable

_TENANTS = text("select id, region from tenant order by random()")

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Tally:
    """What a run came to. `unjudged`: customers of whom somebody did not answer; `reason` is the last one's."""

    compared: int = 0
    unsettled: int = 0
    unjudged: int = 0
    reason: str = ""
    findings: list[Finding] = field(default_factory=list)


async def tenants(system: Database) -> list[Principal]:
    """In whose name the services are asked, one for each tenant, in no order."""
    scopes = frozenset({"read", "write"})
    async with system.read(None) as session:
        return [Principal("service/gateway", row.id, row.region, scopes) for row in await session.execute(_TENANTS)]


async def reconcile(
    reconciler: Reconciler, principal: Principal, customers: AsyncIterable[str], allowance: Allowance, tally: Tally
) -> None:
    """Compares these customers of one tenant. Raises ConsumerBehind: then no other could be judged either."""
    here = context.Context(context.unrecorded_trace(), "reconcile", principal.tenant_id, principal.subject)
    with context.use(here):
        async for customer_id in customers:
            try:
                result = await reconciler.check(principal, customer_id, allowance)
            except ConsumerBehind:
                tally.unjudged += 1
                raise
            except UpstreamUnavailable as error:
                tally.unjudged += 1
                tally.reason = str(error.detail.en if error.detail else error)
                continue
            tally.compared += 1
            tally.unsettled += result.unsettled
            tally.findings += result.findings
            metrics.SAMPLED.inc()
            metrics.UNSETTLED.inc(result.unsettled)
            for finding in result.findings:
                _report(finding)


def _report(finding: Finding) -> None:
    metrics.DRIFTED.labels(finding.kind).inc()
    if finding.repaired is not None:
        metrics.REPAIRED.labels(finding.kind, "repaired" if finding.repaired else "failed").inc()
    log.warning(
        "view_drifted",
        kind=finding.kind,
        customer=finding.customer_id,
        subject=finding.subject,
        detail=finding.detail,
        repaired=finding.repaired,
    )
