"""What lines come to: exact, and written as a reader expects."""

from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from crm_contracts.types import Money
from hypothesis import given
from hypothesis import strategies as st
from pipeline_svc.lines import LineWrite, NoTotal, lines_decide, stored_amount, total, total_or_none


def decimals(low: str, high: str) -> st.SearchStrategy[Decimal]:
    return st.integers(0, 6).flatmap(lambda places: st.decimals(low, high, places=places))


def line(quantity: str, price: str, currency: str = "CNY") -> LineWrite:
    return LineWrite(name="x", quantity=Decimal(quantity), unit_price=Money(amount=Decimal(price), currency=currency))


lines = st.builds(
    lambda quantity, price: LineWrite(name="x", quantity=quantity, unit_price=Money(amount=price, currency="CNY")),
    decimals("0.000001", "999999999999999").filter(lambda quantity: quantity > 0),
    decimals("-999999999999999", "999999999999999"),
)


@given(st.lists(lines, min_size=1, max_size=8))
def test_a_total_is_exact_or_there_is_none(written: list[LineWrite]) -> None:
    exact = sum(Fraction(one.quantity) * Fraction(one.unit_price.amount) for one in written)
    found = total_or_none(written)
    if found is None:
        assert exact < 0 or exact >= 10**15 or (exact * 10**6).denominator != 1
    else:
        assert Fraction(found.amount) == exact
        assert Money.model_validate_json(found.model_dump_json()) == found, "every reader can read it"


@given(st.lists(lines, min_size=1, max_size=8))
def test_the_precision_of_the_caller_changes_nothing(written: list[LineWrite]) -> None:
    with localcontext() as context:
        context.prec = 3
        narrow = total_or_none(written)
    assert narrow == total_or_none(written)


@pytest.mark.parametrize(
    ("written", "amount"),
    [
        ([line("2", "999.50")], "1999.00"),
        ([line("1.500", "10.00")], "15.00"),
        ([line("3", "100")], "300"),
        ([line("0.5", "0.25")], "0.125"),
        ([line("1", "10.00"), line("1", "-10.00")], "0.00"),
        ([line("1", "0.1"), line("1", "0.20")], "0.30"),
    ],
)
def test_a_total_has_the_places_of_its_prices(written: list[LineWrite], amount: str) -> None:
    assert str(total(written).amount) == amount


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ([], "total_required"),
        ([line("1", "1"), line("1", "1", "USD")], "total_currencies"),
        ([line("1", "-1")], "total_range"),
        ([line("0.000001", "0.1")], "total_range"),
        ([line("999999999999999", "2")], "total_range"),
    ],
)
def test_lines_without_a_total_say_why(written: list[LineWrite], code: str) -> None:
    with pytest.raises(NoTotal) as caught:
        total(written)
    assert caught.value.code == code


def test_a_total_follows_its_lines_until_somebody_sets_another() -> None:
    before, after = [line("1", "5.00")], [line("2", "5.00")]
    five, seven = (Money(amount=Decimal(amount), currency="CNY") for amount in ("5.00", "7.00"))
    assert lines_decide(None, after, five, before)
    assert lines_decide(five, after, five, before), "it was the lines' total, and only they changed"
    assert not lines_decide(seven, after, seven, before), "it was not the lines' total"
    assert not lines_decide(seven, after, five, before), "it was set in the same change"
    assert not lines_decide(five, before, five, before), "nothing changed"


def test_zero_has_no_sign() -> None:
    assert str(stored_amount(Money(amount=Decimal("-0.00"), currency="CNY"))) == "0.00"
