"""Waiting for what the services do about a request, and putting together what they gave."""

import asyncio
import tempfile
import zlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from crm_kit.db.session import WriteSession
from crm_kit.http.principal import Principal
from crm_kit.jobs import JobKind, JobStatus, Progress
from crm_kit.timers import Conclusion, Outside, set_timer

from contacts_svc.features.exports.repository import replace_file
from contacts_svc.features.privacy_requests import repository, rules
from contacts_svc.features.privacy_requests.errors import NotStoppable
from contacts_svc.features.privacy_requests.events import PRIVACY_REQUEST_EVENTS
from contacts_svc.features.privacy_requests.models import PrivacyRequestRow
from contacts_svc.features.privacy_requests.resource import PRIVACY_REQUESTS
from contacts_svc.features.privacy_requests.usecases import FORGET_ARCHIVE, PRIVACY_JOB

_KEPT: Final = timedelta(days=7)
_BY_ITSELF: Final = timedelta(minutes=5)
"""Receipts wake the job; it looks by itself so often."""

_LEASE: Final = timedelta(seconds=20)


async def _step(session: WriteSession, request_id: str, _caller: Principal) -> Progress | Outside:
    row = await PRIVACY_REQUESTS.held(session, request_id)
    done, total = len(row.receipts), len(rules.SERVICES)
    if done == row.told and done < total:
        return Outside(_look_again, _LEASE)
    row.told = done
    if done == total and row.kind == "export":
        await _put_together(session, row)
    await session.flush()
    return Progress(done, total, done == total)


async def _look_again() -> Conclusion:
    async def after_a_while(session: WriteSession) -> datetime:
        return await session.now() + _BY_ITSELF

    return after_a_while


async def _put_together(session: WriteSession, row: PrivacyRequestRow) -> None:
    contents = await repository.contents(session, row.id)
    about = {
        "request_id": row.id,
        "contact_id": row.contact_id,
        "requested_at": row.created_at.isoformat(),
        "receipts": row.receipts,
    }
    with tempfile.TemporaryFile() as file:
        await asyncio.to_thread(rules.write_archive, file, _lines(contents), about)
        await replace_file(session, row, file)
    row.expires_at = await session.now() + _KEPT
    await set_timer(session, FORGET_ARCHIVE, row.id, row.expires_at)


def _lines(contents: list[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    """A line may go over from one piece to the next of its service."""
    of_service: dict[str, bytes] = {}
    for service, content in contents:
        *whole, rest = (of_service.pop(service, b"") + zlib.decompress(content)).split(b"\n")
        yield from ((service, line) for line in whole)
        of_service[service] = rest


async def _ended(session: WriteSession, request_id: str, status: JobStatus) -> None:
    row = await PRIVACY_REQUESTS.held(session, request_id)
    if status == "cancelled" and row.kind == "erasure":
        raise NotStoppable
    before = PRIVACY_REQUEST_EVENTS.snapshot(row)
    row.status = status
    row.finished_at = await session.now()
    await repository.forget_pieces(session, [row.id])
    await PRIVACY_REQUEST_EVENTS.updated(session, row, before)


JOBS: Final = (JobKind(PRIVACY_JOB, _step, _ended),)
