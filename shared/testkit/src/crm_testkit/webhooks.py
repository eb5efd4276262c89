"""A receiver of webhooks under test, and what is done to have it told something."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import orjson

from crm_testkit.one_of_everything import WEBHOOK_ENDPOINTS
from crm_testkit.stand_in import Answer, Asked, Reply, StandIn

TAKEN = Reply(204, {}, b"")


async def until(check: Callable[[], Awaitable[bool]], seconds: float = 30.0) -> None:
    """Raises TimeoutError where it does not come true."""
    async with asyncio.timeout(seconds):
        while not await check():
            await asyncio.sleep(0.05)


class Hooks:
    """`client` is a tenant's; `receiver` takes whatever comes unless it is told otherwise."""

    def __init__(self, client: httpx.AsyncClient, receiver: StandIn) -> None:
        self.client = client
        self.receiver = receiver
        self.marks: set[str] = set()
        self.answer_by(lambda _: TAKEN)

    def answer_by(self, answer: Answer) -> None:
        self.receiver.reset(answer)

    def answer_in_turn(self, *statuses: int) -> None:
        """To each webhook-id these, one after the other, the last one from then on."""
        seen: Counter[str] = Counter()

        def answer(asked: Asked) -> Reply:
            id_ = asked.headers["webhook-id"]
            seen[id_] += 1
            return Reply(statuses[min(seen[id_], len(statuses)) - 1], {}, b"")

        self.answer_by(answer)

    async def subscribe(self, **body: Any) -> dict[str, Any]:
        """An endpoint for what happens to teams, at the receiver."""
        given = {"url": f"{self.receiver.url}/hook", "kinds": ["team.*"], **body}
        return await self.post("/v1/webhook-endpoints", 201, given)

    async def post(self, path: str, status: int, body: Any = None) -> dict[str, Any]:
        answer = await self.client.post(path, json=body)
        assert answer.status_code == status, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def get(self, path: str, **params: Any) -> dict[str, Any]:
        answer = await self.client.get(path, params=params)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def team(self, name: str) -> dict[str, Any]:
        return await self.post("/v1/teams", 201, {"name": name})

    async def rename(self, team: dict[str, Any], name: str) -> dict[str, Any]:
        answer = await self.client.patch(f"/v1/teams/{team['id']}", json={"name": name})
        assert answer.status_code == 200, answer.text
        renamed: dict[str, Any] = answer.json()
        return renamed

    @property
    def events(self) -> list[dict[str, Any]]:
        """Everything that has arrived, in its order."""
        return [orjson.loads(asked.body) for asked in self.receiver.asked]

    async def arrived(self, number: int) -> list[dict[str, Any]]:
        """Once so many requests have."""

        async def enough() -> bool:
            return len(self.receiver.asked) >= number

        await until(enough)
        return self.events

    async def deliveries(self, endpoint: dict[str, Any], **params: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.get(f"{place(endpoint)}/deliveries", **params))["data"]
        return found

    async def delivered(self, endpoint: dict[str, Any], number: int, status: str = "delivered") -> list[dict[str, Any]]:
        """Once so many deliveries stand there with a status."""

        async def enough() -> bool:
            return len(await self.deliveries(endpoint, status=status)) >= number

        await until(enough)
        return await self.deliveries(endpoint, status=status)

    async def progress(self, endpoint: dict[str, Any]) -> dict[str, Any]:
        return await self.get(f"{place(endpoint)}/progress")

    async def caught_up_on(self, endpoint: dict[str, Any]) -> None:
        """What was written before has come into the journal: a mark that is written now is the last there. `marks`: their ids."""
        mark = await self.team("mark")
        self.marks.add(mark["id"])
        deleted = await self.client.delete(f"/v1/teams/{mark['id']}")
        assert deleted.status_code == 204, deleted.text
        before = (await self.progress(endpoint))["cursor"]
        watch = await self.post(
            "/v1/webhook-endpoints", 201, {"kinds": ["team.deleted"], "transport": "pull", "after": before}
        )

        async def there() -> bool:
            page = await self.get(f"{place(watch)}/events")
            return any(event["subject"] == mark["id"] for event in page["data"])

        await until(there)

    async def caught_up(self, endpoint: dict[str, Any]) -> None:
        """Nothing is behind its place any more."""

        async def nothing() -> bool:
            return bool((await self.progress(endpoint))["backlog"] == 0)

        await until(nothing)


def place(endpoint: dict[str, Any]) -> str:
    return f"/v1/webhook-endpoints/{endpoint['id']}"


async def paused_endpoint(client: httpx.AsyncClient) -> tuple[str, str, str]:
    """Its id, of what was sent there, and of a replay."""
    body = {"url": "http://127.0.0.1:9/", "kinds": ["deal.*"]}
    endpoint = (await client.post(WEBHOOK_ENDPOINTS, json=body)).json()["id"]
    delivery = await client.post(f"{WEBHOOK_ENDPOINTS}/{endpoint}/test")
    assert delivery.status_code == 202, delivery.text
    delivery_id = str(delivery.json()["id"])

    async def attempted() -> bool:
        answer = await client.get(f"{WEBHOOK_ENDPOINTS}/{endpoint}/deliveries/{delivery_id}")
        return bool(answer.json()["attempts"])

    await until(attempted)
    await client.patch(f"{WEBHOOK_ENDPOINTS}/{endpoint}", json={"status": "paused"})  # from now on it stays as it is
    replay = await client.post(f"{WEBHOOK_ENDPOINTS}/{endpoint}/replay", json={"after": "beginning"})
    assert replay.status_code == 202, replay.text
    return endpoint, delivery_id, str(replay.json()["replay_id"])
