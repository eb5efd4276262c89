"""A real mail server in a thread, and what it was given."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

Answer = Callable[["Delivery"], Awaitable[str]]
"""What the server says to a delivery: `250 …` after which it counts as taken, or a refusal."""


@dataclass(frozen=True)
class Delivery:
    """One DATA command: the envelope and the message."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes

    @property
    def message(self) -> EmailMessage:
        parsed = message_from_bytes(self.content, policy=default)
        assert isinstance(parsed, EmailMessage)
        return parsed


async def _take(_delivery: Delivery) -> str:
    return "250 OK"


@dataclass
class Mailbox:
    """The server's side. `answer` runs in the server's own loop."""

    port: int = 0
    answer: Answer = _take
    refused: dict[str, str] = field(default_factory=dict)
    """By recipient: the answer to RCPT TO."""
    offered: list[Delivery] = field(default_factory=list)
    taken: list[Delivery] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def to(self, address: str) -> list[Delivery]:
        with self._lock:
            return [delivery for delivery in self.taken if address in delivery.recipients]

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        content: Any = envelope.content
        delivery = Delivery(str(envelope.mail_from), tuple(envelope.rcpt_tos), bytes(content))
        with self._lock:
            self.offered.append(delivery)
        answer = await self.answer(delivery)
        if answer.startswith("2"):
            with self._lock:
                self.taken.append(delivery)
        return answer


class _Controller(Controller):
    """Ends its loop without leaving a connection to be collected later."""

    def cancel_tasks(self, stop_loop: bool = True) -> None:
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        if stop_loop:
            self.loop.call_later(0.05, self.loop.stop)


@pytest.fixture
def smtp_server() -> Iterator[Mailbox]:
    """A mail server on a free loopback port that takes everything, unless the test tells it otherwise."""
    mailbox = Mailbox()
    controller = _Controller(mailbox, hostname="127.0.0.1", port=0, enable_SMTPUTF8=True)
    controller.start()
    try:
        assert controller.server is not None
        mailbox.port = controller.server.sockets[0].getsockname()[1]
        yield mailbox
    finally:
        controller.stop()
