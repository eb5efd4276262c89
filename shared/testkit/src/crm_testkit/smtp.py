"""A real mail server in a thread, and what it was given."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

Answer = Callable[["Delivery"], Awaitable[str]]
"""What the server says to a delivery, in its own thread and loop. `2…`: it has taken the message."""


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


class MailServer:
    """Takes everything on a free loopback port, unless `answers` or `refusals` know the recipient."""

    def __init__(self) -> None:
        self.port = 0
        self.answers: dict[str, Answer] = {}
        self.refusals: dict[str, str] = {}
        self._taken: list[Delivery] = []
        self._lock = threading.Lock()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="smtp", daemon=True)
        self._started = threading.Event()

    @property
    def taken(self) -> list[Delivery]:
        """What was taken, in order."""
        with self._lock:
            return list(self._taken)

    def to(self, address: str) -> list[Delivery]:
        """What was taken for one address."""
        return [delivery for delivery in self.taken if address in delivery.recipients]

    async def handle_RCPT(  # noqa: N802 # aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address in self.refusals:
            return self.refusals[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 # aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        content: Any = envelope.content
        delivery = Delivery(str(envelope.mail_from), tuple(envelope.rcpt_tos), bytes(content))
        answer = self.answers.get(delivery.recipients[0])
        said = await answer(delivery) if answer else "250 OK"
        if said.startswith("2"):
            with self._lock:
                self._taken.append(delivery)
        return said

    def _protocol(self) -> SMTP:
        return SMTP(self, hostname="localhost", enable_SMTPUTF8=True, loop=self._loop)

    def start(self) -> None:
        self._thread.start()
        assert self._started.wait(10), "the mail server did not start"

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(self._loop.create_server(self._protocol, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        self._loop.run_forever()
        server.close()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()


@pytest.fixture(scope="session")
def mail_server() -> Iterator[MailServer]:
    """One mail server for all tests of a session; tests tell each other's mail apart by its recipients."""
    server = MailServer()
    server.start()
    try:
        yield server
    finally:
        server.stop()
