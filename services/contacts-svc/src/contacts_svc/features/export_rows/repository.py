"""Every statement about the rows of an export beyond those that all resources have."""

from collections.abc import Collection, Sequence

from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession
from sqlalchemy import ARRAY, Text, any_, literal, select

from contacts_svc.features.accounts.models import AccountRow


async def accounts_of(session: ReadSession, ids: Collection[str]) -> Sequence[AccountRow]:
    """Those of them that are there."""
    if not ids:
        return []
    statement = select(AccountRow).where(columns(AccountRow).id == any_(literal(sorted(ids), ARRAY(Text()))))
    return (await session.scalars(statement)).all()
