"""Every statement about pools beyond those that all resources have."""

from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession
from sqlalchemy import select

from contacts_svc.features.contacts.models import ContactRow

_contact = columns(ContactRow)


async def has_contacts(session: ReadSession, pool_id: str) -> bool:
    return await session.scalar(select(_contact.id).where(_contact.pool_id == pool_id).limit(1)) is not None
