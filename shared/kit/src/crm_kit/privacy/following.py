"""A service's part of a privacy request, done step by step by a timer: what is killed goes on where it stood.

An export's data goes to whoever keeps the requests in receipts, which are forgotten once that has it all. An erasure's receipt
is told when nothing of the person is left here, nor in what this service has published (`erasing.py`).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import orjson
from crm_contracts.envelope import Event
from crm_contracts.registry import PRIVACY_RECEIPTS, PRIVACY_REQUEST
from pydantic import JsonValue

from crm_kit.db.session import WriteSession
from crm_kit.inbox import Consumer, newest
from crm_kit.privacy import repository
from crm_kit.privacy.erasing import ERASE, begin_erasures, erase_some
from crm_kit.privacy.holdings import PersonalData
from crm_kit.privacy.receipts import Task, Told, count, forget_receipts, tell
from crm_kit.settings import ServiceSettings
from crm_kit.timers import TimerHandler, set_timers

_TIMER: Final = "privacy"
"""The timer of an export's part, by the request's id."""

_PAGE: Final = 50
_PIECE_BYTES: Final = 400_000
"""Of lines, before compression: with what Base64 adds it fits into an event even where nothing can be compressed."""


class PrivacyPart:
    """What one service does about privacy requests."""

    def __init__(self, service: str, data: PersonalData) -> None:
        self._data = data
        self._receipts = next(topic for topic in PRIVACY_RECEIPTS if topic.service == service)
        self.consumer = Consumer(
            name=f"{service}.privacy", topics=(PRIVACY_REQUEST,), handle=self._follow, order="pass"
        )
        self.topics = (self._receipts,)

    def timers(self, _settings: ServiceSettings) -> Mapping[str, TimerHandler]:
        return {_TIMER: self._go_on, ERASE: self._erase}

    async def _follow(self, session: WriteSession, events: Sequence[Event]) -> None:
        """Begins what is asked for, once; and what has ended is tidied up after. A failed job stops nobody: an erasure goes on."""
        exports, erasures, ended = [], {}, []
        for event in newest(events):
            entity = event.entity or {"status": "deleted"}
            match entity["status"], entity.get("kind"):
                case "running", "erasure":
                    erasures[event.subject] = entity["subject_ids"]
                case "running", str(kind):
                    if await repository.begin(session, event.subject, kind, entity["subject_ids"]):
                        exports.append(event.subject)
                case status, _:
                    if status != "failed":
                        ended.append(event.subject)
        await begin_erasures(session, erasures)
        exports += await self._tidy(session, ended)
        now = await session.now()
        await set_timers(session, _TIMER, [(request_id, now, {}) for request_id in exports])

    async def _tidy(self, session: WriteSession, ended: Sequence[str]) -> list[str]:
        """Forgets the receipts of requests that have ended; answers those of which there may be many, for a timer."""
        if not ended:
            return []
        kinds = await repository.kinds_of(session, ended)
        erasures = [request_id for request_id in ended if kinds.get(request_id) == "erasure"]
        exports = [request_id for request_id in ended if kinds.get(request_id) == "export"]
        await repository.end_exports(session, exports)
        await forget_receipts(session, self._receipts, erasures)
        return exports

    async def _erase(self, session: WriteSession, _key: str, _payload: Mapping[str, JsonValue]) -> datetime | None:
        pause = await erase_some(session, self._data, self._receipts)
        return None if pause is None else await session.now() + pause

    async def _go_on(self, session: WriteSession, key: str, _payload: Mapping[str, JsonValue]) -> datetime | None:
        task = await repository.lock(session, key)
        if task is None:
            return None
        if task["done"]:
            await forget_receipts(session, self._receipts, [key])
            return None
        if task["kind"] == "erasure":  # a release before this one has begun it
            await set_timers(session, ERASE, [("", await session.now(), {})])
            return None
        finished = await self._gather(session, task)
        await repository.save(session, task)
        return None if finished is None else await session.now() + finished

    async def _gather(self, session: WriteSession, task: Task) -> timedelta | None:
        """The next page of what is held, told in pieces; None once all is."""
        shown = [holding for holding in self._data.holdings if holding.shown]
        if task["holding"] >= len(shown):
            more = [(kind, entity) async for kind, entity in self._data.show_more(session, task["subject_ids"])]
            await self._tell_lines(session, task, more)
            await tell(session, self._receipts, [Told(task, is_last=True)])
            return None
        holding = shown[task["holding"]]
        rows = await repository.page(session, holding, task["subject_ids"], task["after"], _PAGE, erasing=False)
        told = [(holding.kind, holding.events.snapshot(row).model_dump(mode="json")) for row in rows]
        await self._tell_lines(session, task, told)
        is_over = len(rows) < _PAGE
        task["holding"] += is_over
        task["after"] = "" if is_over else rows[-1].id
        return timedelta()

    async def _tell_lines(self, session: WriteSession, task: Task, told: Sequence[tuple[str, Any]]) -> None:
        text = b"".join(orjson.dumps({"kind": kind, "entity": entity}) + b"\n" for kind, entity in told)
        pieces = [text[start : start + _PIECE_BYTES] for start in range(0, len(text), _PIECE_BYTES)]
        await tell(session, self._receipts, [Told(task, piece) for piece in pieces])
        for kind, _ in told:
            count(task, {kind: 1})
