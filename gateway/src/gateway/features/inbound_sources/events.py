"""From the row to what others may see of it. Its secrets are nowhere in that."""

from crm_contracts.inbound import InboundSource
from crm_contracts.registry import INBOUND_SOURCE
from crm_kit.outbox import EntityEvents

from gateway.features.inbound_sources.models import InboundSourceRow


def snapshot(row: InboundSourceRow) -> InboundSource:
    return InboundSource.model_validate({**row.model_dump(), "path": f"/in/{row.id}"})


INBOUND_SOURCE_EVENTS = EntityEvents(INBOUND_SOURCE, InboundSourceRow, snapshot)
