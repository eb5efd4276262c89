"""Whether a contact lies near enough to somebody."""

from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession
from crm_kit.rights import Level, Rights
from sqlalchemy import select

from contacts_svc.features.contacts.models import CONTACT_OWNERSHIP, ContactRow

_c = columns(ContactRow)


async def lies_within(session: ReadSession, contact_id: str, level: Level, rights: Rights) -> bool:
    if level == "all":
        return True
    mine = select(_c.id).where(_c.id == contact_id, CONTACT_OWNERSHIP.reached(level, rights))
    return await session.scalar(mine) is not None
