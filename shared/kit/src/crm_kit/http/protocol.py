"""uvicorn's HTTP/1.1, and a short way out for answers that are whole: head and body in one piece, looked at once (ADR 0054)."""

from collections.abc import Iterable, Sequence, Set
from typing import Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

EXCHANGE: Final = "relata_exchange"
"""In the scope: the request's way out, past every `send`. Whoever wraps `send` takes it out, or says in ADDED what it adds."""

ADDED: Final = "relata_added"
"""In the scope: Added, which goes with whatever is answered by that way."""

_NEVER: Final = (b"\r\ntransfer-encoding: ", b"\r\nconnection: ")

_STATUS: Final = {status: line.rstrip() for status, line in STATUS_LINE.items()}

Header = tuple[bytes, bytes]


class Added:
    """Headers of every answer, unless it has its own; put together once. Raises ValueError for one that is more than a line."""

    def __init__(self, headers: Sequence[Header] = ()) -> None:
        if not _are_single(_lines(headers), len(headers)):
            raise ValueError("a header is one line")
        self._headers = headers
        self._names = frozenset(name for name, _ in headers)
        self._lines = _lines(headers)

    def missing(self, said: Iterable[bytes]) -> list[Header]:
        """Those that an answer with such headers has not."""
        return [header for header in self._headers if header[0] not in said]

    def lines(self, said: Set[bytes]) -> bytes:
        """The same as they are sent."""
        return self._lines if self._names.isdisjoint(said) else _lines(self.missing(said))


def _lines(headers: Iterable[Header]) -> bytes:
    return b"".join([b"\r\n" + b": ".join(header) for header in headers])


def _are_single(lines: bytes, count: int) -> bool:
    """Whether nothing ends a line but what `_lines` put there, and nothing is uvicorn's to say."""
    return (
        lines.count(b"\n") == count
        and lines.count(b"\r") == count
        and b"\0" not in lines
        and not any(name in lines for name in _NEVER)
    )


NOTHING: Final = Added()


class Protocol(HttpToolsProtocol):
    """Requests of one connection. Their scopes hold EXCHANGE, which is to be taken out: scope and exchange name each other."""

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        if self.cycle is not None and self.cycle.scope is self.scope:
            self.scope[EXCHANGE] = self.cycle  # type: ignore[typeddict-unknown-key]  # an extension of ASGI's


def answer_whole(
    exchange: RequestResponseCycle, status: int, headers: Sequence[Header], body: bytes, added: bytes = b""
) -> bool:
    """False, and nothing was sent, where uvicorn must look at it: a client that is slow or says good-bye, HTTP/1.0, HEAD,
    or a head that is not of one line for each header. Names are in lower case; without a body there is no Content-Length.
    `added`: further lines, of Added.
    """
    if exchange.disconnected:
        return True
    paused = exchange.flow.write_paused or exchange.response_started
    if paused or not exchange.keep_alive or exchange.scope["method"] == "HEAD":
        return False
    lines = _lines((*exchange.default_headers, *headers))
    if not _are_single(lines, len(exchange.default_headers) + len(headers)):
        return False
    exchange.response_started = True
    exchange.transport.write(b"".join((_STATUS[status], lines, added, b"\r\n\r\n", body)))
    exchange.response_complete = True
    exchange.message_event.set()
    exchange.on_response()
    return True
