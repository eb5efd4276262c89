"""What mappings make of payloads, and that nobody makes them cost more than they may."""

import json
from typing import Any, get_args

import pytest
from crm_contracts.inbound import SourceKind
from crm_testkit.shops import ShopifyCustomer, shopify_order, woocommerce_order
from gateway.inbound import functions
from gateway.inbound.expressions import EvaluationFailed, Expression, InvalidExpression
from gateway.inbound.mappings import MappingFailed, TopicMapping, plan
from gateway.inbound.ready import ready_mappings
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

SOURCE = {"system": "shop", "country": "CN", "currency": "CNY"}
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=8), children, max_size=4),
    max_leaves=20,
)
_PAYLOADS: dict[SourceKind, Any] = {
    "shopify": shopify_order(450, ShopifyCustomer(7, "bob@example.com").payload()),
    "woocommerce": woocommerce_order(7, 0, "bob@example.com"),
    "erp": {"customers": [{"id": "C-1"}], "orders": [{"id": "O-1", "lines": [{"name": "x"}]}]},
    "wecom": {"ExternalUserID": "w1"},
}


@pytest.mark.parametrize(
    "doubling",
    [
        "|".join(["[@, @]"] * 30) + "|to_string(@)",
        "|".join(["[@, @][]"] * 30),
        "[" + "|".join(["[@, @]"] * 30) + ", " + "|".join(["[@, @]"] * 30) + "] | [0] == [1]",
        "|".join(["{a: @, b: @}"] * 30),
        "|".join(["join('', [@, @])"] * 30),
        "|".join(["map(&[@, @], [@, @])"] * 30),
    ],
)
def test_what_doubles_at_each_step_is_stopped(doubling: str) -> None:
    with pytest.raises(EvaluationFailed):
        Expression(doubling).apply("x" * 100)


@pytest.mark.parametrize("text", ["", "a.", "nothing(@)", "(" * 1_500, "a" * 2_001, "[?", "!" * 500 + "a"])
def test_what_is_no_expression_or_too_much_of_one_is_refused_when_it_is_written(text: str) -> None:
    with pytest.raises(InvalidExpression):
        Expression(text)
    with pytest.raises(ValidationError):
        TopicMapping.model_validate({"steps": [{"resource": "contacts", "set": {"title": text}}]})


@given(st.text(max_size=40))
def test_any_text_is_an_expression_or_refused(text: str) -> None:
    try:
        expression = Expression(text)
    except InvalidExpression:
        return
    try:
        expression.apply({"a": [1, {"b": None}]})
    except EvaluationFailed:
        return


@given(_JSON)
def test_ready_mappings_take_whatever_comes(payload: Any) -> None:
    for kind in get_args(SourceKind):
        for mapping in ready_mappings(kind).values():
            try:
                json.dumps([one.data for one in plan(mapping, payload, SOURCE)])
            except MappingFailed:
                continue


@given(st.sampled_from(sorted(_PAYLOADS)), st.data())
def test_one_member_that_is_something_else_costs_no_more_than_itself(kind: SourceKind, data: Any) -> None:
    """A shop's plug-in may write anything anywhere: what is made of the rest is not lost, or says where it failed."""
    payload = json.loads(json.dumps(_PAYLOADS[kind]))
    payload[data.draw(st.sampled_from(sorted(payload)))] = data.draw(_JSON)
    for mapping in ready_mappings(kind).values():
        failed = None
        try:
            plan(mapping, payload, SOURCE)
        except MappingFailed as error:
            failed = str(error)
        assert failed is None or failed.startswith("steps/")


def test_a_shop_s_order_is_read_as_it_is_meant() -> None:
    order = shopify_order(
        450, None, email="Guest@Example.com", phone="138 0013 8000", financial_status="refunded", currency="cny",
        billing_address={"first_name": "晓梅", "last_name": "欧阳", "country_code": "CN"},
        refunds=[{"id": 1, "created_at": "2026-05-05T10:00:00-04:00", "note": None, "transactions": [
            {"kind": "refund", "status": "success", "amount": "400.00", "currency": "CNY"},
            {"kind": "refund", "status": "failure", "amount": "9.94", "currency": "CNY"},
        ]}, {"id": 2, "transactions": []}],
    )  # fmt: skip
    guest, planned = plan(ready_mappings("shopify")["orders/updated"], order, SOURCE)
    assert (guest.external_id, guest.data["first_name"], guest.data["emails"]) == (
        None, "晓梅", [{"address": "Guest@example.com"}],
    )  # fmt: skip
    assert guest.data["phones"] == [{"number": "+8613800138000"}]
    assert (planned.data["status"], planned.data["total"]) == ("refunded", {"amount": "409.94", "currency": "CNY"})
    assert planned.add["refunds"] == [
        {"external_id": "1", "amount": {"amount": "400.00", "currency": "CNY"}, "at": "2026-05-05T14:00:00Z"}
    ]
    assert planned.refs["contact_id"].planned == 0


def test_a_woocommerce_refund_is_its_amount_to_the_cent_and_one_that_is_no_number_costs_no_order() -> None:
    refunds = [{"id": 1, "reason": "", "total": "-10.00"}, {"id": 2, "total": "-0.00"}, {"id": 3, "total": "n/a"}]
    order = woocommerce_order(7, 0, "bob@example.com", refunds=refunds)
    planned = plan(ready_mappings("woocommerce")["order.updated"], order, SOURCE)[-1]
    assert planned.add["refunds"] == [
        {"external_id": "1", "amount": {"amount": "10.00", "currency": "CNY"}, "at": "2026-05-03T08:00:10Z"}
    ]


@pytest.mark.parametrize(
    ("paid", "fulfilled", "cancelled", "closed", "status"),
    [
        ("pending", None, None, None, "pending"),
        ("authorized", None, None, None, "pending"),
        ("paid", None, None, None, "paid"),
        ("partially_refunded", None, None, None, "paid"),
        ("paid", "fulfilled", None, None, "shipped"),
        ("paid", "fulfilled", None, "2026-05-09T00:00:00Z", "completed"),
        ("refunded", "fulfilled", None, "2026-05-09T00:00:00Z", "refunded"),
        ("voided", None, None, None, "cancelled"),
        ("paid", None, "2026-05-09T00:00:00Z", None, "cancelled"),
        ("something new", None, None, None, "pending"),
    ],
)
def test_what_a_shop_calls_a_status(
    paid: str, fulfilled: str | None, cancelled: str | None, closed: str | None, status: str
) -> None:
    order = shopify_order(
        450, None, financial_status=paid, fulfillment_status=fulfilled, cancelled_at=cancelled, closed_at=closed
    )
    *_, planned = plan(ready_mappings("shopify")["orders/updated"], order, SOURCE)
    assert planned.data["status"] == status


@pytest.mark.parametrize(
    ("consent", "status"),
    [("subscribed", "granted"), ("unsubscribed", "withdrawn"), ("redacted", "withdrawn"), ("not_subscribed", None),
     ("pending", None), ("invalid", None)],
)  # fmt: skip
def test_what_a_shop_calls_a_consent(consent: str, status: str | None) -> None:
    customer = ShopifyCustomer(7, "bob@example.com", consent=(consent, "2026-04-01T00:00:00Z")).payload()
    planned = plan(ready_mappings("shopify")["customers/update"], customer, SOURCE)
    found = [(one.data["status"], one.data["channel"]) for one in planned if one.resource == "consents"]
    assert found == ([(status, "email")] if status else [])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("2017-03-22T19:28:02", "2017-03-22T19:28:02Z"),
        ("2026-05-01T10:00:00-04:00", "2026-05-01T14:00:00Z"),
        (1767225600, "2026-01-01T00:00:00Z"),
        (1767225600000, "2026-01-01T00:00:00Z"),
        ("1767225600", "2026-01-01T00:00:00Z"),
        ("yesterday", None), (True, None), (None, None), (1e300, None), ("9999-12-31T23:59:59-12:00", None),
    ],
)  # fmt: skip
def test_times_as_systems_write_them(value: object, text: str | None) -> None:
    assert functions.timestamp(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(12.1, "12.1"), (3, "3"), ("29.35", "29.35"), (1e-7, "0.000000"), ("1e3", "1000"), (True, None), ("", None),
     ("NaN", None), ("Infinity", None), ("1" * 16, None), (None, None), ([], None)],
)  # fmt: skip
def test_amounts_as_systems_write_them(value: object, text: str | None) -> None:
    assert functions.decimal_text(value) == text


def test_what_cannot_be_dialled_or_written_to_is_left_out() -> None:
    assert functions.e164("555-625-1199", "US") is None
    assert functions.e164("138 0013 8000", "CN") == "+8613800138000"
    assert functions.e164("13800138000", None) is None
    assert functions.email(" bob@Example.COM ") == "bob@example.com"
    assert functions.email("bob@") is None
    assert functions.money("1.00", "XXQ") is None
