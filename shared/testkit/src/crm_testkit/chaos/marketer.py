"""A client that asks for consents, writes to people, and has some who change their minds."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from crm_testkit.chaos.clients import Writer
from crm_testkit.chaos.mail_sink import MailSink
from crm_testkit.chaos.mailings import Mailing, Mailings, Person

_KINDS: Final = ("granted", "granted", "never", "withdrawn", "expired", "granted")
_KNOWN_SECONDS: Final = 30.0
_PAUSE_SECONDS: Final = 0.3
_LINK: Final = re.compile(r"<([^>]+)>")

Known = Callable[[str], Awaitable[str | None]]
"""The status of a contact's newest consent, as the service that sends has it; None where it has none."""


class Marketer(Writer):
    """One mailing after the other, until told to stop."""

    def __init__(self, *writer: Any, mailings: Mailings, known: Known, sink: MailSink) -> None:
        super().__init__(*writer)
        self._mailings = mailings
        self._known = known
        self._sink = sink
        self._references: dict[str, str] | None = None
        self._left: dict[str, Person] = {}

    async def run(self) -> None:
        async with self._client:
            while not self._stop.is_set():
                await self._mailing()
                await self._unsubscribe()
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _mailing(self) -> None:
        people = {person.contact_id: person for kind in _KINDS if (person := await self._person(kind))}
        people |= self._left
        campaign_id = await self._campaign(list(people)) if people else None
        if campaign_id is None:
            return
        answer = await self._do(f"/v1/campaigns/{campaign_id}/schedule", {}, 200)
        self._mailings.all.append(Mailing(campaign_id, people, scheduled=answer is not None))

    async def _person(self, kind: str) -> Person | None:
        """None where it is not certain what they consented to."""
        mark = self._mark()
        address = f"{mark}@example.com"
        told = await self._create("contacts", mark, {"full_name": mark, "emails": [{"address": address}]})
        if told is None:
            return None
        contact_id = told[0]
        if kind == "never":
            return Person(contact_id, address, "never asked", must=False)
        now = datetime.now(UTC)
        over = {"at": now.isoformat(), "expires_at": (now + timedelta(seconds=0.3)).isoformat()}
        if not await self._consent(contact_id, "granted", over if kind == "expired" else {}):
            return None
        if kind == "withdrawn":
            if not await self._consent(contact_id, "withdrawn", {}):
                return None
            self._mailings.withdrawn.add(contact_id)
        if kind == "expired":
            await asyncio.sleep(0.3)
            return Person(contact_id, address, "expired", must=False)
        if not await self._has_heard(contact_id, kind):
            return None
        return Person(contact_id, address, "withdrawn" if kind == "withdrawn" else None, must=kind == "granted")

    async def _consent(self, contact_id: str, status: str, members: Mapping[str, str]) -> bool:
        body = {"channel": "email", "purpose": "marketing", "status": status, "source": "form", **members}
        return await self._do(f"/v1/contacts/{contact_id}/consents", body, 201) is not None

    async def _has_heard(self, contact_id: str, status: str) -> bool:
        """A mailing decides by what the sending service knows: only what it knew before can be asked of it."""
        end = time.monotonic() + _KNOWN_SECONDS
        while time.monotonic() < end and not self._stop.is_set():
            if await self._known(contact_id) == status:
                return True
            await asyncio.sleep(0.1)
        return False

    async def _campaign(self, contact_ids: list[str]) -> str | None:
        if self._references is None:
            body = {"name": "T", "channel": "email", "subject": "S", "body_text": "{{ contact.full_name }}"}
            template = await self._do("/v1/templates", body, 201)
            if template is None:
                return None
            self._references = {"template_id": template["id"]}
        segment = await self._do("/v1/segments", {"name": self._mark()}, 201)
        if segment is None:
            return None
        members = f"/v1/segments/{segment['id']}/members"
        if await self._do(members, {"contact_ids": contact_ids}, 200) is None:
            return None
        body = {"name": self._mark(), "channel": "email", "segment_id": segment["id"], **self._references}
        campaign = await self._do("/v1/campaigns", body, 201)
        return str(campaign["id"]) if campaign else None

    async def _unsubscribe(self) -> None:
        """One who was written to has had enough; the next mailings have them as members still."""
        addresses = {p.address: p for m in self._mailings.all for p in m.people.values() if p.must}
        for delivery in reversed(self._sink.taken):
            person = addresses.get(delivery.recipients[0])
            link = _LINK.search(str(delivery.message["List-Unsubscribe"]))
            if person is None or link is None or person.contact_id in self._left or len(self._left) >= 3:
                continue
            url = urlsplit(link.group(1))
            form = {"List-Unsubscribe": "One-Click"}
            response = await self._insist("POST", f"{url.path}?{url.query}".rstrip("?"), None, (200, 204), form=form)
            if response is not None:
                self._mailings.acknowledged += 1
                self._left[person.contact_id] = Person(person.contact_id, person.address, "unsubscribed", must=False)
            return

    async def _do(self, path: str, body: dict[str, Any], status: int) -> Any:
        """What was answered; None where nothing was."""
        answer = await self._insist("POST", path, body, (status,))
        if answer is None:
            return None
        self._mailings.acknowledged += 1
        return answer.json()
