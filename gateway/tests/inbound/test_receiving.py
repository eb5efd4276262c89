"""Who may deliver, what is taken for the same, and what strangers are told."""

import asyncio
import base64
import gzip
import time
import uuid
from typing import Any

import pytest
from crm_testkit.door import Door, Keyholder
from crm_testkit.shops import Shop, as_sent, base64_hmac, shopify_headers, standard_headers, woocommerce_headers

Register = Any

BODY = as_sent({"id": 1, "email": "bob@example.com"})


async def _deliveries(tenant: Keyholder, shop: Shop) -> list[dict[str, Any]]:
    answer = await tenant.client.get("/v1/inbound-deliveries", params={"source_id": shop.source["id"], "limit": 200})
    return list(answer.json()["data"])


async def test_what_is_signed_is_stored_before_it_is_answered(tenant: Keyholder, register: Register) -> None:
    shop = await register(topic_header="X-Topic", kind="generic")
    answer = await shop.standard({"id": 1}, **{"X-Topic": "thing.made"})
    assert answer.status_code == 200
    (delivery,) = await _deliveries(tenant, shop)
    assert (delivery["id"], delivery["topic"]) == (answer.json()["delivery_id"], "thing.made")
    payload = (await tenant.client.get(f"/v1/inbound-deliveries/{delivery['id']}/payload")).json()
    assert (payload["encoding"], payload["body"]) == ("utf-8", '{"id":1}')
    assert "webhook-signature" not in payload["headers"]


async def _refused(shop: Shop, body: bytes, headers: dict[str, Any], status: int = 401) -> None:
    answer = await shop.post(body, headers)
    assert answer.status_code == status, (headers, answer.text)
    assert "secret" not in answer.text
    assert shop.source["id"] not in answer.text.replace(answer.json().get("instance", ""), "")


async def test_shopify_by_both_names_of_its_headers(tenant: Keyholder, register: Register) -> None:
    shop = await register()
    headers = shopify_headers(shop.secret, "customers/create", BODY, "e-1")
    assert (await shop.post(BODY, headers)).status_code == 200
    plain = {name.removeprefix("X-"): value for name, value in headers.items()} | {"Shopify-Event-Id": "e-2"}
    assert (await shop.post(BODY, plain)).status_code == 200
    await _refused(shop, BODY + b" ", headers)
    await _refused(shop, BODY, {**headers, "X-Shopify-Hmac-Sha256": ""})
    await _refused(shop, BODY, {})
    await _refused(shop, BODY, {**headers, "X-Shopify-Hmac-Sha256": b"\xff" * 44})
    assert len(await _deliveries(tenant, shop)) == 2


async def test_shopify_s_event_id_tells_what_has_come_before(tenant: Keyholder, register: Register) -> None:
    shop = await register()
    first = await shop.shopify("orders/create", {"id": 1}, event_id="e-1")
    again = await shop.shopify("orders/create", {"id": 1}, event_id="e-1")
    assert (first.json()["duplicate"], again.json()["duplicate"]) == (False, True)
    assert again.json()["delivery_id"] == first.json()["delivery_id"]
    for topic, event_id in (("orders/updated", "e-1"), ("orders/create", "e-2")):
        answer = await shop.shopify(topic, {"id": 1}, event_id=event_id)
        assert answer.json()["duplicate"] is False
    assert len(await _deliveries(tenant, shop)) == 3


async def test_woocommerce_pings_without_a_signature_and_names_no_delivery(
    tenant: Keyholder, register: Register
) -> None:
    shop = await register("woocommerce", secret='it\'s <mine> & "yours"')
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert (await shop.post(b"webhook_id=7", form)).status_code == 200
    await _refused(shop, b"webhook_id=7&x=1", form)
    await _refused(shop, b"webhook_id=x", form)
    assert await _deliveries(tenant, shop) == []
    first = await shop.woocommerce("order.updated", {"id": 1, "status": "paid"})
    other = await shop.woocommerce("order.updated", {"id": 2, "status": "paid"})
    again = await shop.woocommerce("order.updated", {"id": 1, "status": "paid"})
    assert [one.json()["duplicate"] for one in (first, other, again)] == [False, False, True]


async def test_woocommerce_signs_with_a_secret_whose_entities_it_has_decoded(register: Register) -> None:
    """As WooCommerce stores it, the secret may hold entities; it signs without them."""
    shop = await register("woocommerce", secret="a&quot;b&amp;c&#039;d")
    for signed_with in ("a\"b&c'd", "a&quot;b&amp;c&#039;d"):
        body = as_sent({"id": uuid.uuid4().hex})
        answer = await shop.post(body, woocommerce_headers(signed_with, "order.created", body))
        assert answer.status_code == 200, signed_with


async def test_standard_webhooks_within_five_minutes(register: Register) -> None:
    shop = await register("generic")
    now = time.time()
    for offset, status in ((0, 200), (-290, 200), (290, 200), (-310, 401), (310, 401)):
        headers = standard_headers(shop.secret, BODY, at=now + offset)
        assert (await shop.post(BODY, headers)).status_code == status, offset
    headers = standard_headers(shop.secret, BODY)
    for name, value in (
        ("webhook-id", "msg_other"),
        ("webhook-id", "msg.dotted"),
        ("webhook-timestamp", "1e9"),
        ("webhook-signature", "v1a," + headers["webhook-signature"][3:]),
        ("webhook-signature", ""),
    ):
        await _refused(shop, BODY, {**headers, name: value})
    several = {**headers, "webhook-signature": f"v1,bm90IHRoaXM= {headers['webhook-signature']}"}
    assert (await shop.post(BODY, several)).status_code == 200


async def test_hmac_as_others_have_it(register: Register) -> None:
    scheme = {"scheme": "hmac", "header": "X-Sig", "prefix": "sha256=", "encoding": "hex"}
    plain = await register("generic", system="a", authentication=scheme, secret="a shared secret")
    signature = base64.b64decode(base64_hmac(plain.secret, BODY)).hex()
    assert (await plain.post(BODY, {"x-sig": f"sha256={signature}"})).status_code == 200
    await _refused(plain, BODY, {"x-sig": signature})
    timed = await register(
        "erp", system="b", secret="a shared secret",
        authentication={**scheme, "prefix": "", "content": "timestamp.body", "timestamp_header": "X-Time"},
    )  # fmt: skip
    for offset, status in ((0, 200), (-400, 401)):
        at = str(int(time.time()) + offset)
        signed = base64.b64decode(base64_hmac(timed.secret, f"{at}.".encode() + BODY)).hex()
        assert (await timed.post(BODY, {"x-sig": signed, "x-time": at})).status_code == status
    await _refused(timed, BODY, {"x-sig": signature, "x-time": str(int(time.time()))})


async def test_bearer_and_basic(register: Register) -> None:
    bearer = await register("generic", system="a", authentication={"scheme": "bearer"})
    assert (await bearer.post(BODY, {"authorization": f"Bearer {bearer.secret}"})).status_code == 200
    await _refused(bearer, BODY, {"authorization": f"Bearer {bearer.secret}x"})
    basic = await register("generic", system="b", authentication={"scheme": "basic", "username": "sap"})
    pair = base64.b64encode(f"sap:{basic.secret}".encode()).decode()
    assert (await basic.post(BODY, {"authorization": f"Basic {pair}"})).status_code == 200
    await _refused(basic, BODY, {"authorization": f"Basic {base64.b64encode(b'sap:').decode()}"})


async def test_a_new_secret_counts_beside_the_old_for_a_while(tenant: Keyholder, register: Register) -> None:
    shop = await register(secret="the first secret")
    path = f"/v1/inbound-sources/{shop.source['id']}/rotate-secret"
    rotated = (await tenant.client.post(path, json={"secret": "the second secret"})).json()
    assert (rotated["secret"], rotated["previous_secret_until"] is None) == ("the second secret", False)
    await _signed(shop, "the first secret", 200)
    await _signed(shop, "the second secret", 200)
    await _signed(shop, "a third secret", 401)
    await tenant.client.post(path, json={"secret": "the third secret", "overlap_seconds": 0})
    for secret, status in (("the first secret", 401), ("the second secret", 401), ("the third secret", 200)):
        await _signed(shop, secret, status)


async def _signed(shop: Shop, secret: str, status: int) -> None:
    """A process remembers a source for five seconds."""
    async with asyncio.timeout(10):
        while True:
            body = as_sent({"id": uuid.uuid4().hex})
            answer = await shop.post(body, shopify_headers(secret, "orders/create", body, uuid.uuid4().hex))
            if answer.status_code == status:
                return
            await asyncio.sleep(0.1)


@pytest.mark.parametrize(
    "source_id", ["inbound_source_01jd3zq8w9e2vbx7k5m4n6p8qr", "contact_01jd3zq8w9e2vbx7k5m4n6p8qr", "x"]
)
async def test_an_unknown_source_is_404_whatever_is_sent(register: Register, source_id: str) -> None:
    shop = await register()
    for method in ("POST", "GET"):
        answer = await shop.sender.request(method, f"/in/{source_id}", content=BODY)
        assert answer.status_code == 404, answer.text
    assert (await shop.sender.get(shop.path)).status_code == 404
    assert (await shop.sender.delete(shop.path)).status_code == 405


async def test_an_inactive_source_takes_nothing(tenant: Keyholder, register: Register) -> None:
    shop = await register(is_active=False)
    assert (await shop.shopify("orders/create", {"id": 1})).status_code == 404
    assert await _deliveries(tenant, shop) == []


async def test_too_large_is_413_whether_it_says_so_or_not(tenant: Keyholder, register: Register) -> None:
    shop = await register(max_body_bytes=2_048)
    body = as_sent({"id": 1, "note": "x" * 3_000})
    headers = shopify_headers(shop.secret, "orders/create", body, "e-1")
    assert (await shop.post(body, headers)).status_code == 413

    async def pieces() -> Any:
        for start in range(0, len(body), 500):
            yield body[start : start + 500]

    assert (await shop.sender.post(shop.path, content=pieces(), headers=headers)).status_code == 413
    assert await _deliveries(tenant, shop) == []


async def test_larger_than_other_requests_may_be_where_the_source_says_so(register: Register) -> None:
    shop = await register(max_body_bytes=3_000_000)
    body = as_sent({"id": 1, "note": "x" * 2_000_000})

    async def pieces() -> Any:
        for start in range(0, len(body), 100_000):
            yield body[start : start + 100_000]

    headers = shopify_headers(shop.secret, "orders/create", body, "e-1")
    assert (await shop.sender.post(shop.path, content=pieces(), headers=headers)).status_code == 200


HOSTILE = {
    "bad UTF-8": b'{"id": "\xff\xfe"}',
    "NUL": b'{"id": "\\u0000"}',
    "lone surrogate": b'{"id": "\\ud800"}',
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "duplicate keys": b'{"id": 1, "id": 2}',
    "2^63": b'{"id": 9223372036854775808}',
    "not JSON": b"<html>",
    "NaN": b'{"id": NaN}',
    "a scalar": b'"x"',
    "empty": b"",
    "gzip": gzip.compress(b"0" * 100_000),
}


@pytest.mark.parametrize("what", HOSTILE)
async def test_hostile_bodies_are_stored_and_parked_with_the_reason(
    tenant: Keyholder, register: Register, what: str
) -> None:
    shop = await register("erp")
    body = HOSTILE[what]
    assert (await shop.post(body, standard_headers(shop.secret, body))).status_code == 200
    delivery = await _over(tenant, shop)
    assert delivery["status"] == ("ignored" if what == "a scalar" else "parked"), delivery
    assert delivery["reason"]
    payload = (await tenant.client.get(f"/v1/inbound-deliveries/{delivery['id']}/payload")).json()
    sent = payload["body"].encode() if payload["encoding"] == "utf-8" else base64.b64decode(payload["body"])
    assert sent == body


XML_BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><x>&b;</x>'
)


@pytest.mark.parametrize(
    "body", [XML_BOMB, b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>', b"<a>" * 100 + b"</a>" * 100]
)
async def test_xml_declares_nothing_and_is_not_deep(tenant: Keyholder, register: Register, body: bytes) -> None:
    shop = await register("generic", mappings={"*": {"steps": []}})
    headers = {**standard_headers(shop.secret, body), "content-type": "application/xml"}
    assert (await shop.post(body, headers)).status_code == 200
    delivery = await _over(tenant, shop)
    assert (delivery["status"], delivery["reason"] in ("xml_doctype", "too_deep")) == ("parked", True), delivery


async def _over(tenant: Keyholder, shop: Shop) -> dict[str, Any]:
    import asyncio

    async with asyncio.timeout(30):
        while True:
            (delivery,) = await _deliveries(tenant, shop)
            if delivery["due_at"] is None:
                return delivery
            await asyncio.sleep(0.05)


async def test_no_answer_and_no_list_shows_a_secret(tenant: Keyholder, register: Register) -> None:
    shop = await register(secret="nobody may see this")
    source = f"/v1/inbound-sources/{shop.source['id']}"
    shown = [
        await tenant.client.get(source),
        await tenant.client.get("/v1/inbound-sources"),
        await tenant.client.patch(source, json={"name": "Another"}),
        await tenant.client.get("/v1/audit-log", params={"entity_id": shop.source["id"]}),
    ]
    for answer in shown:
        assert answer.status_code == 200, answer.text
        assert "nobody may see this" not in answer.text


async def test_who_sets_a_source_up_must_hold_what_it_may(door: Door, tenant: Keyholder) -> None:
    limited = await door.key(tenant, "admin", "read", "contacts:write")
    answer = await limited.post("/v1/inbound-sources", json={"name": "Shop", "kind": "shopify"})
    assert (answer.status_code, answer.json()["code"]) == (403, "source_scope_not_held")


async def test_a_chain_of_events_that_comes_back_too_often_is_refused(register: Register) -> None:
    shop = await register("generic")
    answer = await shop.standard({"id": 1}, **{"Relata-Hops": "9", "Relata-Causation-Id": "event_x"})
    assert (answer.status_code, answer.json()["code"]) == (409, "loop_detected")
