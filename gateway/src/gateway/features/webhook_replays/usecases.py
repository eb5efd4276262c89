"""What can be done with a replay."""

from crm_kit.db.session import WriteSession

from gateway.features.webhook_deliveries import repository as deliveries
from gateway.features.webhook_endpoints import repository as endpoints
from gateway.features.webhook_replays import repository
from gateway.features.webhook_replays.errors import ReplayOver
from gateway.features.webhook_replays.models import WebhookReplayRow


async def cancel_replay(session: WriteSession, row: WebhookReplayRow) -> None:
    """What has arrived stays told; what waits, or was not looked at, is not told. Raises ReplayOver."""
    is_left = not row.done or await repository.waits(session, row.endpoint_id, row.id)
    if row.cancelled_at is not None or not is_left:
        raise ReplayOver
    subjects = await repository.cancel(session, row.endpoint_id, row.id)
    if subjects:  # others may have waited behind these
        await deliveries.release(session, row.endpoint_id, subjects)
        await endpoints.try_soon(session, row.endpoint_id)
    await session.refresh(row)
