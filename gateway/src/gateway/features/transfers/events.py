"""From the row to what clients may see of it. A transfer is work, not a fact about customers, and not published."""

from crm_contracts.registry import Topic
from crm_kit.outbox import EntityEvents

from gateway.features.transfers.models import TransferRow
from gateway.features.transfers.schemas import Transfer


def snapshot(row: TransferRow) -> Transfer:
    return Transfer.model_validate(row)


UNPUBLISHED = EntityEvents(Topic("gateway", "transfer", Transfer, actions=()), TransferRow, snapshot)
