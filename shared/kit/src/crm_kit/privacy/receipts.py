"""What a service tells of its part: receipts, which are events between services and no resource."""

import base64
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from crm_contracts.ids import PrivacyReceiptId
from crm_contracts.privacy import PrivacyReceipt
from crm_contracts.registry import Topic

from crm_kit.db.models import utc_now
from crm_kit.db.session import WriteSession
from crm_kit.outbox.emit import event_of, record_of
from crm_kit.outbox.table import append
from crm_kit.privacy import repository

Task = dict[str, Any]
"""A row of PRIVACY_TASK."""


class Told(NamedTuple):
    """A receipt of a task: a piece of an export's lines, or the last word, by which it is done."""

    task: Task
    content: bytes | None = None
    is_last: bool = False


async def tell(session: WriteSession, topic: Topic, told: Sequence[Told]) -> None:
    """Publishes receipts, and notes them to be forgotten once their requests have ended."""
    records = []
    keys: dict[str, list[str]] = {}
    for task, content, is_last in told:
        receipt_id, now = PrivacyReceiptId.new(), utc_now()
        receipt = PrivacyReceipt(
            id=receipt_id,
            version=1,
            created_at=now,
            updated_at=now,
            request_id=task["request_id"],
            service=topic.service,
            number=task["pieces"],
            is_last=is_last,
            records=task["records"] if is_last else {},
            content=None if content is None else base64.b64encode(zlib.compress(content)).decode(),
        )
        task["pieces"] += 1
        task["done"] = task["done"] or is_last
        body = receipt.model_dump(mode="json")
        records.append(record_of(event_of(session, topic, receipt_id, 1, now, "created", body)))
        keys.setdefault(task["request_id"], []).append(receipt_id)
    await append(session, records, [])
    for request_id, noted in keys.items():
        await repository.note_keys(session, request_id, topic.name, noted)


async def forget_receipts(session: WriteSession, topic: Topic, request_ids: Sequence[str]) -> None:
    """Their requests have ended: the event log need not keep what was told for them."""
    now = utc_now()
    events = [
        event_of(session, topic, key, 2, now, "deleted", None, erased=True)
        for key in await repository.keys_of(session, request_ids, topic.name)
    ]
    await append(session, [record_of(event) for event in events], [])
    await repository.drop_keys(session, request_ids, topic.name, its=True)


def count(task: Task, taken: Mapping[str, int]) -> None:
    """Of how many of what kind it was, for the receipt."""
    for kind, number in taken.items():
        if number:
            task["records"] = {**task["records"], kind: task["records"].get(kind, 0) + number}
