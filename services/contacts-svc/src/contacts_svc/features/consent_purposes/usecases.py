"""What can be done with purposes."""

from typing import Any

from crm_contracts.ids import ConsentPurposeId
from crm_contracts.privacy import ConsentPurpose
from crm_kit.db.locks import lock_keys
from crm_kit.db.session import WriteSession
from crm_kit.errors import FieldError, Text, ValidationFailed
from crm_kit.http.principal import Principal

from contacts_svc.features.consent_purposes import repository
from contacts_svc.features.consent_purposes.errors import PurposeTaken
from contacts_svc.features.consent_purposes.events import CONSENT_PURPOSE_EVENTS
from contacts_svc.features.consent_purposes.models import ConsentPurposeRow
from contacts_svc.features.consent_purposes.schemas import MAX_PURPOSES, ConsentPurposeWrite


async def create_purpose(session: WriteSession, data: ConsentPurposeWrite, _caller: Principal) -> ConsentPurpose:
    """Raises PurposeTaken, and ValidationFailed where there are too many."""
    await lock_keys(session, "consent_purpose", [""])
    if (same := await repository.named(session, data.purpose)) is not None:
        raise PurposeTaken(members={"consent_purpose_id": same.id})
    if await repository.count(session) >= MAX_PURPOSES:
        text = Text(f"There are {MAX_PURPOSES} already; delete one first", f"已有 {MAX_PURPOSES} 个用途，请先删除")
        raise ValidationFailed(text, errors=[FieldError("", "too_many", text)])
    row = ConsentPurposeRow(id=ConsentPurposeId.new(), **_columns(data))
    return await CONSENT_PURPOSE_EVENTS.created(session, row)


async def update_purpose(
    session: WriteSession, row: ConsentPurposeRow, data: ConsentPurposeWrite, _caller: Principal
) -> None:
    """Other words are another version; what was consented to before names its own. Raises ValidationFailed for another name."""
    if data.purpose != row.purpose:
        text = Text("It stays: the ledger names it", "用途名称不可更改：台账以此为准")
        raise ValidationFailed(text, errors=[FieldError("/purpose", "fixed", text)])
    before = CONSENT_PURPOSE_EVENTS.snapshot(row)
    row.wording_version += data.wording != row.wording
    for name, value in _columns(data).items():
        setattr(row, name, value)
    await CONSENT_PURPOSE_EVENTS.updated(session, row, before)


async def delete_purpose(session: WriteSession, row: ConsentPurposeRow, _caller: Principal) -> None:
    """The ledger keeps what was decided."""
    await CONSENT_PURPOSE_EVENTS.deleted(session, row)


def _columns(data: ConsentPurposeWrite) -> dict[str, Any]:
    return {**data.model_dump(mode="json"), "channels": list(dict.fromkeys(data.channels))}
