"""A service's part of a privacy request, done step by step by a timer: what is killed goes on where it stood.

An export's data goes to whoever keeps the requests in receipts, which are forgotten once that has it all. An erasure's receipt
is told when nothing of the person is left here, nor in what this service has published.
"""

import base64
import zlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import orjson
from crm_contracts.envelope import Event
from crm_contracts.ids import PrivacyReceiptId, prefix_of
from crm_contracts.privacy import PrivacyReceipt
from crm_contracts.registry import PRIVACY_RECEIPTS, PRIVACY_REQUEST
from pydantic import JsonValue

from crm_kit.audit import erase_payloads
from crm_kit.db.models import utc_now
from crm_kit.db.session import WriteSession
from crm_kit.errors import Problem, Text
from crm_kit.inbox import Consumer, newest
from crm_kit.outbox.emit import event_of, record_of
from crm_kit.outbox.table import append
from crm_kit.privacy import repository
from crm_kit.privacy.holdings import PersonalData
from crm_kit.settings import ServiceSettings
from crm_kit.timers import TimerHandler, set_timers

_TIMER: Final = "privacy"
_PAGE: Final = 50
_PIECE_BYTES: Final = 400_000
"""Of lines, before compression: with what Base64 adds it fits into an event even where nothing can be compressed."""
_AGAIN: Final = timedelta(seconds=0.5)

Task = dict[str, Any]


class _Erased(Problem):
    """What a repeated request is answered in place of what the first answer told of an erased person."""

    status = 410
    code = "erased"
    title = Text("The person has been erased", "该个人的信息已被删除")


class PrivacyPart:
    """What one service does about privacy requests."""

    def __init__(self, service: str, data: PersonalData) -> None:
        self._service = service
        self._data = data
        self._receipts = next(topic for topic in PRIVACY_RECEIPTS if topic.service == service)
        self.consumer = Consumer(
            name=f"{service}.privacy", topics=(PRIVACY_REQUEST,), handle=self._follow, order="pass"
        )
        self.topics = (self._receipts,)

    def timers(self, _settings: ServiceSettings) -> Mapping[str, TimerHandler]:
        return {_TIMER: self._go_on}

    async def _follow(self, session: WriteSession, events: Sequence[Event]) -> None:
        """Begins what is asked for, once; and what has ended is tidied up after. A failed job stops nobody: an erasure goes on."""
        due = []
        for event in newest(events):
            entity = event.entity or {"status": "deleted"}
            if entity["status"] == "failed":
                continue
            if entity["status"] == "running":
                begun = await repository.begin(session, event.subject, entity["kind"], entity["subject_ids"])
            if entity["status"] != "running" or begun:
                due.append(event.subject)
        now = await session.now()
        await set_timers(session, _TIMER, [(request_id, now, {}) for request_id in due])

    async def _go_on(self, session: WriteSession, key: str, _payload: Mapping[str, JsonValue]) -> datetime | None:
        task = await repository.lock(session, key)
        if task is None:
            return None
        if task["done"]:
            await self._forget_receipts(session, key)
            return None
        finished = await (self._gather(session, task) if task["kind"] == "export" else self._erase(session, task))
        await repository.save(session, task)
        return None if finished is None else await session.now() + finished

    async def _gather(self, session: WriteSession, task: Task) -> timedelta | None:
        """The next page of what is held, told in pieces; None once all is."""
        shown = [holding for holding in self._data.holdings if holding.shown]
        if task["holding"] >= len(shown):
            more = [(kind, entity) async for kind, entity in self._data.show_more(session, task["subject_ids"])]
            await self._tell_lines(session, task, more)
            await self._tell(session, task, is_last=True)
            task["done"] = True
            return None
        holding = shown[task["holding"]]
        rows = await repository.page(session, holding, task["subject_ids"], task["after"], _PAGE, erasing=False)
        told = [(holding.kind, holding.events.snapshot(row).model_dump(mode="json")) for row in rows]
        await self._tell_lines(session, task, told)
        is_over = len(rows) < _PAGE
        task["holding"] += is_over
        task["after"] = "" if is_over else rows[-1].id
        return timedelta()

    async def _erase(self, session: WriteSession, task: Task) -> timedelta | None:
        """The next page of what is held; then the rest; None once nothing is left."""
        ids, request_id = task["subject_ids"], task["request_id"]
        for holding in self._data.holdings:
            rows = await repository.page(session, holding, ids, "", _PAGE, erasing=True)
            for row in rows:
                if holding.strip is not None:
                    before = holding.events.snapshot(row)
                    holding.strip(row)
                    await holding.events.stripped(session, row, before)
                elif holding.remove is not None:
                    await holding.remove(session, row)
                else:
                    await holding.events.erased(session, row)
            if rows:
                if holding.events.topic.actions:
                    keys = [row.id for row in rows]
                    await repository.note_keys(session, request_id, holding.events.topic.name, keys)
                _count(task, holding.kind, len(rows))
                return timedelta()
        more = await self._data.erase_more(session, ids)
        for kind, number in (more or {}).items():
            _count(task, kind, number)
        if (
            more is None
            or await self._data.has_copies(session, ids)
            or not await repository.is_relayed(session, request_id, self._receipts.name)
        ):
            return _AGAIN
        await self._sweep(session, request_id, ids)
        await self._tell(session, task, is_last=True)
        task["done"] = True
        return None

    async def _sweep(self, session: WriteSession, request_id: str, subject_ids: Sequence[str]) -> None:
        """What is left in the kit's own tables: parked events, kept answers, values in the audit log."""
        await repository.drop_parked(session, request_id, subject_ids)
        await repository.drop_keys(session, request_id, self._receipts.name, its=False)
        problem = _Erased()
        body = orjson.dumps(problem.body("en"))
        await repository.blank_answers(session, subject_ids, {"content-type": "application/problem+json"}, body)
        for subject_id in subject_ids:
            await erase_payloads(session, prefix_of(subject_id) or "", [subject_id])

    async def _tell_lines(self, session: WriteSession, task: Task, told: Sequence[tuple[str, Any]]) -> None:
        text = b"".join(orjson.dumps({"kind": kind, "entity": entity}) + b"\n" for kind, entity in told)
        for start in range(0, len(text), _PIECE_BYTES):
            await self._tell(session, task, content=text[start : start + _PIECE_BYTES])
        for kind, _ in told:
            _count(task, kind, 1)

    async def _tell(
        self, session: WriteSession, task: Task, *, content: bytes | None = None, is_last: bool = False
    ) -> None:
        receipt_id, now = PrivacyReceiptId.new(), utc_now()
        receipt = PrivacyReceipt(
            id=receipt_id,
            version=1,
            created_at=now,
            updated_at=now,
            request_id=task["request_id"],
            service=self._service,
            number=task["pieces"],
            is_last=is_last,
            records=task["records"] if is_last else {},
            content=None if content is None else base64.b64encode(zlib.compress(content)).decode(),
        )
        task["pieces"] += 1
        event = event_of(session, self._receipts, receipt_id, 1, now, "created", receipt.model_dump(mode="json"))
        await append(session, [record_of(event)], [])
        await repository.note_keys(session, task["request_id"], self._receipts.name, [receipt_id])

    async def _forget_receipts(self, session: WriteSession, request_id: str) -> None:
        receipts, now = self._receipts, utc_now()
        for key in await repository.keys_of(session, request_id, receipts.name):
            event = event_of(session, receipts, key, 2, now, "deleted", None, erased=True)
            await append(session, [record_of(event)], [])
        await repository.drop_keys(session, request_id, receipts.name, its=True)


def _count(task: Task, kind: str, number: int) -> None:
    if number:
        task["records"] = {**task["records"], kind: task["records"].get(kind, 0) + number}
