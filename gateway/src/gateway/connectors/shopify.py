"""Shopify's REST Admin API (shopify.dev/docs/api/admin-rest), built against 2025-07.

A page names the next one in a Link header by `page_info`, which holds where the page ended: what changes meanwhile shifts nothing.
Only that of it is taken: the next page is asked of the same shop, whatever address stands there.
"""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

from crm_contracts.inbound import PullResource
from crm_contracts.types import format_timestamp

from gateway.connectors.interface import Access, Ask, Headers, Json, MalformedAnswer, Page, Record, Wanted
from gateway.connectors.reading import records_of

_TOPICS: Final[Mapping[PullResource, str]] = {
    "customers": "customers/update",
    "products": "products/update",
    "orders": "orders/updated",
}
_NEXT: Final = re.compile(r'<([^<>]{1,4000})>\s*;\s*rel="?next"?')
_PAGE_INFO: Final = re.compile(r"[A-Za-z0-9_=+/.~-]{1,3000}")
_USED: Final = re.compile(r"([0-9]{1,6})/([0-9]{1,6})")
_FULL: Final = 0.8
_SECONDS_TO_LEAK: Final = 20.0
"""In which a full bucket has run empty: 40 requests at 2 a second, on larger plans 400 at 20."""


class Shopify:
    largest_page = 250

    def __init__(self, access: Access) -> None:
        self._root = f"{access.base_url}/admin/api/{access.api_version}"
        self._headers = {"Accept": "application/json", "X-Shopify-Access-Token": access.credentials["access_token"]}

    def knows_modified(self, resource: PullResource) -> bool:  # noqa: ARG002  # of the interface
        return True

    def ask(self, wanted: Wanted) -> Ask:
        """With `page_info` nothing but the limit may be said again: the filters of the first page are in it."""
        query: dict[str, str] = {"limit": str(wanted.limit)}
        if wanted.cursor:
            query["page_info"] = str(wanted.cursor["page_info"])
        else:
            if wanted.resource == "orders":
                query["status"] = "any"  # otherwise only those that are open
            if wanted.since is not None:
                query["updated_at_min"] = format_timestamp(wanted.since)
        return Ask(f"{self._root}/{wanted.resource}.json?{urlencode(query)}", self._headers)

    def read(self, wanted: Wanted, headers: Headers, document: Any) -> Page:
        records, broken = records_of(document, _TOPICS[wanted.resource], "updated_at", within=wanted.resource)
        following = _page_info(headers.get("Link", ""))
        if following is not None and following == wanted.cursor.get("page_info"):
            raise MalformedAnswer("the next page is the same one")
        return Page(records, broken, {"page_info": following} if following is not None else None, None)

    def behind(self, wanted: Wanted, record: Record) -> Json:  # noqa: ARG002  # of the interface
        """The page again: its records tell all there is, so that none is cut."""
        return wanted.cursor

    def ask_besides(self, record: Record) -> Ask | None:  # noqa: ARG002  # of the interface
        """Refunds stand in their orders."""
        return None

    def joined(self, record: Record, document: Any) -> Record:  # noqa: ARG002  # of the interface
        return record

    def pause(self, headers: Headers) -> float:
        """Until the bucket is half empty, where it is nearly full: others of the shop's apps ask, too."""
        found = _USED.fullmatch(headers.get("X-Shopify-Shop-Api-Call-Limit", ""))
        if found is None or (size := int(found[2])) == 0:
            return 0.0
        used = min(int(found[1]) / size, 1.0)
        return (used - 0.5) * _SECONDS_TO_LEAK if used >= _FULL else 0.0


def _page_info(link: str) -> str | None:
    """RFC 8288. Raises MalformedAnswer where there is a next page that cannot be named."""
    found = _NEXT.search(link)
    if found is None:
        return None
    try:
        given = parse_qs(urlsplit(found[1]).query).get("page_info", [""])[0]
    except ValueError:
        given = ""
    if not _PAGE_INFO.fullmatch(given):
        raise MalformedAnswer("the link to the next page has no page_info")
    return given
