"""What every request to an endpoint leaves behind: its metrics and its span."""

from collections.abc import Sequence

from crm_kit.observability import tracing

from gateway.features.webhook_deliveries.attempts import Attempt, Requests
from gateway.features.webhook_deliveries.gauge import ATTEMPT_SECONDS, ATTEMPTS
from gateway.features.webhook_deliveries.window import Item
from gateway.features.webhook_journal.rules import trace_of


async def send_told(
    requests: Requests,
    items: Sequence[Item],
    body: bytes,
    headers: dict[str, str],
    *,
    tenant_id: str,
    endpoint_id: str,
    is_batch: bool,
) -> Attempt:
    """As `Requests.send`. The receiver is told its place in the trace where that is recorded, and only then: one that follows our
    word would record nothing of its own either. It learns random numbers, which the event's own `traceparent` has too.
    """
    parents = [trace_of(item.body) for item in items] if tracing.is_on() else []
    span, links = tracing.below_messages(parents)
    if span is not None:
        headers = {**headers, "traceparent": span.traceparent}
    attributes: dict[str, str | int] = {
        "relata.tenant.id": tenant_id,
        "relata.webhook.endpoint_id": endpoint_id,
        "http.request.resend_count": max(item.attempts for item in items),
    }
    with tracing.request_under_way(span, "POST", attributes, links) as exchange:
        attempt = await requests.send(items[0].event_id, body, headers, is_batch=is_batch)
        exchange.status, exchange.fault = attempt.status, None if attempt.status else attempt.error
    outcome = "taken" if attempt.is_success else "unanswered" if attempt.status is None else "refused"
    ATTEMPTS.labels(outcome).inc()
    ATTEMPT_SECONDS.observe(attempt.seconds)
    return attempt
