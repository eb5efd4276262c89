"""What can be done with an activity."""

from crm_contracts.contacts import Activity
from crm_contracts.ids import ActivityId
from crm_kit.db.models import utc_now
from crm_kit.db.rows import new_row
from crm_kit.db.session import WriteSession
from crm_kit.http.principal import Principal
from crm_kit.merging import with_current

from contacts_svc.features.activities.events import ACTIVITY_EVENTS
from contacts_svc.features.activities.models import ActivityRow
from contacts_svc.features.activities.schemas import ActivityWrite
from contacts_svc.features.declaring.repository import declared_for
from contacts_svc.features.holding.usecases import refuse_changing, refuse_deleting

_CUSTOM_FIELDS = declared_for("activities")


async def log_activity(session: WriteSession, data: ActivityWrite, caller: Principal) -> Activity:
    data = await with_current(session, data, "contact_id")
    row = new_row(ActivityRow, id=ActivityId.new(), kind=data.kind, at=data.at or utc_now(), actor_id=caller.subject)
    _write(row, data)
    row.custom = (await session.standing(_CUSTOM_FIELDS)).admitted(data.custom, None, now=utc_now())
    return await ACTIVITY_EVENTS.created(session, row)


async def update_activity(session: WriteSession, row: ActivityRow, data: ActivityWrite, _caller: Principal) -> None:
    """Raises ProcessingRestricted where the contact's processing is."""
    await refuse_changing(session, row.contact_id)
    before = ACTIVITY_EVENTS.snapshot(row)
    data = await with_current(session, data, "contact_id", row)
    _write(row, data)
    row.custom = (await session.standing(_CUSTOM_FIELDS)).admitted(data.custom, before.custom, now=utc_now())
    await ACTIVITY_EVENTS.updated(session, row, before)


async def delete_activity(session: WriteSession, row: ActivityRow, caller: Principal) -> None:
    """Raises ProcessingRestricted, OnLegalHold by its contact."""
    await refuse_deleting(session, row.contact_id, caller)
    await ACTIVITY_EVENTS.deleted(session, row)


def _write(row: ActivityRow, data: ActivityWrite) -> None:
    """References may be ahead of what they refer to: an activity from a mailbox can come before its contact."""
    row.at = data.at or row.at
    row.actor_id = data.actor_id or row.actor_id
    row.data = dict(data.data)
    for field in ("kind", "direction", "channel", "subject", "body", "contact_id", "account_id"):
        setattr(row, field, getattr(data, field))
