"""Asks a shop for a page. No transaction is open meanwhile."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from crm_kit.http.outbound import Answered, Outbound, OutboundFailed, OutboundPool, OutboundRefused

from gateway.connectors.interface import Ask, Connector, MalformedAnswer, Page, Record, Wanted
from gateway.connectors.reading import AskAgain, ShopRefuses, document_of, told_at

SECONDS: Final = 30.0
_CONNECT_SECONDS: Final = 5.0
_MAX_BYTES: Final = 16 * 1024 * 1024
_MAX_BYTES_BESIDES: Final = 1024 * 1024
_BESIDES_SECONDS: Final = 20.0
"""For what single records need beside the page; those that are left then come with the next one."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """`asked_at`, `read_at`: by the shop's clock. `pause`: seconds until the next request. `warning`: what it says of the version."""

    page: Page
    asked_at: datetime
    read_at: datetime
    pause: float
    warning: str | None


@dataclass(frozen=True, slots=True)
class Again:
    """The same has to be asked once more. `is_pace`: only since it came too soon."""

    reason: str
    after: timedelta | None = None
    is_pace: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """It need not be asked again. `code`: credentials_refused or refused."""

    code: str
    status: int | None


@dataclass(frozen=True, slots=True)
class TooLarge:
    """The page has more bytes than are read."""


Outcome = Fetched | Again | Refused | TooLarge


async def fetch(outbound: Outbound, connector: Connector, wanted: Wanted) -> Outcome:
    """Never raises for what the shop answers, or that it does not."""
    try:
        async with outbound.pool() as pool:
            return await _page(pool, connector, wanted)
    except AskAgain as again:
        return Again(again.code, again.after, again.is_pace)
    except ShopRefuses as refused:
        return Refused("credentials_refused" if refused.code == "credentials_refused" else "refused", refused.status)
    except OutboundRefused:
        return Refused("refused", None)
    except OutboundFailed as failed:
        return Again(str(failed))
    except MalformedAnswer:
        return Again("malformed_answer")


async def _page(pool: OutboundPool, connector: Connector, wanted: Wanted) -> Outcome:
    answered = await _asked(pool, connector.ask(wanted), _MAX_BYTES)
    if len(answered.body) > _MAX_BYTES:
        return TooLarge()
    read_at = told_at(answered.headers, datetime.now(UTC))
    page = await asyncio.to_thread(_read, connector, wanted, answered)
    whole = await _whole(pool, connector, wanted, page)
    pause, warning = connector.pause(answered.headers), _warning(answered.headers)
    return Fetched(whole, read_at - timedelta(seconds=answered.seconds), read_at, pause, warning)


async def _asked(pool: OutboundPool, ask: Ask, max_bytes: int) -> Answered:
    return await pool.get(
        ask.url, ask.headers, seconds=SECONDS, connect_seconds=_CONNECT_SECONDS, max_bytes=max_bytes + 1
    )


def _read(connector: Connector, wanted: Wanted, answered: Answered) -> Page:
    document = document_of(answered.status, answered.headers, answered.body)
    return connector.read(wanted, answered.headers, document)


async def _whole(pool: OutboundPool, connector: Connector, wanted: Wanted, page: Page) -> Page:
    """With what single records need besides: of as many as there is time for, at least one."""
    records: list[Record] = []
    end = time.monotonic() + _BESIDES_SECONDS
    for record in page.records:
        ask = connector.ask_besides(record)
        if ask is None:
            records.append(record)
            continue
        if time.monotonic() > end and records:
            return replace(page, records=records, next=connector.behind(wanted, records[-1]))
        records.append(await _joined(pool, connector, record, ask))
    return replace(page, records=records)


async def _joined(pool: OutboundPool, connector: Connector, record: Record, ask: Ask) -> Record:
    """As it is where it went away meanwhile, or has more than is read."""
    answered = await _asked(pool, ask, _MAX_BYTES_BESIDES)
    if answered.status == 404 or len(answered.body) > _MAX_BYTES_BESIDES:
        return record
    return connector.joined(record, document_of(answered.status, answered.headers, answered.body))


def _warning(headers: Mapping[str, str]) -> str | None:
    """Shopify names what it will take away; printable and short, as it is shown."""
    said = headers.get("X-Shopify-API-Deprecated-Reason", "")
    return "".join(character for character in said if " " <= character <= "~")[:300] or None
