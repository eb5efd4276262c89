"""Shops and other senders, as they send: payloads in their documented shapes, signed as they sign."""

import base64
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

Json = dict[str, Any]


def as_sent(payload: Any) -> bytes:
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()


def base64_hmac(secret: str, body: bytes) -> str:
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def standard_headers(secret: str, body: bytes, *, id_: str | None = None, at: float | None = None) -> dict[str, str]:
    """https://www.standardwebhooks.com"""
    id_ = id_ or f"msg_{uuid.uuid4().hex}"
    timestamp = str(int(at if at is not None else time.time()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signature = hmac.new(key, b".".join((id_.encode(), timestamp.encode(), body)), hashlib.sha256).digest()
    return {
        "webhook-id": id_,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{base64.b64encode(signature).decode()}",
        "content-type": "application/json",
    }


def shopify_headers(secret: str, topic: str, body: bytes, event_id: str, triggered_at: str = "") -> dict[str, str]:
    return {
        "X-Shopify-Topic": topic,
        "X-Shopify-Hmac-Sha256": base64_hmac(secret, body),
        "X-Shopify-Shop-Domain": "west-lake.myshopify.com",
        "X-Shopify-Event-Id": event_id,
        "X-Shopify-Webhook-Id": str(uuid.uuid4()),
        "X-Shopify-Triggered-At": triggered_at,
        "Content-Type": "application/json",
    }


def woocommerce_headers(secret: str, topic: str, body: bytes, webhook_id: int = 7) -> dict[str, str]:
    return {
        "X-WC-Webhook-Topic": topic,
        "X-WC-Webhook-Signature": base64_hmac(secret, body),
        "X-WC-Webhook-ID": str(webhook_id),
        "X-WC-Webhook-Delivery-ID": "the-same-for-a-whole-second",
        "Content-Type": "application/json",
    }


@dataclass
class Shop:
    """A source that was registered, and what is sent to it. `sender`: a client without a key."""

    sender: httpx.AsyncClient
    source: Json

    @property
    def secret(self) -> str:
        return str(self.source["secret"])

    @property
    def path(self) -> str:
        return str(self.source["path"])

    async def post(self, body: bytes, headers: Mapping[str, str]) -> httpx.Response:
        return await self.sender.post(self.path, content=body, headers=dict(headers))

    async def shopify(
        self, topic: str, payload: Any, *, event_id: str | None = None, triggered_at: str = ""
    ) -> httpx.Response:
        body = as_sent(payload)
        headers = shopify_headers(self.secret, topic, body, event_id or str(uuid.uuid4()), triggered_at)
        return await self.post(body, headers)

    async def woocommerce(self, topic: str, payload: Any) -> httpx.Response:
        body = as_sent(payload)
        return await self.post(body, woocommerce_headers(self.secret, topic, body))

    async def standard(self, payload: Any, **more: str) -> httpx.Response:
        body = as_sent(payload)
        return await self.post(body, {**standard_headers(self.secret, body), **more})


@dataclass
class ShopifyCustomer:
    """`number` is their id; `consent`: a state of Shopify's, and since when."""

    number: int
    email: str
    first_name: str = "Bob"
    last_name: str = "Norman"
    phone: str | None = None
    consent: tuple[str, str] | None = None
    updated_at: str = "2026-05-01T10:00:00-04:00"
    more: Json = field(default_factory=dict)

    def payload(self) -> Json:
        consent = None
        if self.consent is not None:
            state, at = self.consent
            consent = {"state": state, "opt_in_level": "single_opt_in", "consent_updated_at": at}
        return {
            "id": self.number,
            "email": self.email,
            "first_name": self.first_name,
            "last_name": self.last_name,
            "phone": self.phone,
            "verified_email": True,
            "tags": "",
            "created_at": "2026-01-01T10:00:00-04:00",
            "updated_at": self.updated_at,
            "email_marketing_consent": consent,
            "default_address": {
                "address1": "92 Chestnut Street", "address2": "", "city": "Louisville", "province": "Kentucky",
                "zip": "40202", "country_code": "US", "phone": None,
            },
            **self.more,
        }  # fmt: skip


def shopify_order(number: int, customer: Json | None, **more: Any) -> Json:
    """An order of two lines over 409.94 USD."""
    return {
        "id": number,
        "name": f"#{number}",
        "email": customer["email"] if customer else None,
        "customer": customer,
        "currency": "USD",
        "total_price": "409.94",
        "financial_status": "pending",
        "fulfillment_status": None,
        "cancelled_at": None,
        "closed_at": None,
        "created_at": "2026-05-02T11:00:00-05:00",
        "processed_at": "2026-05-02T11:00:00-05:00",
        "updated_at": "2026-05-02T11:00:00-05:00",
        "buyer_accepts_marketing": False,
        "tags": "web, first",
        "line_items": [
            {"id": 1, "name": "Kettle - green", "sku": "KETTLE-G", "quantity": 1, "price": "199.00"},
            {"id": 2, "name": "Kettle - red", "sku": "KETTLE-R", "quantity": 1, "price": "199.00"},
        ],
        "refunds": [],
        **more,
    }


def woocommerce_order(number: int, customer_id: int, email: str, **more: Any) -> Json:
    return {
        "id": number,
        "number": str(number),
        "status": "processing",
        "currency": "CNY",
        "date_created_gmt": "2026-05-03T08:00:00",
        "date_modified_gmt": "2026-05-03T08:00:10",
        "total": "29.35",
        "customer_id": customer_id,
        "billing": {
            "first_name": "晓梅", "last_name": "欧阳", "address_1": "西湖路 1 号", "address_2": "", "city": "杭州",
            "state": "ZJ", "postcode": "310000", "country": "CN", "email": email, "phone": "138 0013 8000",
        },
        "line_items": [
            {"id": 1, "name": "Tea &ndash; green", "sku": "TEA", "quantity": 2, "price": 3},
            {"id": 2, "name": "Cup", "sku": "", "quantity": 1, "price": 12.5},
        ],
        "refunds": [],
        **more,
    }  # fmt: skip


def shopify_product(number: int, title: str, **more: Any) -> Json:
    """A product of one variant, whose id is the product's and 1,000,000."""
    return {
        "id": number,
        "title": title,
        "status": "active",
        "product_type": "Kettles",
        "tags": "",
        "created_at": "2026-01-01T10:00:00-05:00",
        "updated_at": "2026-05-01T10:00:00-05:00",
        "variants": [{"id": number + 1_000_000, "title": "Default Title", "sku": f"S-{number}", "price": "19.90"}],
        **more,
    }


def woocommerce_customer(number: int, email: str, **more: Any) -> Json:
    return {
        "id": number,
        "email": email,
        "first_name": "Mei",
        "last_name": "Lin",
        "date_created_gmt": "2026-05-01T08:00:00",
        "date_modified_gmt": "2026-05-01T08:00:00",
        "billing": {"first_name": "", "last_name": "", "address_1": "", "city": "", "country": "CN", "email": email, "phone": ""},
        **more,
    }  # fmt: skip


def woocommerce_product(number: int, name: str, **more: Any) -> Json:
    return {
        "id": number,
        "name": name,
        "status": "publish",
        "sku": f"S-{number}",
        "price": "19.90",
        "categories": [],
        "tags": [],
        "date_created_gmt": "2026-05-01T08:00:00",
        "date_modified_gmt": "2026-05-01T08:00:00",
        **more,
    }
