"""uvicorn's HTTP/1.1, and a short way out for answers that are whole: head and body in one piece, looked at once (ADR 0054)."""

from collections.abc import Sequence
from typing import Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

EXCHANGE: Final = "relata_exchange"
"""In the scope: the request's way out, past every `send`. Whoever wraps `send` takes it out, or says in ADDED what it adds."""

ADDED: Final = "relata_added"
"""In the scope: headers that go with whatever is answered by that way, unless it has its own."""

_NEVER: Final = (b"\r\ntransfer-encoding: ", b"\r\nconnection: ")


class Protocol(HttpToolsProtocol):
    """Requests of one connection. Their scopes hold EXCHANGE, which is to be taken out: scope and exchange name each other."""

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        if self.cycle is not None and self.cycle.scope is self.scope:
            self.scope[EXCHANGE] = self.cycle  # type: ignore[typeddict-unknown-key]  # an extension of ASGI's


def answer_whole(
    exchange: RequestResponseCycle, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes
) -> bool:
    """False, and nothing was sent, where uvicorn must look at it: a client that is slow or says good-bye, HTTP/1.0, HEAD,
    or a head that is not of one line for each header. Names are in lower case; without a body there is no Content-Length.
    """
    if exchange.disconnected:
        return True
    paused = exchange.flow.write_paused or exchange.response_started
    if paused or not exchange.keep_alive or exchange.scope["method"] == "HEAD":
        return False
    lines = [b": ".join(header) for header in (*exchange.default_headers, *headers)]
    head = b"\r\n".join((STATUS_LINE[status].rstrip(), *lines, b"\r\n"))
    ends = len(lines) + 2
    if head.count(b"\n") != ends or head.count(b"\r") != ends or b"\0" in head or any(name in head for name in _NEVER):
        return False
    exchange.response_started = True
    exchange.transport.write(head + body)
    exchange.response_complete = True
    exchange.message_event.set()
    exchange.on_response()
    return True
