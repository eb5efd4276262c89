"""Connectors: how a shop is asked for what it has, page by page, and what of an answer is a delivery. Pure: no request is made here."""

from typing import Final

from crm_contracts.inbound import PullResource, SourceKind

from gateway.connectors.interface import Access, Connector
from gateway.connectors.shopify import Shopify
from gateway.connectors.woocommerce import WooCommerce

CREDENTIALS: Final[dict[SourceKind, tuple[str, ...]]] = {
    "shopify": ("access_token",),
    "woocommerce": ("consumer_key", "consumer_secret"),
}
"""The kinds of sources that can be asked, and what each is shown."""

RESOURCES: Final[tuple[PullResource, ...]] = ("customers", "products", "orders")
"""In the order in which they are asked for: who ordered is then there before the order."""


def connector_of(kind: str, access: Access) -> Connector:
    """Of a kind that CREDENTIALS has."""
    return Shopify(access) if kind == "shopify" else WooCommerce(access)
