"""Every statement about privacy requests beyond those that all resources have, and the fields that these can name."""

import os
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final, get_args

from crm_contracts.privacy import PrivacyReceipt, PrivacyRequestKind, PrivacyRequestStatus
from crm_kit.conditions import Field, FieldSet, FieldType
from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.db.sql import Sql
from crm_kit.resources import base_fields
from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert as upsert

from contacts_svc.features.privacy_requests.models import (
    ErasureEvidenceRow,
    PrivacyPieceRow,
    PrivacyRequestRow,
)

_c = columns(PrivacyRequestRow)
_p = columns(PrivacyPieceRow)
_e = columns(ErasureEvidenceRow)
_MOST_ERASURES: Final = 20

FIELDS = FieldSet(
    "PrivacyRequest",
    [
        *base_fields(PrivacyRequestRow),
        Field("kind", FieldType.CHOICE, _c.kind, choices=get_args(PrivacyRequestKind), nullable=False),
        Field("status", FieldType.CHOICE, _c.status, choices=get_args(PrivacyRequestStatus), nullable=False),
        Field("contact_id", FieldType.ID, _c.contact_id, nullable=False),
        Field("requested_by", FieldType.ID, _c.requested_by, nullable=False),
    ],
)

_SALT: Final = Sql(
    "insert into privacy_salt (tenant_id, salt) values (:tenant, :salt)"
    " on conflict (tenant_id) do update set salt = privacy_salt.salt returning salt"
)


async def running(session: ReadSession, kind: str, contact_id: str) -> str | None:
    """The request of this kind about a contact that is not at its end yet."""
    statement = select(_c.id).where(_c.contact_id == contact_id, _c.kind == kind, _c.status == "running").limit(1)
    found: str | None = await session.scalar(statement)
    return found


async def lock_all(session: WriteSession, request_ids: Sequence[str]) -> Mapping[str, PrivacyRequestRow]:
    statement = select(PrivacyRequestRow).where(_c.id.in_(request_ids)).order_by(_c.id).with_for_update()
    rows = await session.scalars(statement.execution_options(populate_existing=True))
    return {row.id: row for row in rows}


async def keep_pieces(session: WriteSession, pieces: Sequence[tuple[PrivacyReceipt, bytes | None]]) -> None:
    """Each once."""
    rows = [
        {
            "tenant_id": session.tenant_id,
            **receipt.model_dump(include={"request_id", "service", "number", "is_last", "records"}),
            "content": content,
        }
        for receipt, content in pieces
    ]
    if rows:
        await session.execute(upsert(PrivacyPieceRow).on_conflict_do_nothing(), rows)


async def pieces_of(session: ReadSession, request_ids: Sequence[str]) -> list[Any]:
    """Whose they are, their numbers, whether one is the last, and what that tells; without their content."""
    statement = select(_p.request_id, _p.service, _p.number, _p.is_last, _p.records)
    statement = statement.where(_p.request_id.in_(request_ids)).order_by(_p.request_id, _p.service, _p.number)
    return list((await session.execute(statement)).all())


async def job_ids(session: ReadSession, request_ids: Sequence[str]) -> list[str]:
    """The jobs that wait for these requests."""
    statement = select(_c.job_id).where(_c.id.in_(request_ids), _c.job_id.is_not(None), _c.status == "running")
    return list(await session.scalars(statement))


async def count_open_erasures(session: ReadSession, most: int) -> int:
    """How many have not ended; counted up to `most`."""
    some = select(_c.id).where(_c.kind == "erasure", _c.status == "running").limit(most)
    return int(await session.scalar(select(func.count()).select_from(some.subquery())))


async def contents(session: ReadSession, request_id: str) -> list[tuple[str, bytes]]:
    """(service, content), in their order."""
    statement = select(_p.service, _p.content).where(_p.request_id == request_id, _p.content.is_not(None))
    return [(row.service, row.content) for row in await session.execute(statement.order_by(_p.service, _p.number))]


async def forget_pieces(session: WriteSession, request_ids: Sequence[str]) -> None:
    if request_ids:
        await session.execute(delete(PrivacyPieceRow).where(_p.request_id.in_(request_ids)))


async def archives_about(session: WriteSession, contact_ids: Sequence[str]) -> AsyncIterator[PrivacyRequestRow]:
    """Exports of these contacts that hold something, locked."""
    statement = select(PrivacyRequestRow).where(_c.contact_id.in_(contact_ids), _c.kind == "export")
    for row in (await session.scalars(statement.order_by(_c.id).with_for_update())).all():
        yield row


async def salt(session: WriteSession) -> bytes:
    """The tenant's, made when it is first asked for."""
    rows = await session.fetch(_SALT, {"tenant": session.tenant_id, "salt": os.urandom(16)})
    return bytes(rows[0]["salt"])


async def keep_evidence(session: WriteSession, digests: Mapping[str, Sequence[bytes]]) -> None:
    """By request."""
    rows = [
        {"tenant_id": session.tenant_id, "digest": each, "request_id": request_id}
        for request_id, of_request in digests.items()
        for each in of_request
    ]
    if rows:
        await session.execute(upsert(ErasureEvidenceRow).values(rows).on_conflict_do_nothing())


async def erasures_of(session: ReadSession, digest: bytes) -> Sequence[PrivacyRequestRow]:
    """Whoever had this address or number, the newest first."""
    requests = select(_e.request_id).where(_e.digest == digest)
    statement = select(PrivacyRequestRow).where(_c.id.in_(requests)).order_by(_c.id.desc()).limit(_MOST_ERASURES)
    return (await session.scalars(statement)).all()
