"""What can be done with a scan: start it. Its job is cancelled as any other."""

from typing import Final

from crm_contracts.ids import DuplicateScanId
from crm_kit.db.locks import lock_keys
from crm_kit.db.models import columns
from crm_kit.db.rows import new_row
from crm_kit.db.session import WriteSession
from crm_kit.errors import Text
from crm_kit.http.principal import Principal
from crm_kit.http.route import require
from crm_kit.jobs import start_job
from sqlalchemy import select

from contacts_svc.features.duplicate_scans.errors import ScanRunning
from contacts_svc.features.duplicate_scans.events import UNPUBLISHED
from contacts_svc.features.duplicate_scans.models import DuplicateScanRow
from contacts_svc.features.duplicate_scans.schemas import DuplicateScan, DuplicateScanWrite

SCAN_JOB: Final = "duplicate_scan"


async def start_scan(session: WriteSession, data: DuplicateScanWrite, caller: Principal) -> DuplicateScan:
    """Raises ScanRunning, and Forbidden for who may not merge."""
    if data.merge:
        require(caller, "contacts:update")
        require(caller, "contacts:delete")
    await lock_keys(session, "duplicate_scan", [""])
    c = columns(DuplicateScanRow)
    going_on = await session.scalar(select(c.id).where(c.status.in_(("pending", "running"))).limit(1))
    if going_on is not None:
        raise ScanRunning(Text(f"{going_on} is under way.", f"{going_on} 正在进行。"), members={"scan_id": going_on})
    scan_id = DuplicateScanId.new()
    row = new_row(
        DuplicateScanRow,
        id=scan_id,
        merge=data.merge,
        job_id=await start_job(session, SCAN_JOB, scan_id, caller),
        requested_by=caller.subject,
    )
    return await UNPUBLISHED.created(session, row)
