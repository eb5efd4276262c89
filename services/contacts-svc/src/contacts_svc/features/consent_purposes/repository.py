"""Every statement about purposes beyond those that all resources have."""

from collections.abc import Sequence

from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession
from sqlalchemy import func, select

from contacts_svc.features.consent_purposes.models import ConsentPurposeRow

_c = columns(ConsentPurposeRow)


async def named(session: ReadSession, purpose: str) -> ConsentPurposeRow | None:
    row: ConsentPurposeRow | None = await session.scalar(select(ConsentPurposeRow).where(_c.purpose == purpose))
    return row


async def active(session: ReadSession) -> Sequence[ConsentPurposeRow]:
    """In the order in which they are shown."""
    statement = select(ConsentPurposeRow).where(_c.active).order_by(_c.position, _c.id)
    return (await session.scalars(statement)).all()


async def count(session: ReadSession) -> int:
    return int(await session.scalar(select(func.count()).select_from(ConsentPurposeRow)))
