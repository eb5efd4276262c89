"""WooCommerce's REST API (woocommerce.github.io/woocommerce-rest-api-docs), `wc/v3`, built against WooCommerce 9 and 10.

It counts pages by offset, so that what is deleted before a page ends shifts the next one, and a record is passed over. So the
records are asked for by ascending id, and each page begins with the last record of the one before: where that is not there,
something has shifted, and it is gone back until what was seen comes again. What is made meanwhile has a higher id, and comes at the end.
"""

import base64
from collections.abc import Mapping
from datetime import UTC
from typing import Any, Final
from urllib.parse import urlencode

from crm_contracts.inbound import PullResource

from gateway.connectors.interface import Access, Ask, Headers, Json, MalformedAnswer, Page, Record, Wanted
from gateway.connectors.reading import records_of

_TOPICS: Final[Mapping[PullResource, str]] = {
    "customers": "customer.updated",
    "products": "product.updated",
    "orders": "order.updated",
}
_MODIFIED: Final = "date_modified_gmt"


class WooCommerce:
    largest_page = 100

    def __init__(self, access: Access) -> None:
        self._root = f"{access.base_url}/wp-json/wc/v3"
        pair = f"{access.credentials['consumer_key']}:{access.credentials['consumer_secret']}"
        basic = base64.b64encode(pair.encode()).decode()
        self._headers = {"Accept": "application/json", "Authorization": f"Basic {basic}"}

    def knows_modified(self, resource: PullResource) -> bool:
        """Customers are WordPress users, whose list has no such filter."""
        return resource != "customers"

    def ask(self, wanted: Wanted) -> Ask:
        query = {
            "per_page": str(_size(wanted)),
            "offset": str(wanted.cursor.get("offset", 0)),
            "orderby": "id",
            "order": "asc",
        }
        if wanted.since is not None and self.knows_modified(wanted.resource):
            # Without an offset of its own: WordPress reads it in the site's time zone and writes it out again as it stands.
            query["modified_after"] = wanted.since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
            query["dates_are_gmt"] = "true"
        return Ask(f"{self._root}/{wanted.resource}?{urlencode(query)}", self._headers)

    def read(self, wanted: Wanted, headers: Headers, document: Any) -> Page:
        records, broken = records_of(document, _TOPICS[wanted.resource], _MODIFIED)
        total = headers.get("X-WP-Total", "")
        count = int(total[:12]) if total.isascii() and total.isdecimal() else None
        ids = [int(record.external_id) for record in records]
        if ids != sorted(set(ids)):
            raise MalformedAnswer("the records are not in the order that was asked for")
        last, following, is_slipped = _onwards(wanted.cursor, _size(wanted), ids, count)
        new = [] if is_slipped else [record for record in records if int(record.external_id) > last]
        return Page([record for record in new if _is_wanted(record, wanted)], broken, following, count)

    def behind(self, wanted: Wanted, record: Record) -> Json:
        return {"last_id": int(record.external_id), "offset": wanted.cursor.get("offset", 0)}

    def ask_besides(self, record: Record) -> Ask | None:
        """An order holds of its refunds what was given back, and not when."""
        if record.topic != _TOPICS["orders"] or not record.payload.get("refunds"):
            return None
        return Ask(f"{self._root}/orders/{record.external_id}/refunds?per_page=100", self._headers)

    def joined(self, record: Record, document: Any) -> Record:
        told, _ = records_of(document, "", _MODIFIED)
        by_id = {one.external_id: one.payload for one in told}
        refunds = record.payload["refunds"]
        whole = [
            {**each, **by_id.get(str(each.get("id")), {})} if isinstance(each, dict) else each
            for each in (refunds if isinstance(refunds, list) else [])
        ]
        return Record(record.topic, record.external_id, record.modified_at, {**record.payload, "refunds": whole})

    def pause(self, headers: Headers) -> float:  # noqa: ARG002  # of the interface
        return 0.0


def _size(wanted: Wanted) -> int:
    """A page of one would hold the last record of the one before, and nothing else."""
    return max(2, wanted.limit)


def _is_wanted(record: Record, wanted: Wanted) -> bool:
    """Where the shop does not know the filter, it is ours."""
    return wanted.since is None or record.modified_at is None or record.modified_at >= wanted.since


def _onwards(cursor: Json, limit: int, ids: list[int], total: int | None) -> tuple[int, Json | None, bool]:
    """The last id that was seen before, the cursor of what comes next, and whether something has shifted.

    `sure`: how many there were when all up to this offset was seen already. Where there are as many still, nothing has shifted, and
    what lacks between is what this key may not read: it is counted, and not shown.
    """
    last, offset = int(cursor.get("last_id", 0)), int(cursor.get("offset", 0))
    is_sure = "sure" in cursor and cursor["sure"] == total
    if offset > 0 and not is_sure and not (ids and ids[0] <= last):
        return last, {"last_id": last, "offset": max(0, offset - limit)}, True
    end = offset + (len(ids) or limit)
    if end >= total if total is not None else len(ids) < limit:
        return last, None, False
    if not ids or ids[-1] <= last:
        return last, {"last_id": last, "offset": end, "sure": total}, False
    return last, {"last_id": ids[-1], "offset": max(end - 1, offset + 1)}, False
