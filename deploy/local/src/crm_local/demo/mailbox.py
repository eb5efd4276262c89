"""A mail server that keeps what it is sent: the demo's customers read their mail here."""

import asyncio
import email
import email.policy
from contextlib import suppress
from email.message import EmailMessage

_END = b"\r\n.\r\n"


class Mailbox:
    """Takes mail over SMTP (RFC 5321, the commands that a client needs), on a free loopback port unless told otherwise."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self.messages: list[EmailMessage] = []
        self._listens = (host, port)
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def __aenter__(self) -> "Mailbox":
        self._server = await asyncio.start_server(self._serve, *self._listens, limit=4 * 1024 * 1024)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            writer.write(b"220 demo ESMTP\r\n")
            while line := await reader.readline():
                command = line[:4].upper().strip()
                if command == b"DATA":
                    writer.write(b"354 go on\r\n")
                    body = await reader.readuntil(_END)
                    text = body[: -len(_END)].replace(b"\r\n..", b"\r\n.")
                    message = email.message_from_bytes(text, policy=email.policy.default)
                    assert isinstance(message, EmailMessage)
                    self.messages.append(message)
                    writer.write(b"250 kept\r\n")
                elif command == b"QUIT":
                    writer.write(b"221 bye\r\n")
                    break
                elif command in (b"EHLO", b"HELO"):
                    writer.write(b"250-demo\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n")
                else:
                    writer.write(b"250 ok\r\n")
                await writer.drain()
        writer.close()
