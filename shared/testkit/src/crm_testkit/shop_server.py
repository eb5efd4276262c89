"""Shops that can be asked: a server with the lists of Shopify's REST Admin API and of WooCommerce's `wc/v3`, as they are documented.

It keeps to what they promise and not to more: Shopify's pages go on by `page_info`, newest first; WooCommerce's are counted off, so
that they slip while records come and go. `faults` are answered before anything else.
"""

import base64
import json
import re
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, Final, Literal
from urllib.parse import parse_qs, urlencode, urlsplit

from crm_testkit.stand_in import Asked, Reply, StandIn, running_stand_in

Json = dict[str, Any]
TOKEN: Final = "shpat_only-for-tests"
KEY: Final = ("ck_only-for-tests", "cs_only-for-tests")
MODIFIED: Final = {"shopify": "updated_at", "woocommerce": "date_modified_gmt"}
_SHOPIFY: Final = re.compile(r"/admin/api/(20[0-9]{2}-[0-9]{2})/(customers|products|orders)\.json")
_WOOCOMMERCE: Final = re.compile(r"/wp-json/wc/v3/(customers|products|orders)(?:/([0-9]+)/(refunds))?")


@dataclass
class ShopServer:
    """`records`: by resource and id. `before_page`: called with each list that is asked for. `bucket`: how many requests Shopify takes
    at once, and how many a second it forgets; `linked_host`: what stands in its links.
    """

    kind: Literal["shopify", "woocommerce"]
    stand_in: StandIn
    records: dict[str, dict[int, Json]] = field(default_factory=lambda: {"customers": {}, "products": {}, "orders": {}})
    refunds: dict[int, list[Json]] = field(default_factory=dict)
    faults: deque[Reply] = field(default_factory=deque)
    before_page: Callable[[str, int], None] = lambda _resource, _page: None
    bucket: tuple[float, float] = (10_000, 1_000)
    headers: dict[str, str] = field(default_factory=dict)
    linked_host: str | None = None
    is_open: bool = True
    used: float = 0.0
    used_at: float = 0.0
    pages: int = 0

    @property
    def url(self) -> str:
        return self.stand_in.url

    @property
    def pull(self) -> Json:
        """Of a source that asks here."""
        names = {"shopify": {"access_token": TOKEN}, "woocommerce": {"consumer_key": KEY[0], "consumer_secret": KEY[1]}}
        return {"base_url": self.url, "credentials": names[self.kind]}

    @property
    def credentials(self) -> tuple[str, ...]:
        return (TOKEN,) if self.kind == "shopify" else KEY

    def put(self, resource: str, *payloads: Json) -> None:
        for payload in payloads:
            self.records[resource][payload["id"]] = payload

    def answer(self, asked: Asked) -> Reply:
        if self.faults:
            return self.faults.popleft()
        target = urlsplit(asked.target)
        query = {name: values[0] for name, values in parse_qs(target.query).items()}
        if self.kind == "shopify":
            return self._shopify(asked, target.path, query)
        return self._woocommerce(asked, target.path, query)

    def _shopify(self, asked: Asked, path: str, query: dict[str, str]) -> Reply:
        if not self.is_open or asked.headers.get("x-shopify-access-token") != TOKEN:
            return _said(
                401, {"errors": "[API] Invalid API key or access token (unrecognized login or wrong password)"}
            )
        found = _SHOPIFY.fullmatch(path)
        if found is None:
            return _said(404, {"errors": "Not Found"})
        size, leak = self.bucket
        now = time.monotonic()
        self.used, self.used_at = max(0.0, self.used - (now - self.used_at) * leak), now
        if self.used + 1 > size:
            return _said(429, {"errors": "Exceeded 2 calls per second for api client."}, {"Retry-After": "1.0"})
        self.used += 1
        version, resource = found[1], found[2]
        if "page_info" in query and set(query) - {"limit", "page_info", "fields"}:
            return _said(400, {"errors": {"page_info": "Invalid value."}})
        limit = int(query.get("limit", "50"))
        if not 1 <= limit <= 250:
            return _said(400, {"errors": {"limit": "Limit must be between 1 and 250"}})
        self._page(resource)
        place: Json = json.loads(base64.urlsafe_b64decode(query["page_info"])) if "page_info" in query else {
            "last_id": None, "since": query.get("updated_at_min"), "status": query.get("status", "open")
        }  # fmt: skip
        rows = [
            one for id_, one in sorted(self.records[resource].items(), reverse=True) if _behind(id_, place["last_id"])
        ]
        if place["since"] is not None:
            rows = [one for one in rows if _moment(one["updated_at"]) >= _moment(place["since"])]
        if resource == "orders" and place["status"] == "open":
            rows = [one for one in rows if not one.get("closed_at") and not one.get("cancelled_at")]
        headers = {"X-Shopify-Shop-Api-Call-Limit": f"{int(self.used)}/{int(size)}", "X-Shopify-API-Version": version}
        if len(rows) > limit:
            info = base64.urlsafe_b64encode(json.dumps({**place, "last_id": rows[limit - 1]["id"]}).encode()).decode()
            link = f"{self.linked_host or self.url}{path}?{urlencode({'limit': limit, 'page_info': info})}"
            headers["Link"] = f'<{self.url}{path}?page_info=before>; rel="previous", <{link}>; rel="next"'
        return _said(200, {resource: rows[:limit]}, {**headers, **self.headers})

    def _woocommerce(self, asked: Asked, path: str, query: dict[str, str]) -> Reply:
        basic = base64.b64encode(":".join(KEY).encode()).decode()
        if not self.is_open or asked.headers.get("authorization") != f"Basic {basic}":
            return _said(
                401, {"code": "woocommerce_rest_cannot_view", "message": "Sorry, you cannot list resources.", "data": {"status": 401}}
            )  # fmt: skip
        found = _WOOCOMMERCE.fullmatch(path)
        if found is None:
            return _said(404, {"code": "rest_no_route", "data": {"status": 404}})
        if found[2] is not None:
            return _said(200, self.refunds.get(int(found[2]), []))
        per_page, offset = int(query.get("per_page", "10")), int(query.get("offset", "0"))
        if not 1 <= per_page <= 100:
            return _said(400, {"code": "rest_invalid_param", "data": {"status": 400}})
        resource = found[1]
        self._page(resource)
        rows = [one for _, one in sorted(self.records[resource].items(), reverse=query.get("order", "desc") == "desc")]
        if resource != "customers" and "modified_after" in query:
            assert query["dates_are_gmt"] == "true", "it would be read in the site's time zone"
            rows = [one for one in rows if _moment(one["date_modified_gmt"]) > _moment(query["modified_after"])]
        headers = {"X-WP-Total": str(len(rows)), "X-WP-TotalPages": str(-(-len(rows) // per_page))}
        return _said(200, rows[offset : offset + per_page], {**headers, **self.headers})

    def _page(self, resource: str) -> None:
        self.pages += 1
        self.before_page(resource, self.pages)


def _behind(id_: int, last_id: Any) -> bool:
    return last_id is None or id_ < last_id


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _said(status: int, document: Any, headers: dict[str, str] | None = None) -> Reply:
    date = format_datetime(datetime.now(UTC), usegmt=True)
    told = {"content-type": "application/json", "Date": date, **(headers or {})}
    return Reply(status, told, json.dumps(document, ensure_ascii=False).encode())


@asynccontextmanager
async def running_shop(kind: Literal["shopify", "woocommerce"]) -> AsyncIterator[ShopServer]:
    """On a free loopback port."""
    async with running_stand_in() as stand_in:
        server = ShopServer(kind, stand_in)
        stand_in.answer = server.answer
        yield server
