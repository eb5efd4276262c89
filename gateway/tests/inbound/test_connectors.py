"""How pages follow one another, whatever happens at the shop between two of them; and what an answer means."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from crm_testkit.shop_server import ShopServer
from crm_testkit.shops import shopify_order, woocommerce_order
from crm_testkit.stand_in import Asked, StandIn
from gateway.connectors import CREDENTIALS, connector_of
from gateway.connectors.interface import Access, Connector, MalformedAnswer, Page, Wanted
from gateway.connectors.reading import AskAgain, ShopRefuses, document_of, told_at
from gateway.features.inbound_backfills import rules
from gateway.features.inbound_backfills.rules import Place
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.datastructures import Headers

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
_LATER = {"shopify": "2026-11-29T12:00:00Z", "woocommerce": "2026-11-29T12:00:00"}


def _server(kind: Any, ids: range) -> ShopServer:
    made = ShopServer(kind, StandIn("https://shop.example.com"))
    order = shopify_order(1, None) if kind == "shopify" else woocommerce_order(1, 0, "a@example.com")
    made.put("orders", *({**order, "id": id_} for id_ in ids))
    return made


def _connector(server: ShopServer) -> Connector:
    return connector_of(server.kind, Access(server.url, "2025-07", dict(server.pull["credentials"])))


def _page(server: ShopServer, connector: Connector, wanted: Wanted) -> Page:
    ask = connector.ask(wanted)
    target = ask.url.removeprefix(server.url)
    reply = server.answer(Asked("GET", target, {name.lower(): value for name, value in ask.headers.items()}, b""))
    headers = Headers(reply.headers)
    return connector.read(wanted, headers, document_of(reply.status, headers, reply.body))


def _through(
    server: ShopServer, between: Any = lambda _: None, *, limit: int = 5, first: Place | None = None
) -> tuple[list[int], Place]:
    """The ids that a run sees, and where it ends. `between`: called before each page; `first`: where it begins."""
    connector, seen, pages = _connector(server), [], 0
    place = (first or Place(resource="orders")).model_copy(update={"limit": limit})
    while not place.is_finished:
        between(pages)
        page = _page(server, connector, place.wanted(connector.largest_page))
        seen += [int(record.external_id) for record in page.records]
        place = rules.after_page(
            place, page, taken=len(page.records), skipped=0, asked_at=NOW, knows_modified=True, earlier=None
        )
        pages += 1
        assert pages < 500, "it does not end"
    return seen, place


CHANGES = st.lists(
    st.tuples(st.sampled_from(["delete", "make", "touch"]), st.integers(0, 1000), st.integers(1, 12)), max_size=25
)


@pytest.mark.parametrize("kind", ["shopify", "woocommerce"])
@given(count=st.integers(0, 60), limit=st.integers(1, 12), changes=CHANGES)
@settings(max_examples=120, deadline=None)
def test_what_was_there_all_the_time_is_seen_and_so_is_the_last_of_what_changed(
    kind: str, count: int, limit: int, changes: list[tuple[str, int, int]]
) -> None:
    server = _server(kind, range(1, count + 1))
    modified = "updated_at" if kind == "shopify" else "date_modified_gmt"
    left = list(changes)

    def between(page: int) -> None:
        if page == 0 or not left:
            return
        what, at, many = left.pop()
        orders = server.records["orders"]
        ids = sorted(orders)
        if what == "make":
            first = max(orders, default=0) + 1
            sample = next(iter(_server(kind, range(1, 2)).records["orders"].values()))
            server.put("orders", *({**sample, "id": first + n, modified: _LATER[kind]} for n in range(many)))
        elif what == "delete":
            for id_ in ids[at % len(ids) :][:many] if ids else []:
                del orders[id_]
        elif ids:
            orders[ids[at % len(ids)]] = {**orders[ids[at % len(ids)]], modified: _LATER[kind]}

    seen, end = _through(server, between, limit=limit)
    if not left and end.pages_in_pass == 1:  # otherwise the last pass was one too few, and the next run sees the rest
        assert set(server.records["orders"]) <= set(seen)
    assert end.mark is not None
    (first,) = rules.first_places(["orders"], None, {"orders": end.mark})
    assert set(server.records["orders"]) <= {*seen, *_through(server, limit=limit, first=first)[0]}


def test_a_shop_that_is_never_quiet_is_left_after_a_few_passes_and_the_next_run_goes_on_from_there() -> None:
    server = _server("shopify", range(1, 21))
    sample = server.records["orders"][1]

    def between(page: int) -> None:
        server.put("orders", {**sample, "id": 100 + page, "updated_at": _LATER["shopify"]})

    seen, end = _through(server, between)
    assert end.passes == rules.MAX_PASSES - 1
    assert end.pages_in_pass > 1
    missed = set(server.records["orders"]) - set(seen)
    assert missed
    (first,) = rules.first_places(["orders"], None, {"orders": end.mark or NOW})
    assert missed <= set(_through(server, first=first)[0])


@given(count=st.integers(1, 40), hidden=st.sets(st.integers(1, 40)), limit=st.integers(2, 8))
@settings(max_examples=80, deadline=None)
def test_records_that_woocommerce_counts_and_does_not_show_hold_nothing_up(
    count: int, hidden: set[int], limit: int
) -> None:
    """It leaves out of a page what the key may not read, and counts it all the same."""
    server = _server("woocommerce", range(1, count + 1))
    connector, seen, pages, cursor = _connector(server), [], 0, {}
    while cursor is not None and pages < 500:
        wanted = Wanted("orders", None, cursor, limit)
        offset = cursor.get("offset", 0)
        shown = [one for _, one in sorted(server.records["orders"].items())][offset : offset + limit]
        document = [one for one in shown if one["id"] not in hidden]
        page = connector.read(wanted, Headers({"X-WP-Total": str(count)}), document)
        seen += [int(record.external_id) for record in page.records]
        cursor, pages = page.next, pages + 1  # type: ignore[assignment]  # it ends with None
    assert cursor is None, "it does not end"
    assert seen == [id_ for id_ in range(1, count + 1) if id_ not in hidden]


def test_a_quiet_shop_is_asked_for_each_page_once() -> None:
    assert _through(_server("shopify", range(1, 21)))[1].pages == 4 + 1, "and once more for what has changed since"
    assert _through(_server("woocommerce", range(1, 21)))[1].pages == 5 + 1, (
        "each page begins with the last of the one before"
    )
    assert _through(_server("shopify", range(1, 5)))[1].pages == 1


def test_a_page_is_asked_for_as_shopify_documents_it() -> None:
    connector = connector_of("shopify", Access("https://shop.example.com", "2025-07", {"access_token": "shpat_1"}))
    first = connector.ask(Wanted("orders", NOW, {}, 250))
    assert first.url == (
        "https://shop.example.com/admin/api/2025-07/orders.json?limit=250&status=any&updated_at_min=2026-11-29T12%3A00%3A00Z"
    )
    assert first.headers["X-Shopify-Access-Token"] == "shpat_1"
    second = connector.ask(Wanted("orders", NOW, {"page_info": "abc"}, 250))
    assert second.url == "https://shop.example.com/admin/api/2025-07/orders.json?limit=250&page_info=abc"


def test_a_page_is_asked_for_as_woocommerce_documents_it() -> None:
    keys = {"consumer_key": "ck_1", "consumer_secret": "cs_1"}
    connector = connector_of("woocommerce", Access("https://example.com/shop", None, keys))
    asked = connector.ask(Wanted("orders", NOW, {"last_id": 7, "offset": 99}, 100))
    assert asked.url == (
        "https://example.com/shop/wp-json/wc/v3/orders?per_page=100&offset=99&orderby=id&order=asc"
        "&modified_after=2026-11-29T12%3A00%3A00&dates_are_gmt=true"
    )
    assert base64.b64decode(asked.headers["Authorization"].removeprefix("Basic ")) == b"ck_1:cs_1"
    assert "modified_after" not in connector.ask(Wanted("customers", NOW, {}, 100)).url


@pytest.mark.parametrize(
    "link",
    [
        '<https://evil.example.com/x?page_info=abc>; rel="next"',
        '<https://shop.example.com/a?page_info=before>; rel="previous", <https://shop.example.com/a?page_info=abc&limit=5>; rel="next"',
        "<//169.254.169.254/?page_info=abc>; rel=next",
    ],
)
def test_of_a_link_only_the_place_is_taken(link: str) -> None:
    connector = connector_of("shopify", Access("https://shop.example.com", "2025-07", {"access_token": "t"}))
    page = connector.read(Wanted("orders", None, {}, 5), Headers({"Link": link}), {"orders": []})
    assert page.next == {"page_info": "abc"}
    assert connector.ask(Wanted("orders", None, page.next, 5)).url.startswith("https://shop.example.com/admin/")


@pytest.mark.parametrize(
    ("headers", "document"),
    [
        ({}, []),
        ({}, {"orders": None}),
        ({}, {"customers": []}),
        ({"Link": '<https://shop.example.com/a>; rel="next"'}, {"orders": []}),
        ({"Link": '<https://shop.example.com/a?page_info=%0d%0aX>; rel="next"'}, {"orders": []}),
        ({"Link": '<https://shop.example.com/a?page_info=same>; rel="next"'}, {"orders": []}),
    ],
)
def test_what_shopify_would_never_answer_is_malformed(headers: dict[str, str], document: Any) -> None:
    connector = connector_of("shopify", Access("https://shop.example.com", "2025-07", {"access_token": "t"}))
    with pytest.raises(MalformedAnswer):
        connector.read(Wanted("orders", None, {"page_info": "same"}, 5), Headers(headers), document)


@pytest.mark.parametrize("document", [{}, None, [{"id": 2}, {"id": 1}], [{"id": 1}, {"id": 1}]])
def test_what_woocommerce_would_never_answer_is_malformed(document: Any) -> None:
    keys = {"consumer_key": "k", "consumer_secret": "s"}
    connector = connector_of("woocommerce", Access("https://example.com", None, keys))
    with pytest.raises(MalformedAnswer):
        connector.read(Wanted("orders", None, {}, 5), Headers({}), document)


@given(
    document=st.recursive(st.none() | st.integers() | st.text(), lambda c: st.lists(c) | st.dictionaries(st.text(), c))
)
@pytest.mark.parametrize("kind", list(CREDENTIALS))
def test_no_document_breaks_the_reading(kind: str, document: Any) -> None:
    connector = connector_of(kind, Access("https://e.example.com", "2025-07", dict.fromkeys(CREDENTIALS[kind], "x")))  # type: ignore[index]  # its own keys
    for each in (document, [document], {"orders": document}, {"orders": [document, {"id": document}]}):
        try:
            page = connector.read(Wanted("orders", None, {}, 5), Headers({}), each)
        except MalformedAnswer:
            continue
        assert all(int(record.external_id) > 0 for record in page.records)


@pytest.mark.parametrize(
    ("status", "headers", "again", "after"),
    [
        (429, {"Retry-After": "2.0"}, "too_many_requests", timedelta(seconds=2)),
        (429, {"Retry-After": "1e300"}, "too_many_requests", timedelta(minutes=5)),
        (429, {"Retry-After": "nan"}, "too_many_requests", None),
        (429, {"Retry-After": "-3"}, "too_many_requests", None),
        (503, {"Retry-After": "Fri, 31 Dec 2199 23:59:59 GMT"}, "status_503", timedelta(minutes=5)),
        (500, {}, "status_500", None),
        (524, {}, "status_524", None),
        (200, {}, "malformed_answer", None),
    ],
)
def test_what_is_asked_for_again(status: int, headers: dict[str, str], again: str, after: timedelta | None) -> None:
    with pytest.raises(AskAgain) as caught:
        document_of(status, Headers(headers), b"<html>")
    assert (caught.value.code, caught.value.after) == (again, after)


@pytest.mark.parametrize(
    ("status", "code"),
    [(401, "credentials_refused"), (403, "credentials_refused"), (404, "status_404"), (402, "status_402"), (302, "redirected")],
)  # fmt: skip
def test_what_is_not_asked_for_again(status: int, code: str) -> None:
    with pytest.raises(ShopRefuses) as caught:
        document_of(status, Headers({}), b"{}")
    assert (caught.value.code, caught.value.status) == (code, status)


def test_shopify_is_left_alone_before_it_refuses() -> None:
    connector = connector_of("shopify", Access("https://e.example.com", "2025-07", {"access_token": "t"}))
    name = "X-Shopify-Shop-Api-Call-Limit"
    assert [connector.pause(Headers({name: used})) for used in ("1/40", "31/40", "40/40", "400/400", "9/0", "x")] == [
        0.0, 0.0, 10.0, 10.0, 0.0, 0.0
    ]  # fmt: skip


def test_the_shop_s_clock_counts_where_it_says_its_time() -> None:
    assert told_at(Headers({"Date": "Sun, 29 Nov 2026 12:00:00 GMT"}), NOW + timedelta(hours=3)) == NOW
    for other in ("", "yesterday", "99 99 99"):
        assert told_at(Headers({"Date": other}), NOW) == NOW


def _finished(since: datetime | None, earlier: datetime | None) -> datetime | None:
    place = Place(resource="orders", since=since, first_since=since)
    page = Page([], 0, None, None)
    done = rules.after_page(place, page, taken=0, skipped=0, asked_at=NOW, knows_modified=True, earlier=earlier)
    return done.mark


def test_a_run_of_what_is_new_leaves_no_gap_behind_it() -> None:
    """The mark, from which the next scheduled run goes on, moves only where nothing was left out below it."""
    then = NOW - timedelta(days=2)
    assert _finished(None, None) == NOW
    assert _finished(then - rules.OVERLAP, then) == NOW
    assert _finished(NOW - timedelta(hours=1), then) == then
    assert _finished(NOW - timedelta(hours=1), None) is None


@given(failures=st.integers(1, 40), after=st.none() | st.timedeltas(timedelta(), timedelta(minutes=5)))
def test_pauses_grow_and_are_never_shorter_than_asked(failures: int, after: timedelta | None) -> None:
    pause = rules.back_off(failures, after)
    assert timedelta(seconds=1) <= pause <= timedelta(minutes=5)
    assert pause >= (after or timedelta())
    assert pause <= max(rules.back_off(failures + 1, after), pause)


def test_of_one_version_reading_it_again_is_nothing_new() -> None:
    """And what is read once its second is over ranks above whatever was told of that second before."""
    at = NOW
    assert rules.version_time(at, at + timedelta(hours=1)) == rules.version_time(at, at + timedelta(days=9))
    assert rules.version_time(at, at + timedelta(milliseconds=200)) < rules.version_time(at, at + timedelta(hours=1))
