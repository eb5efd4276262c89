"""What can be done with a legal hold. It is released, not deleted: that there was one is told to whoever asks why something is there."""

from crm_contracts.ids import LegalHoldId
from crm_contracts.retention import LegalHold
from crm_kit.db.rows import new_row
from crm_kit.db.session import WriteSession
from crm_kit.errors import FieldError, Text, ValidationFailed
from crm_kit.http.principal import Principal

from contacts_svc.features.holding.models import LegalHoldRow
from contacts_svc.features.legal_holds.errors import HoldReleased
from contacts_svc.features.legal_holds.events import LEGAL_HOLD_EVENTS
from contacts_svc.features.legal_holds.schemas import LegalHoldWrite
from contacts_svc.features.privacy_requests.usecases import lock_subject


async def place_hold(session: WriteSession, data: LegalHoldWrite, caller: Principal) -> LegalHold:
    """Whatever is about to take the contact away has done so, or sees the hold. Raises ValidationFailed."""
    contact = await lock_subject(session, data.contact_id, "read")
    await _check_end(session, data)
    row = new_row(
        LegalHoldRow,
        id=LegalHoldId.new(),
        contact_id=contact.id,
        reason=data.reason,
        until=data.until,
        placed_by=caller.subject,
    )
    return await LEGAL_HOLD_EVENTS.created(session, row)


async def update_hold(session: WriteSession, row: LegalHoldRow, data: LegalHoldWrite, _caller: Principal) -> None:
    """Raises HoldReleased, ValidationFailed."""
    if data.contact_id != row.contact_id:
        text = Text("Is as it was made; place another hold", "创建后不可更改；请另设法律保留")
        raise ValidationFailed(text, errors=[FieldError("/contact_id", "fixed", text)])
    if row.released_at is not None:
        raise HoldReleased
    before = LEGAL_HOLD_EVENTS.snapshot(row)
    if data.until != row.until:
        await _check_end(session, data)
    row.reason, row.until = data.reason, data.until
    await LEGAL_HOLD_EVENTS.updated(session, row, before)


async def release_hold(session: WriteSession, row: LegalHoldRow, caller: Principal) -> None:
    """Raises HoldReleased."""
    if row.released_at is not None:
        raise HoldReleased
    before = LEGAL_HOLD_EVENTS.snapshot(row)
    row.released_at, row.released_by = await session.now(), caller.subject
    await LEGAL_HOLD_EVENTS.updated(session, row, before, action="released")


async def _check_end(session: WriteSession, data: LegalHoldWrite) -> None:
    if data.until is not None and data.until <= await session.now():
        text = Text("Must lie after now; release the hold to end it", "必须晚于当前时间；如需结束请解除保留")
        raise ValidationFailed(text, errors=[FieldError("/until", "expired", text)])
