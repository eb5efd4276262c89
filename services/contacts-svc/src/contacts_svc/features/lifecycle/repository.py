"""Every statement about the lifecycle, and about the records that are in its stages."""

from collections.abc import Sequence
from typing import TypeVar

from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession, WriteSession
from sqlalchemy import select

from contacts_svc.features.accounts.models import AccountRow
from contacts_svc.features.contacts.models import ContactRow
from contacts_svc.features.lifecycle.rules import BATCH
from contacts_svc.features.stages.models import LifecycleRow

RowT = TypeVar("RowT", bound=ContactRow | AccountRow)


async def lifecycle(session: ReadSession) -> LifecycleRow | None:
    """The tenant's; None where it has changed nothing."""
    row: LifecycleRow | None = await session.scalar(select(LifecycleRow))
    return row


async def is_used(session: ReadSession, stage: str) -> bool:
    for row in (ContactRow, AccountRow):
        c = columns(row)
        if await session.scalar(select(c.id).where(c.lifecycle_stage == stage).limit(1)) is not None:
            return True
    return False


async def lock_some(session: WriteSession, row: type[RowT], stage: str) -> Sequence[RowT]:
    """Up to BATCH records in the stage that nobody else has locked."""
    c = columns(row)
    statement = select(row).where(c.lifecycle_stage == stage).limit(BATCH).with_for_update(skip_locked=True)
    return (await session.scalars(statement.execution_options(populate_existing=True))).all()
