"""Pure decisions about unsubscribing."""

from datetime import datetime


def withdrawal_time(now: datetime, consent_at: datetime | None, last: datetime | None) -> datetime | None:
    """When a click now counts from; None where an earlier click on the same link still stands.

    An earlier one stands unless a consent has been given since. The time is never before that consent's, whose clock
    may be ahead of ours: the withdrawal must be the later of the two.
    """
    if last is not None and (consent_at is None or last >= consent_at):
        return None
    return now if consent_at is None else max(now, consent_at)
