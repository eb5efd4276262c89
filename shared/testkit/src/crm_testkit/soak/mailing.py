"""A campaign now and then: a few mails to customers who consented."""

from contextlib import AsyncExitStack
from typing import Any

import httpx

_RECIPIENTS = 5


class Mailing:
    """One tenant's marketing. `send` makes a campaign and schedules it at once; who reads the mail is not asked."""

    def __init__(self, url: str, key: str) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        self._client = httpx.AsyncClient(base_url=url, headers=headers, timeout=60)
        self._opened = AsyncExitStack()
        self._about: dict[str, str] = {}
        self._sent = 0

    async def __aenter__(self) -> "Mailing":
        await self._opened.enter_async_context(self._client)
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self._opened.aclose()

    async def prepare(self) -> None:
        """Raises httpx's errors, as `send` does."""
        consent = {"channel": "email", "purpose": "marketing", "status": "granted", "source": "form"}
        contacts = []
        for number in range(_RECIPIENTS):
            address = {"address": f"reader{number}@example.com", "primary": True}
            made = await self._post("contacts", {"full_name": f"读者 {number}", "emails": [address]})
            await self._post(f"contacts/{made['id']}/consents", consent)
            contacts.append(made["id"])
        template = {"name": "新品", "subject": "新品上市", "body_text": "{{ contact.full_name }}，您好！"}
        segment = await self._post("segments", {"name": "读者"})
        await self._post(f"segments/{segment['id']}/members", {"contact_ids": contacts})
        made = await self._post("templates", template)
        self._about = {"segment_id": str(segment["id"]), "template_id": str(made["id"])}

    async def send(self) -> None:
        self._sent += 1
        campaign = await self._post("campaigns", {"name": f"第 {self._sent} 期", **self._about})
        await self._post(f"campaigns/{campaign['id']}/schedule", {})

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = await self._client.post(f"/v1/{path}", json=body)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found
