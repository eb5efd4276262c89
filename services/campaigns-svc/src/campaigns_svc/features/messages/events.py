"""From the row to what others may see of it."""

from crm_contracts.campaigns import Message
from crm_contracts.registry import MESSAGE
from crm_kit.outbox import EntityEvents

from campaigns_svc.features.messages.models import MessageRow


def snapshot(row: MessageRow) -> Message:
    return Message.model_validate(row)


MESSAGE_EVENTS = EntityEvents(MESSAGE, MessageRow, snapshot)
