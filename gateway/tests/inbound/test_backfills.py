"""A shop is asked page by page for what it has, and whatever it does on the way each record is taken in once."""

from typing import Any

from crm_testkit.backfills import SOURCES, Asking, all_of, asking_source, fill
from crm_testkit.door import Keyholder
from crm_testkit.jobs import ended
from crm_testkit.shop_server import MODIFIED, running_shop
from crm_testkit.shops import (
    shopify_order,
    shopify_product,
    woocommerce_customer,
    woocommerce_order,
)
from crm_testkit.stand_in import Reply, closed_url
from crm_testkit.webhooks import until

Json = dict[str, Any]


async def test_everything_that_a_shop_has_comes_in_once(either: Asking) -> None:
    orders = {"shopify": 520, "woocommerce": 230}[either.shop.kind]
    fill(either.shop, orders)
    run = await either.done()
    assert (run["status"], run["trigger"], run["error"]) == ("succeeded", "asked", None), run
    assert [(one["resource"], one["records"], one["is_finished"]) for one in run["resources"]] == [
        ("customers", 5, True), ("products", 1, True), ("orders", orders, True)
    ]  # fmt: skip
    assert run["outcomes"] == {"ignored": orders + 6}, "their mappings make nothing of them"
    taken = await either.taken(backfill_id=run["id"])
    assert set(taken) == all_of(either.shop)
    assert set(taken.values()) == {1}
    job = (await either.client.get(f"/v1/jobs/{run['job_id']}")).json()
    assert (job["service"], job["kind"], job["status"]) == ("gateway", "inbound_backfill", "succeeded")
    assert job["progress"]["done"] == orders + 6
    jobs = (await either.client.get("/v1/jobs", params={"about": run["id"]})).json()["data"]
    assert [one["id"] for one in jobs] == [run["job_id"]]
    listed = (await either.client.get(either.path)).json()["data"]
    assert listed == [run]


async def test_only_what_is_asked_for_and_what_was_modified_since(shopify: Asking, woocommerce: Asking) -> None:
    shopify.shop.put("orders", shopify_order(1, None), shopify_order(2, None, updated_at="2026-06-02T00:00:00Z"))
    shopify.shop.put(
        "orders", shopify_order(3, None, updated_at="2026-06-02T00:00:00Z", closed_at="2026-06-02T00:00:00Z")
    )
    shopify.shop.put("products", shopify_product(1, "Kettle", updated_at="2026-07-01T00:00:00Z"))
    woocommerce.shop.put("customers", woocommerce_customer(1, "a@example.com"))
    woocommerce.shop.put("customers", woocommerce_customer(2, "b@example.com", date_modified_gmt="2026-06-02T00:00:00"))
    woocommerce.shop.put("orders", woocommerce_order(1, 0, "a@example.com"))
    woocommerce.shop.put("orders", woocommerce_order(2, 0, "a@example.com", date_modified_gmt="2026-06-02T00:00:00"))
    await shopify.done(resources=["orders"], updated_since="2026-06-01T00:00:00Z")
    assert set(await shopify.taken()) == {("orders/updated", 2), ("orders/updated", 3)}
    await woocommerce.done(updated_since="2026-06-01T00:00:00Z")
    assert set(await woocommerce.taken()) == {("customer.updated", 2), ("order.updated", 2)}


async def test_refunds_of_woocommerce_have_their_own_time(woocommerce: Asking) -> None:
    refund = {"id": 9, "reason": "damaged", "total": "-9.00"}
    woocommerce.shop.put("orders", woocommerce_order(1, 0, "a@example.com", refunds=[refund]))
    woocommerce.shop.refunds[1] = [
        {"id": 9, "date_created_gmt": "2026-05-04T08:00:00", "amount": "9.00", "reason": "damaged"}
    ]
    run = await woocommerce.done(resources=["orders"])
    [one] = (await woocommerce.client.get("/v1/inbound-deliveries", params={"backfill_id": run["id"]})).json()["data"]
    [told] = (await woocommerce.payload(one))["refunds"]
    assert (told["id"], told["total"], told["date_created_gmt"]) == (9, "-9.00", "2026-05-04T08:00:00")


async def test_what_comes_goes_and_changes_between_the_pages_is_not_missed(either: Asking) -> None:
    shop = either.shop
    modified = MODIFIED[shop.kind]
    fill(shop, 700)
    later = "2030-01-01T00:00:00" + ("Z" if shop.kind == "shopify" else "")
    changed: set[int] = set()

    def meanwhile(resource: str, page: int) -> None:
        if resource != "orders" or not 3 < page < 9:
            return
        orders = shop.records["orders"]
        for gone in sorted(orders)[:7]:  # what lies behind slips
            del orders[gone]
        shop.put("orders", {**shop.records["orders"][699], "id": 700 + page, modified: later})
        for id_ in (350 + page, 690 - page):
            orders[id_] = {**orders[id_], modified: later, "note": "changed"}
            changed.add(id_)

    shop.before_page = meanwhile
    run = await either.done()
    assert run["status"] == "succeeded"
    taken = await either.payloads()
    assert all_of(shop) <= {(topic, body["id"]) for topic, body in taken}
    newest = {body["id"] for _, body in taken if "note" in body}
    assert changed
    assert changed <= newest, "each is taken in as it stood at the end"


async def test_a_shop_that_is_asked_too_often_is_waited_for(shopify: Asking) -> None:
    fill(shopify.shop, 510)
    shopify.shop.bucket = (2, 2)
    run = await shopify.done()
    assert run["status"] == "succeeded"
    assert set(await shopify.taken()) == all_of(shopify.shop)


async def test_answers_that_are_none_are_asked_for_again(shopify: Asking) -> None:
    fill(shopify.shop, 5)
    html = Reply(200, {"content-type": "text/html"}, b"<html>We are being mended</html>")
    cut = Reply(200, {"content-type": "application/json"}, b'{"customers": []}', cut_at=5)
    busy = Reply(429, {"Retry-After": "1"}, b"{}")
    shopify.shop.faults.extend([Reply(500), html, cut, busy])
    run = await shopify.done()
    assert (run["status"], run["trouble"]) == ("succeeded", None)
    assert set((await shopify.taken()).values()) == {1}
    assert set(await shopify.taken()) == all_of(shopify.shop)


async def test_who_revoked_the_credentials_goes_on_with_new_ones(woocommerce: Asking) -> None:
    fill(woocommerce.shop, 250)

    def revoke(resource: str, _page: int) -> None:
        woocommerce.shop.is_open = not (resource == "orders" and len(woocommerce.shop.stand_in.asked) == 4)

    woocommerce.shop.before_page = revoke
    failed = await woocommerce.done()
    assert (failed["status"], failed["error"]) == ("failed", "shop_credentials_refused"), failed
    job = (await woocommerce.client.get(f"/v1/jobs/{failed['job_id']}")).json()
    assert (job["error"]["code"], job["error"]["shop_status"]) == ("shop_credentials_refused", 401)
    asked = len(woocommerce.shop.stand_in.asked)
    woocommerce.shop.is_open, woocommerce.shop.before_page = True, lambda _r, _p: None
    again = {"pull": {"credentials": woocommerce.shop.pull["credentials"]}}
    assert (await woocommerce.client.patch(f"{SOURCES}/{woocommerce.source['id']}", json=again)).status_code == 200
    resumed = await woocommerce.client.post(f"{woocommerce.path}/{failed['id']}/resume")
    assert resumed.status_code == 200, resumed.text
    assert resumed.json()["job_id"] != failed["job_id"]
    run = await ended(woocommerce.client, f"{woocommerce.path}/{failed['id']}")
    assert run["status"] == "succeeded"
    assert set(await woocommerce.taken()) == all_of(woocommerce.shop)
    assert set((await woocommerce.taken()).values()) == {1}
    targets = [one.target for one in woocommerce.shop.stand_in.asked[asked:]]
    assert not any("/customers" in one or "/products" in one for one in targets), "they had come in already"
    over = await woocommerce.client.post(f"{woocommerce.path}/{failed['id']}/resume")
    assert (over.status_code, over.json()["code"]) == (409, "backfill_not_resumable")


async def test_a_shop_elsewhere_is_told_apart_from_one_that_is_away(tenant: Keyholder) -> None:
    async with running_shop("shopify") as shop:
        moved = await asking_source(tenant.client, shop)
        shop.faults.append(Reply(301, {"Location": "http://127.0.0.1:9/"}, b""))
        run = await moved.done()
        assert (run["status"], run["error"]) == ("failed", "shop_refused")
        job = (await tenant.client.get(f"/v1/jobs/{run['job_id']}")).json()
        assert job["error"]["shop_status"] == 301, "no redirect is followed"
        assert len(shop.stand_in.asked) == 1


async def test_it_can_be_cancelled_while_the_shop_is_away_and_there_is_one_at_a_time(tenant: Keyholder) -> None:
    async with running_shop("shopify") as shop:
        asking = await asking_source(tenant.client, shop, base_url=closed_url())
        run = await asking.start()
        other = await asking.client.post(asking.path, json={})
        assert (other.status_code, other.json()["code"]) == (409, "backfill_running")
        assert other.json()["backfill_id"] == run["id"]
        cancelled = await asking.client.post(f"/v1/jobs/{run['job_id']}/cancel")
        assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
        found = (await asking.client.get(f"{asking.path}/{run['id']}")).json()
        assert (found["status"], found["outcomes"]) == ("cancelled", {})
        await asking.client.patch(f"{SOURCES}/{asking.source['id']}", json={"pull": shop.pull})
        fill(shop, 3)
        assert (await asking.client.post(f"{asking.path}/{run['id']}/resume")).status_code == 200
        assert (await ended(asking.client, f"{asking.path}/{run['id']}"))["status"] == "succeeded"
        assert set(await asking.taken()) == all_of(shop)


async def test_a_link_to_another_host_is_not_followed(shopify: Asking) -> None:
    """The shop says where its next page is; where it says elsewhere, the shop itself is asked."""
    fill(shopify.shop, 260)
    async with running_shop("shopify") as elsewhere:
        shopify.shop.linked_host = elsewhere.url
        assert (await shopify.done())["status"] == "succeeded"
        assert not elsewhere.stand_in.asked
    assert set(await shopify.taken()) == all_of(shopify.shop)


async def test_what_is_no_record_or_too_large_is_skipped_and_counted(shopify: Asking) -> None:
    patch = {"max_body_bytes": 2_048}
    assert (await shopify.client.patch(f"{SOURCES}/{shopify.source['id']}", json=patch)).status_code == 200
    shopify.shop.put("products", shopify_product(1, "Kettle"), shopify_product(2, "K" * 4_000))
    shopify.shop.records["products"][3] = {"id": 3, "updated_at": "2026-05-01T10:00:00Z"} | {"id": -3}
    run = await shopify.done(resources=["products"])
    assert (run["resources"][0]["records"], run["resources"][0]["skipped"]) == (1, 2)


async def test_a_page_that_is_too_large_is_asked_for_in_smaller_ones(shopify: Asking) -> None:
    patch = {"max_body_bytes": 5 * 1024 * 1024}
    assert (await shopify.client.patch(f"{SOURCES}/{shopify.source['id']}", json=patch)).status_code == 200
    shopify.shop.put("products", *(shopify_product(n, "K" * 1_500_000) for n in range(1, 13)))
    run = await shopify.done(resources=["products"])
    assert (run["status"], run["resources"][0]["records"]) == ("succeeded", 12)


async def test_scheduled_runs_find_what_no_webhook_told(tenant: Keyholder) -> None:
    async with running_shop("shopify") as shop:
        fill(shop, 2)
        asking = await asking_source(tenant.client, shop, every_seconds=300)

        async def run(number: int) -> Json:
            async def is_there() -> bool:
                return len((await asking.client.get(asking.path)).json()["data"]) == number

            await until(is_there)
            newest = (await asking.client.get(asking.path)).json()["data"][0]
            return await ended(asking.client, f"{asking.path}/{newest['id']}")

        first = await run(1)
        assert (first["trigger"], first["status"]) == ("scheduled", "succeeded")
        assert set(await asking.taken()) == all_of(shop)
        shop.put("orders", shopify_order(3, None, updated_at="2035-01-01T00:00:00Z"))
        await asking.client.patch(f"{SOURCES}/{asking.source['id']}", json={"is_active": False})
        await asking.client.patch(f"{SOURCES}/{asking.source['id']}", json={"is_active": True})
        second = await run(2)
        assert (second["trigger"], second["status"]) == ("scheduled", "succeeded")
        by_resource = {one["resource"]: one["records"] for one in second["resources"]}
        assert by_resource == {"customers": 0, "products": 0, "orders": 1}, "only what is new since the first"
        assert set(await asking.taken()) == all_of(shop)
        assert set((await asking.taken()).values()) == {1}
