"""The statements behind the facts; each has a bound."""

from collections.abc import Sequence

from crm_contracts.facts import MAX_CONTACTS, MAX_TIMELINE
from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession
from sqlalchemy import ColumnElement, or_, select

from contacts_svc.features.accounts.models import AccountRow
from contacts_svc.features.activities.models import ActivityRow
from contacts_svc.features.contacts.models import ContactRow


async def contact(session: ReadSession, contact_id: str) -> ContactRow | None:
    row: ContactRow | None = await session.scalar(select(ContactRow).where(columns(ContactRow).id == contact_id))
    return row


async def account(session: ReadSession, account_id: str) -> AccountRow | None:
    row: AccountRow | None = await session.scalar(select(AccountRow).where(columns(AccountRow).id == account_id))
    return row


async def contacts_of(session: ReadSession, account_id: str) -> Sequence[ContactRow]:
    c = columns(ContactRow)
    statement = select(ContactRow).where(c.account_id == account_id).order_by(c.id).limit(MAX_CONTACTS)
    return (await session.scalars(statement)).all()


async def newest_activities(
    session: ReadSession, account_id: str | None, contact_ids: Sequence[str]
) -> Sequence[ActivityRow]:
    c = columns(ActivityRow)
    belongs: ColumnElement[bool] = c.contact_id.in_(contact_ids)
    if account_id is not None:
        belongs = or_(belongs, c.account_id == account_id)
    statement = select(ActivityRow).where(belongs).order_by(c.at.desc(), c.id.desc()).limit(MAX_TIMELINE)
    return (await session.scalars(statement)).all()
