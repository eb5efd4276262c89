"""One step of a transfer: a page of records is found or changed, by the requests that anybody would send.

So the services check the rights, write the audit log and publish the events as for every other change.
"""

from typing import Any, Final

import orjson
from crm_kit.timers import RetryLater

from gateway.features.transfers.rules import PAGE, Change, Find, Task, following, owner_of
from gateway.features.transfers.usecases import Step, Work
from gateway.proxy.table import packaged_table
from gateway.upstream import ServiceClient, UpstreamUnavailable

_LATER: Final = frozenset({409, 425, 429, 500, 502, 503, 504})


class _Refused(Exception):
    """A service's answer after which nothing more can be moved."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


class Mover:
    """Of one transfer."""

    def __init__(self, client: ServiceClient, work: Work, *, seconds: float) -> None:
        self._client = client
        self._work = work
        self._seconds = seconds

    async def step(self) -> Step:
        """Raises RetryLater where a service cannot answer now."""
        *tasks, task = self._work.tasks
        try:
            return await self._find(task, tasks) if isinstance(task, Find) else await self._change(task, tasks)
        except _Refused as refused:
            return Step([], error=refused.code)

    async def _find(self, task: Find, tasks: list[Task]) -> Step:
        body = {"where": task.where, "sort": ["id"], "limit": PAGE}
        if task.cursor is not None:
            body["cursor"] = task.cursor
        page = await self._ask(task.resource, "search", body)
        owner = owner_of(task.resource)
        records = [(one["id"], one.get(owner)) for one in page["data"]]
        if page["next_cursor"] is not None:
            tasks.append(task.model_copy(update={"cursor": page["next_cursor"]}))
        if records:
            tasks.append(Change(resource=task.resource, records=records))
        return Step(tasks)

    async def _change(self, task: Change, tasks: list[Task]) -> Step:
        if self._work.dry_run:
            moved = [record_id for record_id, _ in task.records]
            faults: list[dict[str, str]] = []
        else:
            moved, faults = await self._hand_over(task)
        tasks += following(task, moved, self._work.follow)
        moved_by, failed_by = {task.resource: len(moved)}, {task.resource: len(faults)}
        return Step(tasks, pages=1, moved=moved_by, failed=failed_by, faults=faults)

    async def _hand_over(self, task: Change) -> tuple[list[str], list[dict[str, str]]]:
        """What was moved, and what was not; what has gone meanwhile is neither."""
        to = dict(self._work.to)
        if "owner_id" in to:
            to[owner_of(task.resource)] = to.pop("owner_id")
        operations = [{"method": "update", "id": record_id, "data": to} for record_id, _ in task.records]
        key = f"{self._work.id}-{self._work.pages}"
        results = (await self._ask(task.resource, "batch", {"operations": operations}, key))["results"]
        moved, faults = [], []
        for (record_id, _), result in zip(task.records, results, strict=True):
            if result["status"] == 200:
                moved.append(record_id)
            elif result["status"] not in (404, 410):
                faults.append({"id": record_id, "code": result["error"]["code"]})
        return moved, faults

    async def _ask(self, resource: str, action: str, body: dict[str, Any], key: str | None = None) -> dict[str, Any]:
        service = packaged_table().services[resource]
        headers = {"Content-Type": "application/json"} | ({"Idempotency-Key": f'"{key}"'} if key else {})
        try:
            answer = await self._client.call(
                self._work.caller,
                service,
                "POST",
                f"/v1/{resource}/{action}",
                headers=headers,
                content=orjson.dumps(body),
                timeout=self._seconds,
            )
        except UpstreamUnavailable as error:
            raise RetryLater(f"{service} does not answer") from error
        if answer.status_code in _LATER:
            raise RetryLater(f"{service} answers {answer.status_code}")
        document: dict[str, Any] = orjson.loads(answer.content)
        if answer.status_code != 200:
            raise _Refused(str(document.get("code", "internal")))
        return document
