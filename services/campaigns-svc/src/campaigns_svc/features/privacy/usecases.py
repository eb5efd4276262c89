"""What of a message tells of a person."""

from campaigns_svc.features.messages.models import MessageRow


def strip_message(row: MessageRow) -> None:
    """The contact's id stays, by which a campaign counts whom it has reached; it leads to nobody any more."""
    row.address, row.subject, row.consent = None, None, None
