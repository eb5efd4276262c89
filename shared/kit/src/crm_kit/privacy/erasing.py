"""A service's part of erasures: those of a tenant that wait are done together, a page at a time, by one timer.

So thousands of them take one of a service's places for timers, as one import does, and what is looked through for one of them is
looked through for fifty.
"""

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import groupby
from typing import Any, Final

import orjson
from crm_contracts.ids import prefix_of
from crm_contracts.registry import Topic

from crm_kit.audit import erase_payloads
from crm_kit.db.session import WriteSession
from crm_kit.errors import Erased
from crm_kit.pacing import rest_since
from crm_kit.privacy import repository
from crm_kit.privacy.holdings import Holding, PersonalData
from crm_kit.privacy.receipts import Task, Told, count, tell
from crm_kit.timers import set_timer

ERASE: Final = "privacy_erasures"
"""The timer: one a tenant, without a key."""

_TOGETHER: Final = 50
_PAGE: Final = 100
_AGAIN: Final = timedelta(seconds=0.5)


async def begin_erasures(session: WriteSession, subjects: Mapping[str, Sequence[str]]) -> None:
    """Of requests, by id, whose subjects are erased here from now on. Those that have begun go on."""
    begun = [
        await repository.begin(session, request_id, "erasure", subject_ids)
        for request_id, subject_ids in subjects.items()
    ]
    if any(begun):
        await set_timer(session, ERASE, "", await session.now())


async def erase_some(session: WriteSession, data: PersonalData, receipts: Topic) -> timedelta | None:
    """Does the next page of the erasures that wait, or tells of those of which nothing is left. When to go on; None for not at all."""
    began = time.monotonic()
    tasks = await repository.lock_open(session, _TOGETHER)
    if not tasks:
        return None
    is_further = await _take_page(session, data, tasks) or await _conclude(session, data, receipts, tasks)
    await repository.save_all(session, tasks)
    return rest_since(began) if is_further else _AGAIN


async def _take_page(session: WriteSession, data: PersonalData, tasks: Sequence[Task]) -> bool:
    """Whether there was something."""
    by_subject = {subject: task for task in tasks for subject in task["subject_ids"]}
    for holding in data.holdings:
        rows = await repository.page(session, holding, list(by_subject), "", _PAGE, erasing=True)
        if not rows:
            continue
        of_task: dict[str, list[str]] = {}
        for row in rows:
            task = by_subject[getattr(row, holding.member)]
            count(task, {holding.kind: 1})
            of_task.setdefault(task["request_id"], []).append(row.id)
        await _take(session, holding, rows)
        if holding.events.topic.actions:
            for request_id, keys in of_task.items():
                await repository.note_keys(session, request_id, holding.events.topic.name, keys)
        return True
    return False


async def _take(session: WriteSession, holding: Holding, rows: Sequence[Any]) -> None:
    if holding.strip is None and holding.remove is None:
        await holding.events.erased_all(session, rows)
        return
    for row in rows:
        if holding.strip is not None:
            before = holding.events.snapshot(row)
            holding.strip(row)
            await holding.events.stripped(session, row, before)
        elif holding.remove is not None:
            await holding.remove(session, row)


async def _conclude(session: WriteSession, data: PersonalData, receipts: Topic, tasks: Sequence[Task]) -> bool:
    """Tells of those of which nothing is left here, nor in what this service has published; the others wait. Whether any was told."""
    taken = await data.erase_more(session, [subject for task in tasks for subject in task["subject_ids"]])
    for task in tasks:
        for subject in task["subject_ids"]:
            count(task, (taken or {}).get(subject, {}))
    clear = await _clear(session, data, receipts, tasks) if taken is not None else []
    if clear:
        await _sweep(session, receipts, clear)
        await tell(session, receipts, [Told(task, is_last=True) for task in clear])
    for task in tasks:
        task["holding"] += not task["done"]
    return bool(clear)


async def _clear(session: WriteSession, data: PersonalData, receipts: Topic, tasks: Sequence[Task]) -> list[Task]:
    """Those of which no copy is left, and all is relayed. One that waits for something holds up no other."""
    waiting = await repository.unrelayed(session, [task["request_id"] for task in tasks], receipts.name)
    relayed = [task for task in tasks if task["request_id"] not in waiting]
    subjects = [subject for task in relayed for subject in task["subject_ids"]]
    if not relayed or not await data.has_copies(session, subjects):
        return relayed
    return [task for task in relayed if not await data.has_copies(session, task["subject_ids"])]


async def _sweep(session: WriteSession, receipts: Topic, tasks: Sequence[Task]) -> None:
    """What is left in the kit's own tables: parked events, kept answers, values in the audit log."""
    request_ids = [task["request_id"] for task in tasks]
    subject_ids = sorted(subject for task in tasks for subject in task["subject_ids"])
    await repository.drop_parked(session, request_ids, subject_ids)
    await repository.drop_keys(session, request_ids, receipts.name, its=False)
    body = orjson.dumps(Erased().body("en"))
    await repository.blank_answers(session, subject_ids, {"content-type": "application/problem+json"}, body)
    for prefix, ids in groupby(subject_ids, key=prefix_of):
        await erase_payloads(session, prefix or "", list(ids))
