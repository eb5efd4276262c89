"""Lines: what deals and orders consist of, and what they come to. Exact decimals; nothing is rounded."""

from collections.abc import Sequence
from decimal import Context, Decimal, localcontext
from typing import Annotated, Final, Protocol

from crm_contracts.ids import ProductId
from crm_contracts.types import DecimalString, Input, Money, Name, Text
from crm_kit.errors import FieldError, ValidationFailed
from crm_kit.errors import Text as Sentence
from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

MAX_LINES: Final = 500

# A product has up to 42 digits, and MAX_LINES of them are added up: the default of 28 digits would round.
_EXACT = Context(prec=80)
_MAX_PLACES = 6
_TOO_LARGE = Decimal(10) ** 15


def _positive(value: Decimal) -> Decimal:
    if value <= 0:
        raise PydanticCustomError("positive", "Must be greater than 0", {"zh": "必须大于 0"})
    return value


class LineWrite(Input):
    name: Name
    product_id: ProductId | None = None
    sku: Annotated[Text, StringConstraints(min_length=1, max_length=100)] | None = None
    quantity: Annotated[
        DecimalString,
        AfterValidator(_positive),
        Field(description="Greater than 0", json_schema_extra={"pattern": r"^[0-9]{1,15}(\.[0-9]{1,6})?$"}),
    ]
    unit_price: Annotated[Money, Field(description="Negative for a discount")]


LinesWrite = Annotated[list[LineWrite], Field(max_length=MAX_LINES)]


class Line(Protocol):
    """A line as it is written, kept or read."""

    @property
    def name(self) -> str: ...
    @property
    def product_id(self) -> str | None: ...
    @property
    def sku(self) -> str | None: ...
    @property
    def quantity(self) -> Decimal: ...
    @property
    def unit_price(self) -> Money: ...


class NoTotal(ValueError):
    """The lines have no total that is one amount of money; `code` and `reason` say why."""

    def __init__(self, code: str, reason: Sentence) -> None:
        super().__init__(reason.en)
        self.code = code
        self.reason = reason


def total(lines: Sequence[Line]) -> Money:
    """The exact sum of quantity times unit price. Raises NoTotal.

    It has as many decimal places as the unit price with most of them, and more only where exactness takes more.
    """
    if not lines:
        raise NoTotal("total_required", Sentence("Is required where there are no lines", "没有明细行时必填"))
    currencies = {line.unit_price.currency for line in lines}
    if len(currencies) > 1:
        raise NoTotal(
            "total_currencies",
            Sentence("Is required where lines are in several currencies", "明细行包含多种货币时必填"),
        )
    with localcontext(_EXACT):
        amount = sum((line.quantity * line.unit_price.amount for line in lines), Decimal(0))
        shown = max(_places(line.unit_price.amount) for line in lines)
        places = max(shown, _places(amount.normalize()))
        if amount < 0:
            raise NoTotal("total_range", Sentence("The lines come to less than 0", "明细行合计小于 0"))
        if places > _MAX_PLACES or amount >= _TOO_LARGE:
            raise NoTotal(
                "total_range",
                Sentence(
                    "Is required where the lines come to more than 15 digits before or 6 after the point",
                    "明细行合计超过小数点前 15 位或后 6 位时必填",
                ),
            )
        return Money(amount=amount.quantize(Decimal(1).scaleb(-places)), currency=currencies.pop())


def total_or_none(lines: Sequence[Line]) -> Money | None:
    try:
        return total(lines)
    except NoTotal:
        return None


def lines_decide(
    value: Money | None, lines: Sequence[Line], before_value: Money | None, before_lines: Sequence[Line]
) -> bool:
    """Whether, after a change, the total is that of the lines.

    It is where no value is given, and where only the lines were changed and the value was their total before.
    """
    if value is None:
        return True
    changed = [_parts(line) for line in lines] != [_parts(line) for line in before_lines]
    return changed and value == before_value and value == total_or_none(before_lines)


def decided_total(
    value: Money | None,
    lines: Sequence[Line],
    before_value: Money | None,
    before_lines: Sequence[Line],
    missing: Sentence,
) -> Money:
    """The total of what must have one: as given, or that of the lines (`lines_decide`). Raises ValidationFailed, `missing` being
    what it says.
    """
    if value is not None and not lines_decide(value, lines, before_value, before_lines):
        return value
    try:
        return total(lines)
    except NoTotal as error:
        raise ValidationFailed(missing, errors=[FieldError("/total", error.code, error.reason)]) from error


MAX_SUM: Final = _TOO_LARGE
"""No sum that is shown as one amount of money reaches this."""


def stored_amount(value: Money) -> Decimal:
    """The amount as PostgreSQL gives it back, which knows no negative zero."""
    return abs(value.amount) if value.amount == 0 else value.amount


def _parts(line: Line) -> tuple[object, ...]:
    return line.name, line.product_id, line.sku, line.quantity, line.unit_price


def _places(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int), "contracts carry finite decimals only"
    return max(0, -exponent)
