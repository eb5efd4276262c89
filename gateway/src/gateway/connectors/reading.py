"""What the answers of all shops have in common."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

import orjson
from crm_contracts.inbound import PullResource

from gateway.connectors.interface import Headers, MalformedAnswer, Record
from gateway.inbound.functions import timestamp

LONGEST_RETRY_AFTER: Final = timedelta(minutes=5)
_AGAIN: Final = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524})
"""After which the same request may do better: RFC 9110, and those of a well-known proxy before shops."""

_CREDENTIALS: Final = frozenset({401, 403})


class AskAgain(Exception):
    """`code`: why; `after`: no sooner than that, where the shop says so; `is_pace`: only since it was asked too often."""

    def __init__(self, code: str, after: timedelta | None = None, *, is_pace: bool = False) -> None:
        self.code = code
        self.after = after
        self.is_pace = is_pace
        super().__init__(code)


class ShopRefuses(Exception):
    """Another attempt would be answered alike; `code`: why, `status`: the shop's."""

    def __init__(self, code: str, status: int) -> None:
        self.code = code
        self.status = status
        super().__init__(code)


def document_of(status: int, headers: Headers, body: bytes) -> Any:
    """The JSON of a 200. Raises AskAgain, ShopRefuses."""
    if status in _CREDENTIALS:
        raise ShopRefuses("credentials_refused", status)
    if status in _AGAIN:
        code = "too_many_requests" if status == 429 else f"status_{status}"
        raise AskAgain(code, _retry_after(headers), is_pace=status == 429)
    if status != 200:
        raise ShopRefuses("redirected" if 300 <= status < 400 else f"status_{status}", status)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:  # a page of HTML, while the shop is being mended
        raise AskAgain("malformed_answer") from error


def _retry_after(headers: Headers) -> timedelta | None:
    """RFC 9110 has whole seconds or a date; Shopify sends `2.0`."""
    given = headers.get("Retry-After", "").strip()
    try:
        seconds = float(given)
    except ValueError:
        moment = _http_date(given)
        seconds = (moment - datetime.now(UTC)).total_seconds() if moment is not None else 0.0
    longest = LONGEST_RETRY_AFTER.total_seconds()
    return timedelta(seconds=min(seconds, longest)) if seconds > 0 else None


def told_at(headers: Headers, now: datetime) -> datetime:
    """When it was answered, by the shop's clock; by ours where it does not say."""
    return _http_date(headers.get("Date", "")) or now


def _http_date(given: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(given)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment.astimezone(UTC) if moment.tzinfo is not None else None


def moment(value: object) -> datetime | None:
    """Of a member of theirs; one without an offset is UTC."""
    found = timestamp(value)
    return datetime.fromisoformat(found) if found is not None else None


def records_of(
    document: Any, topic: str, modified: str, *, within: PullResource | None = None
) -> tuple[list[Record], int]:
    """And how many were none. `modified`: the member with its time. Raises MalformedAnswer."""
    found = document
    if within is not None:
        found = document.get(within) if isinstance(document, Mapping) else None
    if not isinstance(found, list):
        raise MalformedAnswer("there is no list of records")
    records = [record for each in found if (record := _record(each, topic, modified)) is not None]
    return records, len(found) - len(records)


def _record(each: Any, topic: str, modified: str) -> Record | None:
    id_ = each.get("id") if isinstance(each, dict) else None
    if isinstance(id_, bool) or not isinstance(id_, int) or id_ <= 0:
        return None
    return Record(topic, str(id_), moment(each.get(modified)), each)
